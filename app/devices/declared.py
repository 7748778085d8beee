"""What nodes may read and change of the inventory: the rules are those of its API, and so are the permissions."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from app.core import database
from app.core.access import Principal
from app.core.declarations import Changes, DeclaredTable, OnConflict, Values, Written
from app.core.errors import Fault, ValidationError
from app.devices import batch
from app.devices.batch_rows import read_entries
from app.devices.rules import device_faults
from app.devices.schemas import DeviceUpdate
from app.devices.tables import Device, Group

SHOWN = 5
CHANGEABLE = frozenset(
    {"address", "platform", "port", "vendor", "model", "serial", "os_version", "site", "role", "tenant", "status",
     "tags", "data"}
)  # fmt: skip
"""Not its name, by which it is known, nor what opens sessions: credentials and how many of them there may be."""


async def insert_devices(rows: Sequence[Values], on_conflict: OnConflict, actor: Principal) -> Written:
    """Create devices, all or none; a known name is an error, left alone, or changed."""
    actor.require("devices.device.create")
    if on_conflict == "update":
        actor.require("devices.device.edit")
    known = await _ids_of(row.get("name") for row in rows)
    wanted = [row for row in rows if on_conflict != "ignore" or row.get("name") not in known]
    entries = read_entries(wanted)
    _refuse([(row.index, fault) for row in entries for fault in row.faults])
    try:
        await batch.apply_batch(entries, "upsert" if on_conflict == "update" else "create", actor, atomic=True)
    except ValidationError as error:
        raise _explained(error) from error
    ids = await _ids_of(row["name"] for row in wanted)
    return Written(
        inserted=[found for name, found in ids.items() if name not in known],
        updated=[found for name, found in ids.items() if name in known],
        skipped=len(rows) - len(wanted),
    )


async def change_devices(changes: Mapping[UUID, Values], actor: Principal) -> None:
    """Set fields of devices, all or none."""
    actor.require("devices.device.edit")
    _refuse([(index, fault) for index, values in enumerate(changes.values()) for fault in _faults(values)])
    await batch.change_devices(changes, actor)


async def delete_devices(ids: Sequence[UUID], actor: Principal) -> None:
    """Delete devices so that they can be restored."""
    actor.require("devices.device.delete")
    await batch.delete_devices(ids, actor)


def _faults(values: Values) -> Iterator[Fault]:
    """Yield what is wrong with the fields of a change."""
    for name, value in values.items():
        try:
            msgspec.convert({name: value}, DeviceUpdate)
        except msgspec.ValidationError as error:
            yield Fault(field=name, message=str(error))
        else:
            yield from device_faults({name: value})


def _refuse(faults: Sequence[tuple[int, Fault]]) -> None:
    if faults:
        told = "; ".join(f"item {index}: {fault['field']}: {fault['message']}" for index, fault in faults[:SHOWN])
        more = f" and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise ValidationError(f"Nothing was written. {told}{more}", [fault for _, fault in faults])


def _explained(error: ValidationError) -> ValidationError:
    """Say in the message what a batch says in its details."""
    told = "; ".join(f"item {one['index']}: {one['field']}: {one['message']}" for one in error.details[:SHOWN])
    return ValidationError(f"Nothing was written. {told or error.message}", error.details)


async def _ids_of(names: Iterable[Any]) -> dict[str, UUID]:
    rows = await database.fetch(
        "SELECT living_name, id FROM devices WHERE living_name = ANY($1)",
        [name for name in names if isinstance(name, str) and "\0" not in name],
    )
    return {row["living_name"]: row["id"] for row in rows}


DEVICES = DeclaredTable(
    name="devices",
    table=Device,
    columns={
        **{
            name: getattr(Device, name)
            for name in (
                "id", "name", "address", "port", "platform", "vendor", "model", "serial", "os_version", "site", "role",
                "tenant", "status", "tags", "max_sessions", "created_at", "updated_at",
            )
        },
        "data": Device.custom,
    },
    view="devices.device.view",
    living=Device.deleted_at.is_null(),
    changes=Changes(
        key="name",
        settable=CHANGEABLE | {"name"},
        changeable=CHANGEABLE,
        insert=insert_devices,
        change=change_devices,
        remove=delete_devices,
    ),
)  # fmt: skip
GROUPS = DeclaredTable(
    name="device_groups",
    table=Group,
    columns={"id": Group.id, "name": Group.name, "description": Group.description, "created_at": Group.created_at},
    view="devices.device.view",
)
