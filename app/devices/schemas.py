"""What the inventory's API takes and gives."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from app.core.wire import Input, Output

MAX_BATCH = 10_000
DEFAULT_PRIORITY = 100

Name = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^\S(.*\S)?$")]
GroupName = Annotated[str, Meta(min_length=1, max_length=150, pattern=r"^\S(.*\S)?$")]
Address = Annotated[str, Meta(min_length=1, max_length=255, description="An IPv4 or IPv6 address, or a DNS name.")]
Port = Annotated[int, Meta(ge=1, le=65535, description="Where its command line answers; null: the platform's port.")]
Slug = Annotated[str, Meta(max_length=64, description="A slug of GET /inventory/v1/platforms.")]
Word = Annotated[str, Meta(max_length=128)]
Tag = Annotated[str, Meta(min_length=1, max_length=64)]
Tags = Annotated[list[Tag], Meta(max_length=64)]
Custom = Annotated[dict[str, Any], Meta(description="Whatever else is known of it.")]
Sessions = Annotated[int, Meta(ge=1, le=16, description="How many sessions it may hold at once.")]
JumpHost = Annotated[UUID, Meta(description="The device through which it is reached.")]
CredentialIds = Annotated[
    list[UUID], Meta(max_length=16, description="Credentials to assign to it, the first to try first.")
]
Members = Annotated[list[UUID], Meta(max_length=MAX_BATCH)]
Priority = Annotated[int, Meta(ge=0, le=10_000, description="Lower is tried first.")]
DeviceStatus = Literal["active", "planned", "staged", "offline", "failed", "decommissioning"]
SubjectType = Literal["device", "group"]
Mode = Literal["create", "upsert"]


class DeviceCreate(Input, frozen=True, kw_only=True):
    """A new device."""

    name: Name
    address: Address
    platform: Slug
    port: Port | None = None
    vendor: Word = ""
    model: Word = ""
    serial: Word = ""
    os_version: Word = ""
    site: Word = ""
    role: Word = ""
    tenant: Word = ""
    status: DeviceStatus = "active"
    tags: Tags = msgspec.field(default_factory=list)
    data: Custom = msgspec.field(default_factory=dict)
    max_sessions: Sessions = 2
    jump_host: JumpHost | None = None
    credential_ids: CredentialIds = msgspec.field(default_factory=list)


class DeviceUpdate(Input, frozen=True, kw_only=True):
    """A change of a device: what is left out stays; ``credential_ids`` replaces the ones assigned to it."""

    name: Name | UnsetType = UNSET
    address: Address | UnsetType = UNSET
    platform: Slug | UnsetType = UNSET
    port: Port | UnsetType | None = UNSET
    vendor: Word | UnsetType = UNSET
    model: Word | UnsetType = UNSET
    serial: Word | UnsetType = UNSET
    os_version: Word | UnsetType = UNSET
    site: Word | UnsetType = UNSET
    role: Word | UnsetType = UNSET
    tenant: Word | UnsetType = UNSET
    status: DeviceStatus | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    data: Custom | UnsetType = UNSET
    max_sessions: Sessions | UnsetType = UNSET
    jump_host: JumpHost | UnsetType | None = UNSET
    credential_ids: CredentialIds | UnsetType = UNSET


class GroupReference(Output, frozen=True, kw_only=True):
    """A group that a device is in."""

    id: UUID
    name: str


class DeviceRead(Output, frozen=True, kw_only=True):
    """A device."""

    id: UUID
    name: str
    address: str
    platform: str
    port: int | None
    vendor: str
    model: str
    serial: str
    os_version: str
    site: str
    role: str
    tenant: str
    status: str
    tags: list[str]
    data: dict[str, Any]
    max_sessions: int
    jump_host: UUID | None
    groups: list[GroupReference]
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class DeviceBatch(Input, frozen=True, kw_only=True):
    """Many devices at once; in ``upsert`` a known name is changed, and what its entry leaves out stays."""

    devices: Annotated[list[dict[str, Any]], Meta(description="Entries like the body of POST /inventory/v1/devices.")]
    mode: Mode = "create"
    atomic: Annotated[bool, Meta(description="Apply all entries or none; else the good ones are applied.")] = False


class RowFault(Output, frozen=True, kw_only=True):
    """What is wrong with one field of one entry; ``line`` is there for CSV."""

    index: int
    field: str
    message: str
    line: int | UnsetType = UNSET


class BatchResult(Output, frozen=True, kw_only=True):
    """What became of many devices."""

    created: int
    updated: int
    errors: list[RowFault]


class GroupCreate(Input, frozen=True, kw_only=True):
    """A new group."""

    name: GroupName
    description: Annotated[str, Meta(max_length=4000)] = ""
    members: Members = msgspec.field(default_factory=list)


class GroupUpdate(Input, frozen=True, kw_only=True):
    """A change of a group; what is left out stays."""

    name: GroupName | UnsetType = UNSET
    description: Annotated[str, Meta(max_length=4000)] | UnsetType = UNSET


class MembersReplace(Input, frozen=True, kw_only=True):
    """All the members that a group is to have."""

    members: Members


class MembersChange(Input, frozen=True, kw_only=True):
    """Members that a group gains and loses."""

    add: Members = msgspec.field(default_factory=list)
    remove: Members = msgspec.field(default_factory=list)


class GroupRead(Output, frozen=True, kw_only=True):
    """A group and how many devices are in it."""

    id: UUID
    name: str
    description: str
    device_count: int
    created_at: datetime
    updated_at: datetime


class AssignmentCreate(Input, frozen=True, kw_only=True):
    """A credential that is to serve a device or the members of a group."""

    credential_id: UUID
    subject_type: SubjectType
    subject_id: UUID
    priority: Priority = DEFAULT_PRIORITY


class AssignmentUpdate(Input, frozen=True, kw_only=True):
    """A change of an assignment."""

    priority: Priority


class AssignmentRead(Output, frozen=True, kw_only=True):
    """A credential that serves a device or the members of a group."""

    id: UUID
    credential_id: UUID
    credential_name: str
    subject_type: SubjectType
    subject_id: UUID
    subject_name: str
    priority: int
    created_at: datetime


class PlatformRead(Output, frozen=True, kw_only=True):
    """A platform, and what the libraries that talk to it call it."""

    slug: str
    label: str
    netmiko: str
    napalm: str | None
    ntc_templates: str | None
    hier_config: str | None
    port: int


class TargetsPreviewRequest(Input, frozen=True, kw_only=True):
    """Targets whose devices are to be counted."""

    targets: Annotated[
        dict[str, Any],
        Meta(description="One of devices, group, any_of, all_of, except, as in the start of a workflow."),
    ]


class TargetRead(Output, frozen=True, kw_only=True):
    """A device among targets."""

    id: UUID
    name: str
    address: str
    platform: str
    site: str
    role: str
    groups: list[str]


class TargetsPreview(Output, frozen=True, kw_only=True):
    """Who would be touched: how many, of what kinds, and the first page of them."""

    count: int
    by_site: dict[str, int]
    by_platform: dict[str, int]
    by_role: dict[str, int]
    devices: list[TargetRead]


@dataclass(frozen=True, kw_only=True)
class DeviceFilter:
    """Which devices a list is to hold; what is None does not matter. ``group`` is an id or a name."""

    name: str | None = None
    q: str | None = None
    address: str | None = None
    platform: str | None = None
    site: str | None = None
    role: str | None = None
    tenant: str | None = None
    serial: str | None = None
    status: DeviceStatus | None = None
    tag: str | None = None
    group: str | None = None
    deleted: bool = False


@dataclass(frozen=True, kw_only=True)
class AssignmentFilter:
    """Which assignments a list is to hold; what is None does not matter."""

    credential_id: UUID | None = None
    device_id: UUID | None = None
    group_id: UUID | None = None


class HostKeyRead(Output, frozen=True, kw_only=True):
    """A host key that a device is known by; ``last_seen`` is right to the day, and null where no login saw it yet."""

    id: UUID
    key_type: str
    fingerprint: str
    public_key: str
    address: str
    port: int
    accepted_by: str | None
    first_seen: datetime
    last_seen: datetime | None


class HostKeyAccept(Input, frozen=True, kw_only=True):
    """A host key to take a device by, as ssh-keyscan or known_hosts show it."""

    public_key: Annotated[
        str, Meta(min_length=20, max_length=8000, description="Kind and key in base64: `ssh-ed25519 AAAA…`.")
    ]
    replace: Annotated[bool, Meta(description="Forget the keys that it was known by before.")] = False
