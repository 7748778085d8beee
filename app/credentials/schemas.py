"""What the vault's API takes and gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, cast
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from app.core.wire import Input, Output

Name = Annotated[
    str, Meta(min_length=1, max_length=150, pattern=r"^\S(.*\S)?$", description="Unique among living credentials.")
]
Tag = Annotated[str, Meta(min_length=1, max_length=64)]
Tags = Annotated[list[Tag], Meta(max_length=64)]
Text = Annotated[str, Meta(max_length=4000)]
Environment = Annotated[str, Meta(max_length=64)]
Moment = Annotated[datetime, Meta(tz=True)]
SettableStatus = Literal["active", "disabled", "revoked"]
Status = Literal["active", "disabled", "revoked", "expired"]
Fields = Annotated[dict[str, Any], Meta(description="The fields of its type, as GET /credentials/v1/types lists them.")]


class CredentialCreate(Input, frozen=True, kw_only=True):
    """A new credential."""

    name: Name
    credential_type: Annotated[str, Meta(max_length=32)]
    data: Fields
    description: Text = ""
    environment: Environment = ""
    tags: Tags = msgspec.field(default_factory=list)
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    is_default: bool = False


class CredentialUpdate(Input, frozen=True, kw_only=True):
    """A change of a credential: what is left out stays; a field of ``data`` that is null is taken away."""

    name: Name | UnsetType = UNSET
    data: Fields | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    environment: Environment | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    status: SettableStatus | UnsetType = UNSET
    valid_from: Moment | UnsetType | None = UNSET
    valid_until: Moment | UnsetType | None = UNSET
    is_default: bool | UnsetType = UNSET


class CredentialRead(Output, frozen=True, kw_only=True):
    """A credential's metadata; ``data`` is there only where its secrets were asked for."""

    id: UUID
    name: str
    credential_type: str
    username: str
    description: str
    environment: str
    tags: list[str]
    status: Status
    is_default: bool
    version: int
    valid_from: datetime | None
    valid_until: datetime | None
    last_used_at: datetime | None
    blocked_at: datetime | None
    blocked_reason: str
    created_at: datetime
    updated_at: datetime
    data: dict[str, Any] | UnsetType = UNSET


class FieldRead(Output, frozen=True, kw_only=True):
    """A field of a credential type."""

    name: str
    kind: Literal["text", "pem", "integer", "boolean", "choice"]
    secret: bool
    required: bool
    default: Any
    choices: list[str]
    description: str


class TypeRead(Output, frozen=True, kw_only=True):
    """A credential type and its fields."""

    name: str
    label: str
    fields: list[FieldRead]


@dataclass(frozen=True, kw_only=True)
class CredentialFilter:
    """Which credentials a list is to hold; what is None does not matter."""

    name: str | None = None
    q: str | None = None
    credential_type: str | None = None
    environment: str | None = None
    status: Status | None = None
    tag: str | None = None
    username: str | None = None


def status_of(row: Mapping[str, Any], at: datetime) -> Status:
    """Return a credential's status at a moment: an active one that has run out is expired."""
    until = row["valid_until"]
    if row["status"] == "active" and until is not None and until <= at:
        return "expired"
    return cast("Status", row["status"])
