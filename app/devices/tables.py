"""Devices, groups and their members, and the credentials assigned to either."""

from typing import Any

from piccolo.columns import JSONB, UUID, ForeignKey, Integer, OnDelete, Text, Timestamptz, Varchar
from piccolo.columns.indexes import IndexMethod
from piccolo.columns.reference import LazyTableReference
from piccolo.constraints import Check, Unique
from piccolo.table import Table

from app.core.clock import now, uuid7


class Device(Table, tablename="devices"):
    """A device that nodes can run against; ``living_name`` is its name until it is deleted."""

    id = UUID(primary_key=True, default=uuid7)
    name = Varchar(length=255, index=True)
    living_name = Varchar(length=255, null=True, default=None, unique=True)
    address = Varchar(length=255, index=True)
    port = Integer(null=True, default=None)
    platform = Varchar(length=64, index=True)
    vendor = Varchar(length=128, default="")
    model = Varchar(length=128, default="")
    serial = Varchar(length=128, default="", index=True)
    os_version = Varchar(length=128, default="")
    site = Varchar(length=128, default="", index=True)
    role = Varchar(length=128, default="", index=True)
    tenant = Varchar(length=128, default="", index=True)
    status = Varchar(length=32, default="active", index=True)
    tags = JSONB(default="[]", index=True, index_method=IndexMethod.gin)
    custom = JSONB(default="{}")
    max_sessions = Integer(default=2)
    jump_host: ForeignKey[Any] = ForeignKey(references="self", on_delete=OnDelete.set_null, index=True)
    created_at = Timestamptz(default=now, index=True)
    updated_at = Timestamptz(default=now)
    deleted_at = Timestamptz(null=True, default=None, index=True)
    devices_port_ck = Check("port BETWEEN 1 AND 65535")
    devices_max_sessions_ck = Check("max_sessions BETWEEN 1 AND 16")


class Group(Table, tablename="device_groups"):
    """A named set of devices."""

    id = UUID(primary_key=True, default=uuid7)
    name = Varchar(length=150, unique=True)
    description = Text(default="")
    created_at = Timestamptz(default=now, index=True)
    updated_at = Timestamptz(default=now)


class Membership(Table, tablename="device_group_members"):
    """A device in a group."""

    id = UUID(primary_key=True, default=uuid7)
    group = ForeignKey(references=Group, on_delete=OnDelete.cascade, null=False, index=True)
    device = ForeignKey(references=Device, on_delete=OnDelete.cascade, null=False, index=True)
    device_group_members_uq = Unique(["group", "device"])


class Assignment(Table, tablename="credential_assignments"):
    """A credential that serves a device or a group; lower priority numbers are tried first."""

    id = UUID(primary_key=True, default=uuid7)
    credential: ForeignKey[Any] = ForeignKey(
        references=LazyTableReference("Credential", app_name="opsconductor"),
        on_delete=OnDelete.cascade,
        null=False,
        index=True,
    )
    device = ForeignKey(references=Device, on_delete=OnDelete.cascade, index=True)
    group = ForeignKey(references=Group, on_delete=OnDelete.restrict, index=True)
    priority = Integer(default=100, index=True)
    created_at = Timestamptz(default=now, index=True)
    credential_assignments_device_uq = Unique(["credential", "device"])
    credential_assignments_group_uq = Unique(["credential", "group"])
    credential_assignments_subject_ck = Check('num_nonnulls(device, "group") = 1')


class HostKey(Table, tablename="device_host_keys"):
    """A key that a device is known by; ``address`` and ``port`` are where it was seen first."""

    id = UUID(primary_key=True, default=uuid7)
    device = ForeignKey(references=Device, on_delete=OnDelete.cascade, null=False, index=True)
    address = Varchar(length=255)
    port = Integer()
    key_type = Varchar(length=64)
    fingerprint = Varchar(length=64)
    public_key = Text()
    accepted_by = Varchar(length=150, default="", help_text="Nobody: it was the first one seen.")
    first_seen = Timestamptz(default=now)
    last_seen = Timestamptz(null=True, default=None)
    device_host_keys_uq = Unique(["device", "fingerprint"])
