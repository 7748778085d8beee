"""Workflows, their versions, folders and triggers, and the packages that are switched off."""

import uuid
from typing import Any

from piccolo.columns import JSONB, UUID, Boolean, ForeignKey, Integer, OnDelete, Text, Timestamptz, Varchar
from piccolo.columns.indexes import IndexMethod
from piccolo.constraints import Check, Unique
from piccolo.table import Table

from app.core.clock import now, uuid7

ROOT = uuid.UUID(int=0)


class Folder(Table, tablename="workflow_folders"):
    """A folder of workflows; ``beneath`` is its parent's id, zeros at the root, so that names are unique there too."""

    id = UUID(primary_key=True, default=uuid7)
    name = Varchar(length=150, index=True)
    parent: ForeignKey[Any] = ForeignKey("self", on_delete=OnDelete.restrict, index=True)
    beneath = UUID(default=ROOT)
    created_at = Timestamptz(default=now)
    updated_at = Timestamptz(default=now)
    workflow_folders_name_uq = Unique(["beneath", "name"])


class Workflow(Table, tablename="workflows"):
    """A workflow: its current definition and settings.

    ``revision`` grows with every change of anything; ``author_id`` is who wrote the definition.
    """

    id = UUID(primary_key=True, default=uuid7)
    name = Varchar(length=150, unique=True)
    description = Text(default="")
    definition = JSONB()
    settings = JSONB(default="{}")
    tags = JSONB(default="[]", index=True, index_method=IndexMethod.gin)
    folder = ForeignKey(references=Folder, on_delete=OnDelete.restrict, index=True)
    template = Boolean(default=False, index=True)
    enabled = Boolean(default=True, index=True)
    version = Integer(default=1)
    revision = Integer(default=1)
    created_by = Varchar(length=150, default="")
    author_id = UUID(null=True, default=None)
    created_at = Timestamptz(default=now, index=True)
    updated_at = Timestamptz(default=now)


class WebhookPath(Table, tablename="webhook_paths"):
    """The path that a webhook trigger of an enabled workflow listens at."""

    path = Varchar(length=200, primary_key=True)
    workflow = ForeignKey(references=Workflow, on_delete=OnDelete.cascade, null=False, index=True)
    node_id = Varchar(length=128)


class EventTrigger(Table, tablename="event_triggers"):
    """An event that a trigger of an enabled workflow listens for."""

    id = UUID(primary_key=True, default=uuid7)
    workflow = ForeignKey(references=Workflow, on_delete=OnDelete.cascade, null=False)
    node_id = Varchar(length=128)
    event = Varchar(length=64, index=True)
    event_triggers_once_uq = Unique(["workflow", "node_id", "event"])


class WorkflowVersion(Table, tablename="workflow_versions"):
    """What a workflow was at one of its versions."""

    id = UUID(primary_key=True, default=uuid7)
    workflow = ForeignKey(references=Workflow, on_delete=OnDelete.cascade, null=False)
    version = Integer()
    definition = JSONB()
    settings = JSONB(default="{}")
    note = Text(default="")
    saved_by = Varchar(length=150, default="")
    saved_at = Timestamptz(default=now)
    workflow_versions_version_uq = Unique(["workflow", "version"])
    workflow_versions_version_ck = Check("version >= 1")


class Package(Table, tablename="packages"):
    """A package of node types that is switched off; those that have no row are on."""

    id = Varchar(length=128, primary_key=True)
    disabled_by = Varchar(length=150, default="")
    disabled_at = Timestamptz(default=now)
