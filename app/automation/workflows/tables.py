"""Workflows."""

from piccolo.columns import JSONB, UUID, Boolean, Integer, Text, Timestamptz, Varchar
from piccolo.columns.indexes import IndexMethod
from piccolo.table import Table

from app.core.clock import now, uuid7


class Workflow(Table, tablename="workflows"):
    """A workflow: its current definition and settings."""

    id = UUID(primary_key=True, default=uuid7)
    name = Varchar(length=150, unique=True)
    description = Text(default="")
    definition = JSONB()
    tags = JSONB(default="[]", index=True, index_method=IndexMethod.gin)
    enabled = Boolean(default=True, index=True)
    version = Integer(default=1)
    created_by = Varchar(length=150, default="")
    created_at = Timestamptz(default=now, index=True)
    updated_at = Timestamptz(default=now)
