"""Credentials: plain metadata beside the sealed fields."""

from piccolo.columns import JSONB, UUID, Bytea, Integer, Text, Timestamptz, Varchar
from piccolo.columns.indexes import IndexMethod
from piccolo.table import Table

from app.core.clock import now, uuid7


class Credential(Table, tablename="credentials"):
    """A credential: plain metadata, and its fields sealed under the master key.

    ``living_name`` is the name until it is deleted, ``default_for`` its type where it is that type's default;
    ``version`` counts the changes of its fields, so that a session knows whether it was opened with these.
    ``blocked_at`` is set while its login is tried nowhere, because devices refused it; a new version is not blocked.
    """

    id = UUID(primary_key=True, default=uuid7)
    name = Varchar(length=150, index=True)
    living_name = Varchar(length=150, null=True, default=None, unique=True)
    credential_type = Varchar(length=32, index=True)
    sealed = Bytea()
    version = Integer(default=1)
    username = Varchar(length=255, default="", index=True)
    description = Text(default="")
    environment = Varchar(length=64, default="", index=True)
    tags = JSONB(default="[]", index=True, index_method=IndexMethod.gin)
    status = Varchar(length=16, default="active", index=True)
    default_for = Varchar(length=32, null=True, default=None, unique=True)
    valid_from = Timestamptz(null=True, default=None)
    valid_until = Timestamptz(null=True, default=None, index=True)
    last_used_at = Timestamptz(null=True, default=None)
    blocked_at = Timestamptz(null=True, default=None)
    blocked_reason = Text(default="")
    created_at = Timestamptz(default=now, index=True)
    updated_at = Timestamptz(default=now)
    deleted_at = Timestamptz(null=True, default=None)
