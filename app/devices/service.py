"""Devices: create, list, read, change, delete and restore them, and hand them to the engine as host records."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from piccolo.columns import Column
from piccolo.custom_types import Combinable

from app.core import database
from app.core.access import Principal
from app.core.clock import now, uuid7
from app.core.errors import ConflictError, NotFoundError
from app.core.matching import contains, every, has_entry, read_id
from app.core.paging import Ordering, Page, PageRequest, read_page
from app.devices import jumps, news
from app.devices.assignments import assign_to_devices, require_credentials
from app.devices.rules import canonical_address, device_faults, refuse
from app.devices.schemas import (
    DeviceCreate,
    DeviceFilter,
    DeviceRead,
    DeviceUpdate,
    GroupReference,
    PlatformRead,
)
from app.devices.tables import Device, Membership
from app.system import service as audit
from inventory.platforms import PLATFORMS
from inventory.records import HostRecord

ORDERING = Ordering(
    columns={
        "name": Device.name,
        "address": Device.address,
        "platform": Device.platform,
        "site": Device.site,
        "role": Device.role,
        "status": Device.status,
        "created_at": Device.created_at,
    },
    key=Device.id,
    default="name",
)


def list_platforms() -> list[PlatformRead]:
    """Return every platform of the map."""
    return [msgspec.convert(platform, PlatformRead, from_attributes=True) for platform in PLATFORMS.values()]


async def list_devices(filters: DeviceFilter, request: PageRequest) -> Page[dict[str, Any]]:
    """Return a page of the devices that a filter lets through."""
    page = await read_page(Device, request, ORDERING, _where(filters))
    groups = await _groups_of(row["id"] for row in page.items)
    return page.map(lambda row: _shown(row, groups))


async def get_device(device_id: UUID) -> DeviceRead:
    """Return a device, also a deleted one; raises NotFoundError."""
    row = await find_device(device_id, deleted=None)
    return DeviceRead.of(_shown(row, await _groups_of([device_id])))


async def create_device(given: DeviceCreate, actor: Principal) -> DeviceRead:
    """Store a device and assign its credentials; raises ValidationError, ConflictError for a taken name."""
    values = given.given()
    refuse(device_faults(values))
    credential_ids = values.pop("credential_ids")
    device_id = uuid7()
    with name_taken(given.name):
        async with database.transaction():
            await jumps.require_living(given.jump_host)
            await Device.insert(Device(id=device_id, **columns_of(values)))
            await jumps.check_ways({device_id: given.jump_host})
            if credential_ids:
                await _assign(device_id, credential_ids, actor)
            await record("create", actor, device_id, name=given.name)
            await news.publish_devices(news.CREATED, {device_id: ()})
            return await get_device(device_id)


async def update_device(device_id: UUID, given: DeviceUpdate, actor: Principal) -> DeviceRead:
    """Change what was sent and leave the rest; raises ValidationError, ConflictError for a taken name."""
    values = given.given()
    refuse(device_faults(values))
    changed = sorted(values)
    credential_ids = values.pop("credential_ids", None)
    with name_taken(str(values.get("name"))):
        async with database.transaction():
            row = await find_device(device_id, lock=True)
            columns: dict[Column | str, Any] = dict(columns_of({**values, "updated_at": now()}).items())
            await jumps.require_living(values.get("jump_host"))
            await Device.update(columns).where(Device.id == device_id)
            await jumps.check_ways({device_id: values.get("jump_host")})
            if credential_ids is not None:
                await _assign(device_id, credential_ids, actor)
            await record("update", actor, device_id, name=row["name"], changed=changed)
            if changed:
                await news.publish_devices(news.CHANGED, {device_id: changed})
            return await get_device(device_id)


async def delete_device(device_id: UUID, actor: Principal) -> DeviceRead:
    """Delete a device so that it can be restored, with its groups and credentials; raises NotFoundError."""
    async with database.transaction():
        row = await find_device(device_id, lock=True)
        await jumps.require_nobody_behind([device_id])
        await Device.update({Device.deleted_at: now(), Device.living_name: None}).where(Device.id == device_id)
        await record("delete", actor, device_id, name=row["name"])
        await news.publish_devices(news.DELETED, {device_id: ()})
        return await get_device(device_id)


async def restore_device(device_id: UUID, actor: Principal) -> DeviceRead:
    """Bring a deleted device back; raises NotFoundError, ConflictError when its name was taken meanwhile."""
    async with database.transaction():
        row = await find_device(device_id, deleted=True, lock=True)
        with name_taken(row["name"]):
            await Device.update({Device.deleted_at: None, Device.living_name: row["name"]}).where(
                Device.id == device_id
            )
        await record("restore", actor, device_id, name=row["name"])
        await news.publish_devices(news.CREATED, {device_id: ()})
        return await get_device(device_id)


async def host_records(ids: Sequence[UUID]) -> list[HostRecord]:
    """Return the living devices of these ids as the engine's records, by name; ``key`` is the device's id."""
    rows = await database.fetch(f"{_WITH_GROUPS} AND d.deleted_at IS NULL ORDER BY d.name, d.id", list(ids))
    ways = await jumps.load_ways(rows, _WITH_GROUPS)
    return [_host_record(row, ways) for row in rows]


async def find_device(device_id: UUID, *, deleted: bool | None = False, lock: bool = False) -> dict[str, Any]:
    """Read a device's row; ``deleted`` None takes it either way. Raises NotFoundError."""
    query = Device.select().where(Device.id == device_id).output(load_json=True).first()
    row: dict[str, Any] | None = await (query.lock_rows() if lock else query)
    if row is None or (deleted is not None and (row["deleted_at"] is not None) != deleted):
        kind = "deleted device" if deleted else "device"
        raise NotFoundError(f"There is no {kind} {device_id}.", code="DEVICE_NOT_FOUND")
    return row


