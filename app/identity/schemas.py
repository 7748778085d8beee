"""What crosses the API of users, roles and sessions."""

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from app.core.wire import Input, Output

BEARER: Final = "bearer"
Username = Annotated[str, Meta(min_length=1, max_length=150, pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]*$")]
Email = Annotated[str, Meta(max_length=255, pattern=r"^([^@\s]+@[^@\s]+)?$")]
FullName = Annotated[str, Meta(max_length=255)]
Password = Annotated[str, Meta(min_length=12, max_length=72)]
RoleName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-z][a-z0-9_-]*$")]
RoleNames = Annotated[list[RoleName], Meta(max_length=50)]
Description = Annotated[str, Meta(max_length=1000)]
PermissionCodes = Annotated[list[str], Meta(max_length=500)]
Status = Literal["active", "disabled", "locked", "pending"]
SettableStatus = Literal["active", "disabled"]


class LoginRequest(Input, frozen=True, kw_only=True):
    """Who comes in, and the proof."""

    username: Annotated[str, Meta(min_length=1, max_length=150)]
    password: Annotated[str, Meta(min_length=1, max_length=1024)]


class RefreshRequest(Input, frozen=True, kw_only=True):
    """The refresh token of the login."""

    refresh_token: Annotated[str, Meta(min_length=1, max_length=200)]


class TokensRead(Output, frozen=True, kw_only=True):
    """The two tokens of a session; only their hashes are kept."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = BEARER
    expires_in_s: int


class UserRead(Output, frozen=True, kw_only=True):
    """A user."""

    id: UUID
    username: str
    email: str
    full_name: str
    status: Status
    must_change_password: bool
    roles: list[str]
    last_login_at: datetime | None
    created_at: datetime
    updated_at: datetime


class MeRead(UserRead, frozen=True, kw_only=True):
    """The caller."""

    permissions: list[str]


class UserCreate(Input, frozen=True, kw_only=True):
    """A new user; the caller must hold every permission of the roles he gives."""

    username: Username
    password: Password
    email: Email = ""
    full_name: FullName = ""
    roles: RoleNames = msgspec.field(default_factory=list)
    status: SettableStatus = "active"
    must_change_password: bool = False


class UserUpdate(Input, frozen=True, kw_only=True):
    """A change of a user; what is absent stays. A new password ends the user's sessions."""

    email: Email | UnsetType = UNSET
    full_name: FullName | UnsetType = UNSET
    password: Password | UnsetType = UNSET
    roles: RoleNames | UnsetType = UNSET
    status: SettableStatus | UnsetType = UNSET
    must_change_password: bool | UnsetType = UNSET


class RoleRead(Output, frozen=True, kw_only=True):
    """A role; the built-in ones cannot be changed."""

    id: UUID
    name: str
    description: str
    permissions: list[str]
    built_in: bool


class RoleCreate(Input, frozen=True, kw_only=True):
    """A new role, of permissions that the caller holds."""

    name: RoleName
    permissions: PermissionCodes
    description: Description = ""


class RoleUpdate(Input, frozen=True, kw_only=True):
    """A change of a role; what is absent stays."""

    permissions: PermissionCodes | UnsetType = UNSET
    description: Description | UnsetType = UNSET


class PermissionRead(Output, frozen=True, kw_only=True):
    """A permission of the catalogue."""

    code: str
    description: str


class SessionRead(Output, frozen=True, kw_only=True):
    """A login of the caller that still lasts."""

    id: UUID
    kind: Literal["bearer", "cookie"]
    address: str
    user_agent: str
    created_at: datetime
    access_expires_at: datetime
    refresh_expires_at: datetime
    current: bool
