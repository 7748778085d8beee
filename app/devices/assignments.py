"""Credential assignments: which credentials serve a device or a group, and in which order they are tried."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from piccolo.custom_types import Combinable

from app.core import database
from app.core.access import Principal
from app.core.clock import uuid7
from app.core.errors import AppError, ConflictError, NotFoundError, ValidationError
from app.core.matching import every
from app.core.paging import Ordering, Page, PageRequest, read_page
from app.credentials import service as credentials
from app.credentials.references import Reference, finds_references
from app.devices.schemas import AssignmentCreate, AssignmentFilter, AssignmentRead, AssignmentUpdate
from app.devices.tables import Assignment
from app.system import service as audit

ASSIGN = "credentials.credential.use"
STEP = 10
MOST_RECORDED = 100
ORDERING = Ordering(
    columns={"created_at": Assignment.created_at, "priority": Assignment.priority},
    key=Assignment.id,
    default="created_at",
)
_LIVING = {
    "device": "SELECT id, name FROM devices WHERE id = ANY($1) AND deleted_at IS NULL",
    "group": "SELECT id, name FROM device_groups WHERE id = ANY($1)",
}


async def list_assignments(filters: AssignmentFilter, request: PageRequest) -> Page[dict[str, Any]]:
    """Return a page of assignments, without those of deleted devices."""
    page = await read_page(Assignment, request, ORDERING, _where(filters))
    named = await _named(page.items)
    return page.map(lambda row: named[row["id"]])


async def get_assignment(assignment_id: UUID) -> AssignmentRead:
    """Return an assignment; raises NotFoundError."""
    row = await _find(assignment_id)
    return AssignmentRead.of((await _named([row]))[assignment_id])


async def create_assignment(given: AssignmentCreate, actor: Principal) -> AssignmentRead:
    """Let a credential serve a device or a group; raises ValidationError, and ConflictError where it does already."""
    assignment_id = uuid7()
    with database.violations(**_refusals(given.subject_type)):
        async with database.transaction():
            await Assignment.insert(
                Assignment(
                    id=assignment_id,
                    credential=given.credential_id,
                    priority=given.priority,
                    device=given.subject_id if given.subject_type == "device" else None,
                    group=given.subject_id if given.subject_type == "group" else None,
                )
            )
            await _require_living(given.subject_type, given.subject_id)
            await require_credentials([given.credential_id], "credential_id")
            await _record("assign", given.credential_id, {given.subject_type: given.subject_id}, actor)
            return await get_assignment(assignment_id)


async def update_assignment(assignment_id: UUID, given: AssignmentUpdate, actor: Principal) -> AssignmentRead:
    """Change when a credential is tried; raises NotFoundError."""
    async with database.transaction():
        row = await _find(assignment_id)
        await Assignment.update({Assignment.priority: given.priority}).where(Assignment.id == assignment_id)
        await _record("reassign", row["credential"], _subject(row), actor)
        return await get_assignment(assignment_id)


async def delete_assignment(assignment_id: UUID, actor: Principal) -> None:
    """Take a credential from a device or a group; raises NotFoundError."""
    async with database.transaction():
        row = await _find(assignment_id)
        await Assignment.delete().where(Assignment.id == assignment_id)
        await _record("unassign", row["credential"], _subject(row), actor)


async def assign_to_devices(wanted: Mapping[UUID, Sequence[UUID]], actor: Principal) -> None:
    """Give devices these credentials in place of those they have, the first of each to be tried first.

    Belongs into the caller's transaction; the caller has checked that the credentials exist.
    """
    actor.require(ASSIGN)
    rows = [
        (uuid7(), credential, device, (place + 1) * STEP)
        for device, assigned in wanted.items()
        for place, credential in enumerate(dict.fromkeys(assigned))
    ]
    await database.execute("DELETE FROM credential_assignments WHERE device = ANY($1)", list(wanted))
    await database.execute_many(
        "INSERT INTO credential_assignments (id, credential, device, priority, created_at) "
        "VALUES ($1, $2, $3, $4, now())",
        rows,
    )
    for credential in {row[1] for row in rows}:
        served = [str(device) for device, assigned in wanted.items() if credential in assigned]
        await _record("assign", credential, {"devices": served[:MOST_RECORDED], "count": len(served)}, actor)


async def require_credentials(credential_ids: Iterable[UUID], field: str) -> None:
    """Raise ValidationError naming those of the ids that no living credential bears."""
    wanted = set(credential_ids)
    unknown = wanted - (await credentials.names_of(wanted)).keys() if wanted else set()
    if unknown:
        raise ValidationError.of(field, f"there is no credential {', '.join(sorted(map(str, unknown)))}")


async def require_unassigned(group_id: UUID) -> None:
    """Raise ConflictError naming the credentials that are assigned to a group."""
    rows = await database.fetch('SELECT credential FROM credential_assignments WHERE "group" = $1', group_id)
    names = await credentials.names_of(row["credential"] for row in rows)
    if names:
        references = [Reference(type="credential", id=str(one), name=name) for one, name in names.items()]
        raise ConflictError(
            f"Credentials are assigned to this group: {', '.join(sorted(names.values()))}. Unassign them first.",
            code="GROUP_IN_USE",
            details={"references": references},
        )
    await database.execute('DELETE FROM credential_assignments WHERE "group" = $1', group_id)


async def candidates(device_ids: Collection[UUID]) -> dict[UUID, list[UUID]]:
    """Return the credentials assigned to each device by priority, then those of its groups by priority."""
    rows = await database.fetch(
        "SELECT device, credential FROM ("
        "  SELECT device, credential, 0 AS distance, priority, created_at, id FROM credential_assignments"
        "  WHERE device = ANY($1)"
        "  UNION ALL"
        "  SELECT m.device, a.credential, 1, a.priority, a.created_at, a.id FROM credential_assignments a"
        '  JOIN device_group_members m ON m."group" = a."group" WHERE m.device = ANY($1)'
        ") AS assigned ORDER BY device, distance, priority, created_at, id",
        list(device_ids),
    )
    found: dict[UUID, list[UUID]] = {}
    for row in rows:
        assigned = found.setdefault(row["device"], [])
        if row["credential"] not in assigned:
            assigned.append(row["credential"])
    return found


@finds_references
async def find_references(credential_id: UUID) -> list[Reference]:
    """Return the living devices and the groups that a credential is assigned to."""
    rows = await database.fetch(
        "SELECT 'device' AS type, d.id::text AS id, d.name FROM credential_assignments a"
        " JOIN devices d ON d.id = a.device AND d.deleted_at IS NULL WHERE a.credential = $1"
        " UNION ALL SELECT 'group', g.id::text, g.name FROM credential_assignments a"
        ' JOIN device_groups g ON g.id = a."group" WHERE a.credential = $1 ORDER BY 1, 3',
        credential_id,
    )
    return [Reference(type=row["type"], id=row["id"], name=row["name"]) for row in rows]


async def _find(assignment_id: UUID) -> dict[str, Any]:
    row: dict[str, Any] | None = await Assignment.select().where(Assignment.id == assignment_id).first()
    if row is None:
        raise NotFoundError(f"There is no assignment {assignment_id}.", code="ASSIGNMENT_NOT_FOUND")
    return row


async def _named(rows: Sequence[Mapping[str, Any]]) -> dict[UUID, dict[str, Any]]:
    """Return assignments as they are shown, with the names of what they join."""
    credential_names = await credentials.names_of(row["credential"] for row in rows)
    names = {
        kind: {row["id"]: row["name"] for row in await database.fetch(sql, [row[kind] for row in rows if row[kind]])}
        for kind, sql in _LIVING.items()
    }
    named = {}
    for row in rows:
        ((kind, subject_id),) = _subject(row).items()
        named[row["id"]] = {
            **row,
            "credential_id": row["credential"],
            "credential_name": credential_names.get(row["credential"], ""),
            "subject_type": kind,
            "subject_id": subject_id,
            "subject_name": names[kind].get(subject_id, ""),
        }
    return named


def _subject(row: Mapping[str, Any]) -> dict[str, UUID]:
    return {kind: row[kind] for kind in _LIVING if row[kind] is not None}


def _where(filters: AssignmentFilter) -> Combinable:
    conditions: list[Combinable] = [Assignment.device.deleted_at.is_null()]
    conditions += [
        column == value
        for column, value in (
            (Assignment.credential, filters.credential_id),
            (Assignment.device, filters.device_id),
            (Assignment.group, filters.group_id),
        )
        if value is not None
    ]
    return every(conditions)


async def _require_living(subject_type: str, subject_id: UUID) -> None:
    if not await database.fetch(_LIVING[subject_type], [subject_id]):
        raise _no_subject(subject_type)


def _refusals(subject_type: str) -> dict[str, AppError]:
    twice = ConflictError(
        f"This credential is assigned to this {subject_type} already. Change that assignment's priority instead.",
        code="ASSIGNMENT_EXISTS",
    )
    return {
        "credential_assignments_device_uq": twice,
        "credential_assignments_group_uq": twice,
        "credential_assignments_device_fkey": _no_subject(subject_type),
        "credential_assignments_group_fkey": _no_subject(subject_type),
        "credential_assignments_credential_fkey": ValidationError.of("credential_id", "there is no such credential"),
    }


def _no_subject(subject_type: str) -> ValidationError:
    return ValidationError.of("subject_id", f"there is no such {subject_type}")


async def _record(verb: str, credential_id: UUID, subject: Mapping[str, Any], actor: Principal) -> None:
    await audit.record(
        f"credentials.credential.{verb}",
        actor,
        subject_type="credential",
        subject_id=credential_id,
        details={kind: str(value) if isinstance(value, UUID) else value for kind, value in subject.items()},
    )
