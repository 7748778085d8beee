"""Users, roles, their grants, and sessions."""

from piccolo.columns import JSONB, UUID, Boolean, ForeignKey, OnDelete, Text, Timestamptz, Varchar
from piccolo.constraints import Unique
from piccolo.table import Table

from app.core.clock import now, uuid7


class User(Table, tablename="users"):
    """Somebody who may come in."""

    id = UUID(primary_key=True, default=uuid7)
    username = Varchar(length=150, unique=True)
    email = Varchar(length=255, default="")
    full_name = Varchar(length=255, default="")
    password_hash = Varchar(length=128)
    status = Varchar(length=16, default="active", index=True)
    must_change_password = Boolean(default=False)
    last_login_at = Timestamptz(null=True, default=None)
    created_at = Timestamptz(default=now, index=True)
    updated_at = Timestamptz(default=now)


class Role(Table, tablename="roles"):
    """A named set of permissions."""

    id = UUID(primary_key=True, default=uuid7)
    name = Varchar(length=64, unique=True)
    description = Text(default="")
    permissions = JSONB(default="[]")
    built_in = Boolean(default=False)


class Grant(Table, tablename="grants"):
    """A role given to a user."""

    id = UUID(primary_key=True, default=uuid7)
    user = ForeignKey(references=User, on_delete=OnDelete.cascade, null=False, index=True)
    role = ForeignKey(references=Role, on_delete=OnDelete.cascade, null=False, index=True)
    created_at = Timestamptz(default=now)
    grants_user_role_uq = Unique(["user", "role"])


class Session(Table, tablename="sessions"):
    """A login: hashes of its current tokens, where it came from, and until when it lasts.

    A family is all sessions that one login's refresh token led to; reuse of a spent one ends the family.
    """

    id = UUID(primary_key=True, default=uuid7)
    user = ForeignKey(references=User, on_delete=OnDelete.cascade, null=False, index=True)
    family = UUID(index=True)
    access_hash = Varchar(length=64, unique=True)
    refresh_hash = Varchar(length=64, unique=True)
    access_expires_at = Timestamptz(default=now)
    refresh_expires_at = Timestamptz(default=now, index=True)
    refreshed_at = Timestamptz(null=True, default=None)
    revoked_at = Timestamptz(null=True, default=None)
    kind = Varchar(length=16, default="bearer")
    user_agent = Varchar(length=255, default="")
    address = Varchar(length=64, default="")
    created_at = Timestamptz(default=now)
