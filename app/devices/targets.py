"""Targets: from what a caller names to the host records of the devices meant."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from app.core import database
from app.core.errors import Fault
from app.core.paging import DEFAULT_LIMIT
from app.devices.groups import member_ids
from app.devices.rules import refuse
from app.devices.schemas import TargetRead, TargetsPreview
from app.devices.service import find_ids, host_records
from inventory.records import HostRecord

ROOT = "targets"
MAX_DEPTH = 8
MAX_PARTS = 200
MOST_NAMED = 100

Ids = set[UUID]


async def resolve(targets: Mapping[str, Any]) -> list[HostRecord]:
    """Return the records of the devices meant, each once, by name; raises ValidationError with every fault.

    ``devices`` takes ids and names, ``group`` an id or a name; ``any_of`` and ``all_of`` take lists of targets, and
    ``except`` targets whose devices are left out of all there are.
    """
    reading = _Reading()
    ids = await reading.read(targets, ROOT, depth=0)
    refuse(reading.faults)
    return await host_records(list(ids))


async def preview(targets: Mapping[str, Any]) -> TargetsPreview:
    """Count who would be touched, by site, platform and role, and return the first page of them."""
    records = await resolve(targets)
    return TargetsPreview(
        count=len(records),
        by_site=_count(record.site for record in records),
        by_platform=_count(record.platform for record in records),
        by_role=_count(record.role for record in records),
        devices=[
            msgspec.convert(record, TargetRead, from_attributes=True, strict=False)
            for record in records[:DEFAULT_LIMIT]
        ],
    )


class _Reading:
    """One reading of targets: it goes on after a fault, so that all of them are told."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.parts = 0

    async def read(self, targets: Any, place: str, *, depth: int) -> Ids:
        self.parts += 1
        if self.parts == MAX_PARTS + 1 or (depth > MAX_DEPTH and self.parts <= MAX_PARTS):
            return self.fault(place, f"at most {MAX_PARTS} parts, nested {MAX_DEPTH} deep, are read")
        if self.parts > MAX_PARTS:
            return set()
        if not isinstance(targets, Mapping) or len(targets) != 1:
            return self.fault(place, f"must be an object with exactly one of {', '.join(_STRATEGIES)}")
        ((strategy, argument),) = targets.items()
        read = _STRATEGIES.get(strategy)
        if read is None:
            return self.fault(place, f"{strategy!r} is no way to name targets; there are {', '.join(_STRATEGIES)}")
        return await read(self, argument, f"{place}.{strategy}", depth)

    def fault(self, place: str, message: str) -> Ids:
        self.faults.append(Fault(field=place, message=message))
        return set()

    async def read_all(self, argument: Any, place: str, depth: int) -> Sequence[Ids]:
        if not isinstance(argument, list) or not argument:
            self.fault(place, "must be a list of targets, and not an empty one")
            return [set()]
        return [await self.read(part, f"{place}[{index}]", depth=depth + 1) for index, part in enumerate(argument)]


async def _devices(reading: _Reading, argument: Any, place: str, _: int) -> Ids:
    if not isinstance(argument, list) or not all(isinstance(entry, str) for entry in argument):
        return reading.fault(place, "must be a list of device ids and names")
    found = await find_ids(argument)
    unknown = [entry for entry in dict.fromkeys(argument) if entry not in found]
    if unknown:
        more = f" and {len(unknown) - MOST_NAMED} more" if len(unknown) > MOST_NAMED else ""
        reading.fault(place, f"there is no device {', '.join(unknown[:MOST_NAMED])}{more}")
    return set(found.values())


async def _group(reading: _Reading, argument: Any, place: str, _: int) -> Ids:
    members = await member_ids(argument) if isinstance(argument, str) else None
    if members is None:
        return reading.fault(place, f"there is no group {argument}")
    return members


async def _any_of(reading: _Reading, argument: Any, place: str, depth: int) -> Ids:
    return set().union(*await reading.read_all(argument, place, depth))


async def _all_of(reading: _Reading, argument: Any, place: str, depth: int) -> Ids:
    first, *others = await reading.read_all(argument, place, depth)
    return first.intersection(*others)


async def _except(reading: _Reading, argument: Any, place: str, depth: int) -> Ids:
    left_out = await reading.read(argument, place, depth=depth + 1)
    rows = await database.fetch("SELECT id FROM devices WHERE deleted_at IS NULL")
    return {row["id"] for row in rows} - left_out


def _count(values: Any) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


_STRATEGIES: Mapping[str, Callable[[_Reading, Any, str, int], Awaitable[Ids]]] = {
    "devices": _devices,
    "group": _group,
    "any_of": _any_of,
    "all_of": _all_of,
    "except": _except,
}
