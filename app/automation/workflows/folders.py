"""Folders of workflows: a tree of names, no deeper than a reader can follow."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from piccolo.custom_types import Combinable

from app.automation.workflows.schemas import FolderCreate, FolderRead, FolderUpdate
from app.automation.workflows.tables import ROOT, Folder, Workflow
from app.core import database
from app.core.access import Principal
from app.core.clock import now, uuid7
from app.core.errors import ConflictError, NotFoundError, ValidationError
from app.core.matching import contains, every
from app.core.paging import Ordering, Page, PageRequest, read_page
from app.system import service as audit

ORDERING = Ordering(columns={"name": Folder.name}, key=Folder.id, default="name")
MAX_DEPTH = 8
NAMED = 20
"""How many of the things in a folder a refusal names."""
SEPARATOR = "/"
_UPWARD = """
    WITH RECURSIVE up (leaf, id, name, parent, height) AS (
        SELECT id, id, name, parent, 1 FROM workflow_folders WHERE id = ANY($1)
        UNION ALL
        SELECT up.leaf, f.id, f.name, f.parent, up.height + 1 FROM up JOIN workflow_folders f ON f.id = up.parent
    )
    SELECT leaf, array_agg(name ORDER BY height DESC) AS names, array_agg(id) AS ids FROM up GROUP BY leaf
"""
_HEIGHT = """
    WITH RECURSIVE down (id, height) AS (
        SELECT id, 1 FROM workflow_folders WHERE id = $1
        UNION ALL
        SELECT f.id, down.height + 1 FROM down JOIN workflow_folders f ON f.parent = down.id
    )
    SELECT max(height) AS height FROM down