async def find_ids(references: Sequence[str]) -> dict[str, UUID]:
    """Return the ids of those references, ids or names, that living devices answer to."""
    by_id = {reference: read for reference in references if (read := read_id(reference)) is not None}
    by_name = [reference for reference in references if reference not in by_id]
    rows = await database.fetch(
        "SELECT id, living_name FROM devices WHERE deleted_at IS NULL AND (id = ANY($1) OR living_name = ANY($2))",
        list(by_id.values()),
        by_name,
    )
    names = {row["living_name"]: row["id"] for row in rows}
    living = set(names.values())
    return {
        **{reference: read for reference, read in by_id.items() if read in living},
        **{name: names[name] for name in by_name if name in names},
    }


def columns_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn fields of the API into columns, as they are stored."""
    columns = {_COLUMNS.get(name, name): value for name, value in values.items()}
    if "name" in columns:
        columns["living_name"] = columns["name"]
    if "address" in columns:
        columns["address"] = canonical_address(columns["address"])
    if "tags" in columns:
        columns["tags"] = msgspec.json.encode(list(dict.fromkeys(columns["tags"]))).decode()
    if "custom" in columns:
        columns["custom"] = msgspec.json.encode(columns["custom"]).decode()
    return columns


async def record(verb: str, actor: Principal, device_id: UUID | str, **details: Any) -> None:
    """Put an act on a device on record."""
    await audit.record(f"devices.device.{verb}", actor, subject_type="device", subject_id=device_id, details=details)


def name_taken(name: str) -> Any:
    """Translate the violation of a device's unique name."""
    return database.violations(
        devices_living_name_key=ConflictError(
            f"There is a device named {name} already. Choose another name, or change that one.", code="DEVICE_EXISTS"
        )
    )


_COLUMNS = {"data": "custom"}


async def _assign(device_id: UUID, credential_ids: Sequence[UUID], actor: Principal) -> None:
    await require_credentials(credential_ids, "credential_ids")
    await assign_to_devices({device_id: credential_ids}, actor)


def _shown(row: Mapping[str, Any], groups: Mapping[UUID, list[GroupReference]]) -> dict[str, Any]:
    return {**row, "data": row["custom"], "groups": groups.get(row["id"], [])}


async def _groups_of(device_ids: Iterable[UUID]) -> dict[UUID, list[GroupReference]]:
    rows = await database.fetch(
        'SELECT m.device, g.id, g.name FROM device_group_members m JOIN device_groups g ON g.id = m."group" '
        "WHERE m.device = ANY($1) ORDER BY g.name",
        list(device_ids),
    )
    groups: dict[UUID, list[GroupReference]] = {}
    for row in rows:
        groups.setdefault(row["device"], []).append(GroupReference(id=row["id"], name=row["name"]))
    return groups


def _where(filters: DeviceFilter) -> Combinable:
    conditions: list[Combinable] = [Device.deleted_at.is_not_null() if filters.deleted else Device.deleted_at.is_null()]
    conditions += [
        column == value
        for column, value in (
            (Device.name, filters.name),
            (Device.platform, filters.platform),
            (Device.site, filters.site),
            (Device.role, filters.role),
            (Device.tenant, filters.tenant),
            (Device.serial, filters.serial),
            (Device.status, filters.status),
        )
        if value is not None
    ]
    if filters.address is not None:
        conditions.append(Device.address == canonical_address(filters.address))
    if filters.q:
        conditions.append(contains((Device.name, Device.address, Device.serial), filters.q))
    if filters.tag is not None:
        conditions.append(has_entry(Device.tags, filters.tag))
    if filters.group is not None:
        conditions.append(_in_group(filters.group))
    return every(conditions)


def _in_group(reference: str) -> Combinable:
    group_id = read_id(reference)
    wanted = Membership.group.name == reference if group_id is None else Membership.group == group_id
    return Device.id.is_in(Membership.select(Membership.device).where(wanted))


def _host_record(row: Mapping[str, Any], ways: Mapping[UUID, Mapping[str, Any]], hops: int = 0) -> HostRecord:
    before = ways.get(row["jump_host"]) if hops <= jumps.MOST_HOPS else None
    return HostRecord(
        key=str(row["id"]),
        id=str(row["id"]),
        tags=tuple(msgspec.json.decode(row["tags"])),
        custom=msgspec.json.decode(row["custom"]),
        groups=tuple(row["groups"]),
        jump=_host_record(before, ways, hops + 1) if before is not None else None,
        **{name: row[name] for name in _RECORDED},
    )


_WITH_GROUPS = (
    "SELECT d.*, ARRAY(SELECT g.name FROM device_group_members m"
    ' JOIN device_groups g ON g.id = m."group" WHERE m.device = d.id ORDER BY g.name) AS groups '
    "FROM devices d WHERE d.id = ANY($1)"
)
_RECORDED = (
    "name", "address", "platform", "port", "vendor", "model", "serial", "os_version", "site", "role", "tenant",
    "status", "max_sessions",
)  # fmt: skip
