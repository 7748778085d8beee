"""Workflows, and the triggers of the enabled ones by what fires them."""

from piccolo.columns import JSONB, UUID, Boolean, ForeignKey, Integer, OnDelete, Text, Timestamptz, Varchar
from piccolo.columns.indexes import IndexMethod
from piccolo.constraints import Unique
from piccolo.table import Table

from app.core.clock import now, uuid7


class Workflow(Table, tablename="workflows"):
    """A workflow: its current definition and settings; ``author_id`` is who wrote that definition."""

    id = UUID(primary_key=True, default=uuid7)
    name = Varchar(length=150, unique=True)
    description = Text(default="")
    definition = JSONB()
    tags = JSONB(default="[]", index=True, index_method=IndexMethod.gin)
    enabled = Boolean(default=True, index=True)
    version = Integer(default=1)
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
