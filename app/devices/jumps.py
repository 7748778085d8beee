"""Jump hosts: which devices are reached through which others, without circles and without end."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from app.core import database
from app.core.errors import ConflictError, Fault, ValidationError
from app.devices.batch_rows import Row

MOST_HOPS = 3
_LOCK = 0x6A756D70
"""Taken while ways are checked, so that two changes at once cannot make a circle."""
_TOO_LONG = (
    "WITH RECURSIVE behind AS ("
    "  SELECT id, 0 AS level FROM devices WHERE id = ANY($1)"
    "  UNION SELECT d.id, level + 1 FROM behind JOIN devices d ON d.jump_host = behind.id WHERE level < $2"
    "), way AS ("
    "  SELECT d.id AS start, d.name, d.jump_host, 1 AS hops FROM devices d JOIN behind ON behind.id = d.id"
    "  WHERE d.jump_host IS NOT NULL"
    "  UNION SELECT way.start, way.name, d.jump_host, hops + 1 FROM way JOIN devices d ON d.id = way.jump_host"
    "  WHERE d.jump_host IS NOT NULL AND hops <= $2"
    ") SELECT DISTINCT start, name FROM way WHERE hops > $2 ORDER BY name LIMIT 5"
)


async def check_ways(changed: Mapping[UUID, UUID | None]) -> None:
    """Look at the ways of devices whose jump host was set just now, in the caller's transaction.

    Raises ValidationError for a circle, and for a way of too many hops.
    """
    if all(jump is None for jump in changed.values()):
        return
    await database.fetch("SELECT pg_advisory_xact_lock($1)", _LOCK)
    rows = await database.fetch(_TOO_LONG, list(changed), MOST_HOPS)
    if rows:
        named = ", ".join(row["name"] for row in rows)
        message = f"{named} would be behind more than {MOST_HOPS} jump hosts, or in a circle of them"
        raise ValidationError.of("jump_host", message)


async def require_living(jump_host: UUID | None) -> None:
    """Raise ValidationError unless a jump host, if one is chosen, is a living device."""
    if jump_host is not None and await unknown_hosts([jump_host]):
        raise ValidationError.of("jump_host", f"there is no device {jump_host}")


async def check_rows(rows: Sequence[Row]) -> None:
    """Note for each entry of a batch whose jump host is no living device that it is none."""
    wanted = {row.device.jump_host for row in rows if row.device is not None and row.device.jump_host is not None}
    unknown = await unknown_hosts(wanted) if wanted else set()
    for row in rows:
        if row.device is not None and row.device.jump_host in unknown:
            row.faults.append(Fault(field="jump_host", message=f"there is no device {row.device.jump_host}"))


async def unknown_hosts(wanted: Iterable[UUID]) -> set[UUID]:
    """Return those of some ids that no living device has."""
    asked = set(wanted)
    rows = await database.fetch("SELECT id FROM devices WHERE id = ANY($1) AND deleted_at IS NULL", list(asked))
    return asked - {row["id"] for row in rows}


async def require_nobody_behind(ids: Sequence[UUID]) -> None:
    """Raise ConflictError while living devices, others than these, are reached through one of them."""
    rows = await database.fetch(
        "SELECT name, count(*) OVER () AS count FROM devices WHERE jump_host = ANY($1) AND deleted_at IS NULL "
        "AND id <> ALL($1) ORDER BY name LIMIT 5",
        list(ids),
    )
    if rows:
        named = ", ".join(row["name"] for row in rows)
        more = f" and {rows[0]['count'] - len(rows)} more" if rows[0]["count"] > len(rows) else ""
        raise ConflictError(
            f"{named}{more} are reached through it. Give them another jump host first, or none.",
            code="DEVICE_IS_JUMP_HOST",
        )


def given_in(rows: Mapping[UUID, Row]) -> dict[UUID, UUID | None]:
    """Return which jump hosts the entries of a batch set, by device."""
    return {
        device: row.device.jump_host
        for device, row in rows.items()
        if row.device is not None and "jump_host" in row.given
    }


async def load_ways(rows: Sequence[Mapping[str, Any]], query: str) -> dict[UUID, Mapping[str, Any]]:
    """Return the rows of the jump hosts of devices, and of those before them; ``query`` reads rows by their ids."""
    found: dict[UUID, Mapping[str, Any]] = {}
    wanted = {row["jump_host"] for row in rows if row["jump_host"] is not None}
    for _ in range(MOST_HOPS):
        if not wanted:
            break
        loaded = await database.fetch(query, list(wanted))
        found.update({row["id"]: row for row in loaded})
        wanted = {row["jump_host"] for row in loaded if row["jump_host"] is not None} - found.keys()
    return found
