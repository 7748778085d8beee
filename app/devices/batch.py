"""Many devices at once: created or changed with a few statements, the wrong entries told one by one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from app.core import database
from app.core.access import Principal
from app.core.clock import uuid7
from app.core.errors import Fault, ValidationError
from app.credentials import service as credentials
from app.devices import jumps, news
from app.devices.assignments import ASSIGN, assign_to_devices
from app.devices.batch_rows import Row
from app.devices.schemas import BatchResult, Mode, RowFault
from app.devices.service import columns_of, record

_TYPES: Mapping[str, str] = {
    "name": "text",
    "living_name": "text",
    "address": "text",
    "platform": "text",
    "port": "integer",
    "vendor": "text",
    "model": "text",
    "serial": "text",
    "os_version": "text",
    "site": "text",
    "role": "text",
    "tenant": "text",
    "status": "text",
    "tags": "jsonb",
    "custom": "jsonb",
    "max_sessions": "integer",
    "jump_host": "uuid",
}
"""The columns an entry fills, and what their text is cast to."""

_VALUES = ", ".join(f"(entry->>'{name}')::{kind}" for name, kind in _TYPES.items())
_INSERT = (
    f"INSERT INTO devices (id, {', '.join(_TYPES)}, created_at, updated_at) "  # noqa: S608 — the columns are ours
    f"SELECT (entry->>'id')::uuid, {_VALUES}, now(), now() FROM jsonb_array_elements($1::jsonb) AS entry "
    "ON CONFLICT (living_name) DO NOTHING RETURNING id"
)
_CHANGES = ", ".join(
    f"{name} = CASE WHEN entry ? '{name}' THEN (entry->>'{name}')::{kind} ELSE devices.{name} END"
    for name, kind in _TYPES.items()
)
_UPDATE = (
    f"UPDATE devices SET {_CHANGES}, updated_at = now() "  # noqa: S608 — the columns are ours
    "FROM jsonb_array_elements($1::jsonb) AS entry WHERE devices.id = (entry->>'id')::uuid"
)

_DELETE = (
    "UPDATE devices SET deleted_at = now(), living_name = NULL WHERE id = ANY($1) AND deleted_at IS NULL RETURNING name"
)
NAMED = 100
"""How many of the devices that were deleted at once the audit trail names."""


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """Which good rows are new and which change a device, by the id that each has or gets."""

    new: Mapping[UUID, Row]
    known: Mapping[UUID, Row]


async def apply_batch(rows: Sequence[Row], mode: Mode, actor: Principal, *, atomic: bool = False) -> BatchResult:
    """Create or change the devices of the good rows; what is wrong with the others comes back, row by row.

    With ``atomic`` one wrong row keeps all of them out, by a ValidationError that lists the same errors.
    """
    await _check_credentials(rows, actor)
    await jumps.check_rows(rows)
    async with database.transaction():
        plan = await _plan(rows, mode)
        created = await _insert(plan.new)
        _refuse_partial(rows, atomic=atomic)
        await database.execute(_UPDATE, _encode(plan.known, only_given=True))
        applied = {**plan.known, **{device_id: plan.new[device_id] for device_id in created}}
        await jumps.check_ways(jumps.given_in(applied))
        await _assign(applied, actor)
        await record("import", actor, "", mode=mode, created=len(created), updated=len(plan.known))
        await news.publish_devices(news.CREATED, dict.fromkeys(created, ()))
        await news.publish_devices(news.CHANGED, {one: sorted(row.given) for one, row in plan.known.items()})
    return BatchResult(created=len(created), updated=len(plan.known), errors=_errors(rows))


async def change_devices(changes: Mapping[UUID, Mapping[str, Any]], actor: Principal) -> None:
    """Set columns of devices, checked already, and leave the others."""
    entries = [{"id": device_id, **columns_of(values)} for device_id, values in changes.items()]
    changed = sorted({name for values in changes.values() for name in values})
    async with database.transaction():
        await database.execute(_UPDATE, msgspec.json.encode(entries).decode())
        await record("update", actor, "", devices=len(changes), changed=changed)


async def delete_devices(ids: Sequence[UUID], actor: Principal) -> None:
    """Delete devices so that they can be restored."""
    async with database.transaction():
        await jumps.require_nobody_behind(ids)
        rows = await database.fetch(_DELETE, list(ids))
        await record("delete", actor, "", devices=len(rows), names=sorted(row["name"] for row in rows)[:NAMED])


async def _check_credentials(rows: Iterable[Row], actor: Principal) -> None:
    assigning = [row for row in rows if row.device is not None and "credential_ids" in row.given]
    if not assigning:
        return
    actor.require(ASSIGN)
    wanted = {one for row in assigning if row.device for one in row.device.credential_ids}
    unknown = wanted - (await credentials.names_of(wanted)).keys()
    for row in assigning:
        missing = unknown.intersection(row.device.credential_ids if row.device else ())
        if missing:
            told = ", ".join(sorted(map(str, missing)))
            row.faults.append(Fault(field="credential_ids", message=f"there is no credential {told}"))


async def _plan(rows: Iterable[Row], mode: Mode) -> _Plan:
    good = {row.device.name: row for row in rows if row.device is not None and not row.faults}
    found = await database.fetch(
        "SELECT id, living_name FROM devices WHERE living_name = ANY($1) ORDER BY id FOR UPDATE", list(good)
    )
    known = {one["living_name"]: one["id"] for one in found}
    if mode == "create":
        for name in known:
            good[name].faults.append(Fault(field="name", message="a device of this name is there already"))
        return _Plan(new={uuid7(): row for name, row in good.items() if name not in known}, known={})
    return _Plan(
        new={uuid7(): row for name, row in good.items() if name not in known},
        known={device_id: good[name] for name, device_id in known.items()},
    )


async def _insert(new: Mapping[UUID, Row]) -> set[UUID]:
    inserted = await database.fetch(_INSERT, _encode(new, only_given=False))
    created = {one["id"] for one in inserted}
    for device_id in new.keys() - created:
        fault = Fault(
            field="name", message="a device of this name was created just now by somebody else; send it again"
        )
        new[device_id].faults.append(fault)
    return created


async def _assign(applied: Mapping[UUID, Row], actor: Principal) -> None:
    wanted = {
        device_id: row.device.credential_ids
        for device_id, row in applied.items()
        if row.device is not None and "credential_ids" in row.given
    }
    if wanted:
        await assign_to_devices(wanted, actor)


def _encode(rows: Mapping[UUID, Row], *, only_given: bool) -> str:
    """Write rows as the JSON array that the statements read; of a change only what was given."""
    entries = []
    for device_id, row in rows.items():
        values: dict[str, Any] = {} if row.device is None else row.device.given()
        if only_given:
            values = {name: value for name, value in values.items() if name in row.given}
        values.pop("credential_ids", None)
        entries.append({"id": device_id, **columns_of(values)})
    return msgspec.json.encode(entries).decode()


def _refuse_partial(rows: Sequence[Row], *, atomic: bool) -> None:
    errors = _errors(rows)
    if atomic and errors:
        wrong = len({error.index for error in errors})
        raise ValidationError(
            f"{wrong} of {len(rows)} entries are wrong, so none was applied. "
            "Mend them, or send atomic: false to have the good ones applied.",
            [msgspec.to_builtins(error) for error in errors],
        )


def _errors(rows: Iterable[Row]) -> list[RowFault]:
    return [error for row in rows for error in row.errors()]