"""


async def list_folders(parent: UUID | None, q: str | None, request: PageRequest, *, at_root: bool) -> Page[FolderRead]:
    """Return one page of folders: all of them, those of one parent, or those ``at_root``."""
    conditions: list[Combinable] = []
    if at_root or parent is not None:
        conditions.append(Folder.beneath == (parent or ROOT))
    if q:
        conditions.append(contains([Folder.name], q))
    page = await read_page(Folder, request, ORDERING, every(conditions) if conditions else None)
    shown = {one.id: one for one in await _shown(page.items)}
    return page.map(lambda row: shown[row["id"]])


async def get_folder(folder_id: UUID) -> FolderRead:
    """Return a folder; raises NotFoundError."""
    (shown,) = await _shown([await _find(folder_id)])
    return shown


async def create_folder(given: FolderCreate, actor: Principal) -> FolderRead:
    """Store a folder; raises ValidationError for a parent that is none, ConflictError for a taken name."""
    with _name_taken(given.name):
        async with database.transaction():
            await _hold_tree()
            await _require_room(given.parent_id, height=1)
            return await get_folder(await _made(given.parent_id, given.name, actor))


async def update_folder(folder_id: UUID, given: FolderUpdate, actor: Principal) -> FolderRead:
    """Rename a folder or move it with all that is in it; raises NotFoundError, ValidationError, ConflictError."""
    changes = given.given()
    with _name_taken(str(changes.get("name"))):
        async with database.transaction():
            await _hold_tree()
            row = await _find(folder_id)
            parent = changes.get("parent_id", row["parent"])
            if "parent_id" in changes:
                height = await database.fetch(_HEIGHT, folder_id)
                await _require_room(parent, height=height[0]["height"], moved=folder_id)
            await Folder.update(
                {
                    Folder.name: changes.get("name", row["name"]),
                    Folder.parent: parent,
                    Folder.beneath: parent or ROOT,
                    Folder.updated_at: now(),
                }
            ).where(Folder.id == folder_id)
            await _record("changed", actor, folder_id, name=row["name"], fields=sorted(changes))
            return await get_folder(folder_id)


async def delete_folder(folder_id: UUID, actor: Principal) -> None:
    """Delete an empty folder; raises ConflictError saying what still lies in it."""
    async with database.transaction():
        await _hold_tree()
        row = await _find(folder_id)
        await _require_empty(row)
        moved_in = ConflictError(f"A workflow was just put into the folder {row['name']!r}.", code="FOLDER_NOT_EMPTY")
        with database.violations(workflows_folder_fkey=moved_in):
            await Folder.delete().where(Folder.id == folder_id)
        await _record("deleted", actor, folder_id, name=row["name"])


async def path_of(folder_id: UUID | None) -> str | None:
    """Return the names that lead to a folder, as ``Core/Backups``; None for the root."""
    return None if folder_id is None else (await get_folder(folder_id)).path


async def folder_at(path: str | None, actor: Principal) -> UUID | None:
    """Return the folder at a path, created with those above it where it is not there."""
    if path is None:
        return None
    parent: UUID | None = None
    names = path.split(SEPARATOR)
    if len(names) > MAX_DEPTH:
        raise ValidationError.of("folder", f"folders nest at most {MAX_DEPTH} deep")
    async with database.transaction():
        await _hold_tree()
        for name in names:
            parent = await _child(parent, name) or await _made(parent, name, actor)
    return parent


async def _child(parent: UUID | None, name: str) -> UUID | None:
    where = (Folder.beneath == (parent or ROOT)) & (Folder.name == name)
    row = await Folder.select(Folder.id).where(where).first()
    return None if row is None else row["id"]


async def _made(parent: UUID | None, name: str, actor: Principal) -> UUID:
    folder_id = uuid7()
    await Folder.insert(Folder(id=folder_id, name=name, parent=parent, beneath=parent or ROOT))
    await _record("created", actor, folder_id, name=name)
    return folder_id


async def _hold_tree() -> None:
    """Let nobody else change the tree until the transaction ends: two moves at once could make a ring."""
    await database.execute("LOCK TABLE workflow_folders IN SHARE ROW EXCLUSIVE MODE")


async def _require_room(parent: UUID | None, *, height: int, moved: UUID | None = None) -> None:
    """Raise ValidationError unless a tree of this height, that of ``moved``, fits under a parent."""
    above: list[UUID] = []
    if parent is not None:
        rows = await database.fetch(_UPWARD, [parent])
        if not rows:
            raise ValidationError.of("parent_id", f"there is no folder {parent}")
        above = rows[0]["ids"]
    if moved in above:
        raise ValidationError.of("parent_id", "a folder cannot lie within itself")
    if len(above) + height > MAX_DEPTH:
        raise ValidationError.of("parent_id", f"folders nest at most {MAX_DEPTH} deep")


async def _require_empty(row: Mapping[str, Any]) -> None:
    of_folders = Folder.select(Folder.name).where(Folder.parent == row["id"]).order_by(Folder.name)
    of_workflows = Workflow.select(Workflow.name).where(Workflow.folder == row["id"]).order_by(Workflow.name)
    folders, workflows = await of_folders.limit(NAMED + 1), await of_workflows.limit(NAMED + 1)
    if folders or workflows:
        raise ConflictError(
            f"The folder {row['name']!r} is not empty. Move or delete what lies in it first.",
            code="FOLDER_NOT_EMPTY",
            details={"folders": _names(folders), "workflows": _names(workflows)},
        )


def _names(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    more = ["…"] if len(rows) > NAMED else []
    return [*(row["name"] for row in rows[:NAMED]), *more]


async def _shown(rows: Sequence[Mapping[str, Any]]) -> list[FolderRead]:
    ids = [row["id"] for row in rows]
    paths = {row["leaf"]: SEPARATOR.join(row["names"]) for row in await database.fetch(_UPWARD, ids)}
    counted = await database.fetch(
        "SELECT folder AS id, count(*) AS workflows FROM workflows WHERE folder = ANY($1) GROUP BY folder", ids
    )
    counts = {row["id"]: row["workflows"] for row in counted}
    return [
        FolderRead.of(row, parent_id=row["parent"], path=paths[row["id"]], workflow_count=counts.get(row["id"], 0))
        for row in rows
    ]


async def _find(folder_id: UUID) -> Mapping[str, Any]:
    row: Mapping[str, Any] | None = await Folder.select().where(Folder.id == folder_id).first()
    if row is None:
        raise NotFoundError(f"There is no folder {folder_id}.", code="FOLDER_NOT_FOUND")
    return row


def _name_taken(name: str) -> Any:
    return database.violations(
        workflow_folders_name_uq=ConflictError(
            f"There is a folder named {name!r} in the same place already.", code="FOLDER_EXISTS"
        )
    )


async def _record(verb: str, actor: Principal, folder_id: UUID, **details: Any) -> None:
    await audit.record(
        f"workflow_folder.{verb}", actor, subject_type="workflow_folder", subject_id=folder_id, details=details
    )
