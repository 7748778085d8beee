"""Groups of devices: create, list, read, change and delete them, and say who is in them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from piccolo.columns import Column
from piccolo.custom_types import Combinable

from app.core import database
from app.core.access import Principal
from app.core.clock import now, uuid7
from app.core.errors import ConflictError, NotFoundError, ValidationError
from app.core.matching import contains, every, read_id
from app.core.paging import Ordering, Page, PageRequest, read_page
from app.devices.assignments import require_unassigned
from app.devices.rules import name_fault
from app.devices.schemas import GroupCreate, GroupRead, GroupUpdate, MembersChange
from app.devices.tables import Group
from app.system import service as audit

ORDERING = Ordering(columns={"name": Group.name, "created_at": Group.created_at}, key=Group.id, default="name")


async def list_groups(name: str | None, q: str | None, request: PageRequest) -> Page[dict[str, Any]]:
    """Return a page of groups."""
    conditions: list[Combinable] = []
    if name is not None:
        conditions.append(Group.name == name)
    if q:
        conditions.append(contains((Group.name, Group.description), q))
    page = await read_page(Group, request, ORDERING, every(conditions) if conditions else None)
    counts = await _counts(row["id"] for row in page.items)
    return page.map(lambda row: {**row, "device_count": counts.get(row["id"], 0)})


async def get_group(group_id: UUID) -> GroupRead:
    """Return a group; raises NotFoundError."""
    row = await _find(group_id)
    return GroupRead.of(row, device_count=(await _counts([group_id])).get(group_id, 0))


async def create_group(given: GroupCreate, actor: Principal) -> GroupRead:
    """Store a group with its members; raises ValidationError for unknown ones, ConflictError for a taken name."""
    _check_name(given.name)
    group_id = uuid7()
    with _name_taken(given.name):
        async with database.transaction():
            await Group.insert(Group(id=group_id, name=given.name, description=given.description))
            await _add(group_id, given.members)
            await _record("create", actor, group_id, name=given.name, members=len(given.members))
            return await get_group(group_id)


async def update_group(group_id: UUID, given: GroupUpdate, actor: Principal) -> GroupRead:
    """Change a group's name or description; raises NotFoundError, ConflictError for a taken name."""
    values = given.given()
    if "name" in values:
        _check_name(values["name"])
    with _name_taken(str(values.get("name"))):
        async with database.transaction():
            row = await _find(group_id, lock=True)
            columns: dict[Column | str, Any] = {Group.updated_at: now(), **dict(values.items())}
            await Group.update(columns).where(Group.id == group_id)
            await _record("update", actor, group_id, name=row["name"], changed=sorted(values))
            return await get_group(group_id)


async def delete_group(group_id: UUID, actor: Principal) -> None:
    """Delete a group, not its devices; raises ConflictError naming credentials that are assigned to it."""
    async with database.transaction():
        row = await _find(group_id, lock=True)
        await require_unassigned(group_id)
        await Group.delete().where(Group.id == group_id)
        await _record("delete", actor, group_id, name=row["name"])


async def change_members(group_id: UUID, given: MembersChange, actor: Principal) -> GroupRead:
    """Add devices to a group and take others out; raises ValidationError naming unknown devices."""
    both = set(given.add) & set(given.remove)
    if both:
        raise ValidationError.of("remove", f"these are to be added too: {', '.join(sorted(map(str, both)))}")
    async with database.transaction():
        row = await _find(group_id, lock=True)
        await database.execute(
            'DELETE FROM device_group_members WHERE "group" = $1 AND device = ANY($2)', group_id, given.remove
        )
        await _add(group_id, given.add, field="add")
        await _record("update", actor, group_id, name=row["name"], added=len(given.add), removed=len(given.remove))
        return await get_group(group_id)


async def replace_members(group_id: UUID, members: Sequence[UUID], actor: Principal) -> GroupRead:
    """Make these devices a group's members, and no others; raises ValidationError naming unknown devices."""
    async with database.transaction():
        row = await _find(group_id, lock=True)
        await database.execute(
            'DELETE FROM device_group_members WHERE "group" = $1 AND device <> ALL($2)', group_id, list(members)
        )
        await _add(group_id, members)
        await _record("update", actor, group_id, name=row["name"], members=len(members))
        return await get_group(group_id)


async def member_ids(reference: str) -> set[UUID] | None:
    """Return the living devices in the group of an id or a name, or None where there is no such group."""
    group_id = read_id(reference)
    found = await database.fetch_one(
        f"SELECT id FROM device_groups WHERE {'name' if group_id is None else 'id'} = $1",  # noqa: S608 — our words
        reference if group_id is None else group_id,
    )
    if found is None:
        return None
    rows = await database.fetch(
        "SELECT m.device FROM device_group_members m JOIN devices d ON d.id = m.device "
        'WHERE m."group" = $1 AND d.deleted_at IS NULL',
        found["id"],
    )
    return {row["device"] for row in rows}


async def _add(group_id: UUID, members: Sequence[UUID], *, field: str = "members") -> None:
    wanted = list(dict.fromkeys(members))
    rows = await database.fetch("SELECT id FROM devices WHERE id = ANY($1) AND deleted_at IS NULL", wanted)
    unknown = set(wanted) - {row["id"] for row in rows}
    if unknown:
        raise ValidationError.of(field, f"there is no device {', '.join(sorted(map(str, unknown)))}")
    await database.execute(
        'INSERT INTO device_group_members (id, "group", device) '
        "SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) "
        'ON CONFLICT ("group", device) DO NOTHING',
        [uuid7() for _ in wanted],
        [group_id for _ in wanted],
        wanted,
    )


async def _find(group_id: UUID, *, lock: bool = False) -> dict[str, Any]:
    query = Group.select().where(Group.id == group_id).first()
    row: dict[str, Any] | None = await (query.lock_rows() if lock else query)
    if row is None:
        raise NotFoundError(f"There is no group {group_id}.", code="GROUP_NOT_FOUND")
    return row


async def _counts(group_ids: Iterable[UUID]) -> Mapping[UUID, int]:
    rows = await database.fetch(
        'SELECT m."group" AS id, count(*) AS devices FROM device_group_members m JOIN devices d ON d.id = m.device '
        'WHERE m."group" = ANY($1) AND d.deleted_at IS NULL GROUP BY 1',
        list(group_ids),
    )
    return {row["id"]: row["devices"] for row in rows}


def _check_name(name: str) -> None:
    fault = name_fault(name)
    if fault is not None:
        raise ValidationError.of("name", fault)


def _name_taken(name: str) -> Any:
    return database.violations(
        device_groups_name_key=ConflictError(
            f"There is a group named {name} already. Choose another name, or change that one.", code="GROUP_EXISTS"
        )
    )


async def _record(verb: str, actor: Principal, group_id: UUID, **details: Any) -> None:
    await audit.record(f"devices.group.{verb}", actor, subject_type="group", subject_id=group_id, details=details)
