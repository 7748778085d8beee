"""What can be done with workflows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID

import msgspec
from msgspec import UNSET
from piccolo.columns import Column

from app.automation.workflows.definition import read_definition
from app.automation.workflows.differences import equal
from app.automation.workflows.graph import Catalogue, Plan, compile_plan, triggers
from app.automation.workflows.packages import disabled_packages
from app.automation.workflows.schemas import DuplicateRequest, WorkflowCreate, WorkflowUpdate
from app.automation.workflows.settings import WorkflowSettings, read_settings, settings_faults, sparse
from app.automation.workflows.tables import Workflow
from app.automation.workflows.trigger_index import index_triggers
from app.automation.workflows.trigger_nodes import webhooks
from app.automation.workflows.validation import Verdict, validate
from app.automation.workflows.versions import get_version, keep_version
from app.core import database
from app.core.access import Principal
from app.core.clock import now
from app.core.errors import ConflictError, NotFoundError, ValidationError
from app.core.matching import contains, every, has_entry, read_id
from app.core.paging import Ordering, Page, PageRequest, read_page
from app.system import service as audit

ORDERING = Ordering(
    columns={"name": Workflow.name, "created_at": Workflow.created_at, "updated_at": Workflow.updated_at},
    key=Workflow.id,
    default="name",
)
COLUMNS = {"folder_id": "folder"}
JSON_COLUMNS = frozenset({"definition", "settings", "tags"})
VERSIONED = frozenset({"definition", "settings"})
LISTENING = frozenset({"definition", "enabled", "template"})
"""What decides over which events and paths start a workflow."""
NAME_CHARS = 150
Revisions: TypeAlias = frozenset[int] | None
"""At which revisions a change is still meant, as If-Match says; None: at any."""


@dataclass(frozen=True, kw_only=True)
class WorkflowFilter:
    """Which workflows a list shows."""

    name: str | None = None
    q: str | None = None
    enabled: bool | None = None
    tag: str | None = None
    folder: UUID | None = None
    at_root: bool = False
    template: bool | None = None


def check_definition(
    definition: Any, catalogue: Catalogue, disabled: frozenset[str] = frozenset()
) -> tuple[Verdict, Plan | None]:
    """Validate a definition, and compile it for its first trigger when it is valid."""
    verdict = validate(definition, catalogue, disabled)
    if not verdict.valid:
        return verdict, None
    first = triggers(verdict.definition, catalogue)[0]
    return verdict, compile_plan(verdict.definition, catalogue, first.id)


def require_valid(definition: Any, catalogue: Catalogue, disabled: frozenset[str]) -> tuple[Verdict, Plan]:
    """Validate and compile a definition; raises ValidationError with every fault."""
    verdict, plan = check_definition(definition, catalogue, disabled)
    if plan is None:
        count = len(verdict.errors)
        raise ValidationError(
            f"The definition has {count} fault{'s' if count > 1 else ''}: {verdict.errors[0]['message']}",
            verdict.errors,
            code="WORKFLOW_INVALID",
        )
    return verdict, plan


def require_sound(settings: WorkflowSettings) -> None:
    """Raise ValidationError with every fault of some settings."""
    faults = settings_faults(settings)
    if faults:
        raise ValidationError("; ".join(f"{fault['field']}: {fault['message']}" for fault in faults), faults)


async def list_workflows(filters: WorkflowFilter, request: PageRequest) -> Page[dict[str, Any]]:
    """Return one page of workflows."""
    conditions = [
        *([Workflow.name == filters.name] if filters.name is not None else []),
        *([Workflow.enabled == filters.enabled] if filters.enabled is not None else []),
        *([contains([Workflow.name], filters.q)] if filters.q else []),
        *([has_entry(Workflow.tags, filters.tag)] if filters.tag else []),
        *([Workflow.template == filters.template] if filters.template is not None else []),
        *([Workflow.folder == filters.folder] if filters.folder is not None else []),
        *([Workflow.folder.is_null()] if filters.at_root else []),
    ]
    return await read_page(Workflow, request, ORDERING, every(conditions) if conditions else None)


async def get_workflow(workflow_id: UUID) -> dict[str, Any]:
    """Return a workflow; raises NotFoundError."""
    row = await Workflow.select().where(Workflow.id == workflow_id).first().output(load_json=True)
    if row is None:
        raise NotFoundError(f"There is no workflow {workflow_id}.", code="WORKFLOW_NOT_FOUND")
    return dict(row)


async def find_workflow(reference: str) -> dict[str, Any]:
    """Return the workflow of an id or a name; raises ValidationError."""
    workflow_id = read_id(reference)
    wanted = Workflow.name == reference if workflow_id is None else Workflow.id == workflow_id
    row = await Workflow.select().where(wanted).first().output(load_json=True)
    if row is None:
        raise ValidationError.of("workflow", f"there is no workflow {reference!r}")
    return dict(row)


async def is_enabled(workflow_id: UUID | None) -> bool | None:
    """Say whether a workflow is enabled; None where it is there no more."""
    row = await Workflow.select(Workflow.enabled).where(Workflow.id == workflow_id).first()
    return None if row is None else bool(row["enabled"])


async def create_workflow(given: WorkflowCreate, catalogue: Catalogue, actor: Principal) -> dict[str, Any]:
    """Save a new workflow whose definition is valid, as version 1."""
    require_valid(given.definition, catalogue, await disabled_packages())
    require_sound(given.settings)
    values = given.given()
    note = values.pop("note")
    workflow = Workflow(**_columns(values), created_by=actor.username, author_id=actor.user_id)
    async with database.transaction():
        with _translated(given.name, given.folder_id):
            await Workflow.insert(workflow)
        row = await get_workflow(workflow.id)
        await keep_version(row, actor.username, note)
        await index_triggers(workflow.id, row["definition"], catalogue, enabled=_listens(row))
        await audit.record("workflow.created", actor, subject_type="workflow", subject_id=workflow.id)
    return row


async def update_workflow(
    workflow_id: UUID,
    given: WorkflowUpdate,
    catalogue: Catalogue,
    actor: Principal,
    revisions: Revisions = None,
) -> dict[str, Any]:
    """Change a workflow that stands at one of the ``revisions``; another definition or settings is a new version."""
    changes = given.given()
    note = changes.pop("note")
    if "definition" in changes:
        require_valid(changes["definition"], catalogue, await disabled_packages())
    if "settings" in changes:
        require_sound(changes["settings"])
    async with database.transaction():
        current = await _lock(workflow_id)
        _require_revision(current, revisions)
        await _save(current, changes, catalogue, actor, note)
    return await get_workflow(workflow_id)


async def replace_workflow(
    workflow_id: UUID, given: WorkflowCreate, catalogue: Catalogue, actor: Principal, revisions: Revisions = None
) -> dict[str, Any]:
    """Make a workflow what is given as a whole, if it stands at one of the ``revisions``."""
    return await update_workflow(workflow_id, WorkflowUpdate(**given.given()), catalogue, actor, revisions)


async def restore_version(
    workflow_id: UUID, version: int, catalogue: Catalogue, actor: Principal, revisions: Revisions = None
) -> dict[str, Any]:
    """Save what a workflow was at an older version as its newest one; raises ConflictError for the current one."""
    old = await get_version(workflow_id, version)
    require_valid(old["definition"], catalogue, await disabled_packages())
    async with database.transaction():
        current = await _lock(workflow_id)
        _require_revision(current, revisions)
        if version == current["version"]:
            raise ConflictError(f"Version {version} is the current one.", code="VERSION_IS_CURRENT")
        changes = {"definition": old["definition"], "settings": read_settings(old["settings"])}
        await _save(current, changes, catalogue, actor, f"Version {version} restored", always=True)
    return await get_workflow(workflow_id)


async def duplicate_workflow(
    workflow_id: UUID, given: DuplicateRequest, catalogue: Catalogue, actor: Principal
) -> dict[str, Any]:
    """Save a copy of a workflow as one of its own; the copy of a template is none, and that of a webhook disabled."""
    row = await get_workflow(workflow_id)
    copy = WorkflowCreate(
        name=given.name or await _copy_name(row["name"]),
        definition=row["definition"],
        description=row["description"],
        settings=read_settings(row["settings"]),
        folder_id=row["folder"] if given.folder_id is UNSET else given.folder_id,
        tags=row["tags"],
        enabled=row["enabled"] and not webhooks(read_definition(row["definition"])[0], catalogue),
        note=f"Copy of {row['name']!r}, version {row['version']}",
    )
    return await create_workflow(copy, catalogue, actor)


async def delete_workflow(workflow_id: UUID, actor: Principal, revisions: Revisions = None) -> None:
    """Delete a workflow with its versions; its executions keep the definition they ran."""
    async with database.transaction():
        _require_revision(await _lock(workflow_id), revisions)
        await Workflow.delete().where(Workflow.id == workflow_id)
        await audit.record("workflow.deleted", actor, subject_type="workflow", subject_id=workflow_id)


async def _save(
    current: Mapping[str, Any],
    changes: Mapping[str, Any],
    catalogue: Catalogue,
    actor: Principal,
    note: str,
    *,
    always: bool = False,
) -> None:
    """Write what differs from a locked row, and keep a version where definition or settings do; or ``always``."""
    values = _plain(changes)
    different: dict[str, Any] = {name: value for name, value in values.items() if not equal(value, current[name])}
    kept = always or bool(different.keys() & VERSIONED)
    if not different and not kept:
        return
    counted = {"version": current["version"] + kept, "revision": current["revision"] + 1}
    if "definition" in different:
        counted["author_id"] = actor.user_id
    columns: dict[Column | str, Any] = {"updated_at": now()}
    columns.update({**_encoded(different), **counted})
    with _translated(different.get("name", ""), different.get("folder")):
        await Workflow.update(columns).where(Workflow.id == current["id"])
    saved = {**current, **values, **counted}
    if kept:
        await keep_version(saved, actor.username, note)
    if different.keys() & LISTENING:
        await index_triggers(current["id"], saved["definition"], catalogue, enabled=_listens(saved))
    await audit.record(
        "workflow.changed",
        actor,
        subject_type="workflow",
        subject_id=current["id"],
        details={"fields": sorted(different), "version": counted["version"]},
    )


def _listens(row: Mapping[str, Any]) -> bool:
    return bool(row["enabled"]) and not row["template"]


def _require_revision(row: Mapping[str, Any], revisions: Revisions) -> None:
    if revisions is not None and row["revision"] not in revisions:
        raise ConflictError(
            f"The workflow {row['name']!r} was changed meanwhile: it stands at revision {row['revision']} now. "
            "Read it again, and make your change to what it is now.",
            code="WORKFLOW_CHANGED",
            details={"revision": row["revision"], "updated_at": row["updated_at"]},
        )


async def _copy_name(name: str) -> str:
    """Return the first name for a copy that is free: ``name (copy)``, ``name (copy 2)`` and so on."""
    stem = name[: NAME_CHARS - len(" (copy 9999)")]
    rows = await Workflow.select(Workflow.name).where(contains([Workflow.name], f"{stem} (copy"))
    taken = {row["name"] for row in rows}
    names = (f"{stem} (copy{'' if number == 1 else f' {number}'})" for number in range(1, len(taken) + 2))
    return next(candidate for candidate in names if candidate not in taken)


async def _lock(workflow_id: UUID) -> Mapping[str, Any]:
    selection = Workflow.select().where(Workflow.id == workflow_id).first().lock_rows("UPDATE").output(load_json=True)
    row: Mapping[str, Any] | None = await selection
    if row is None:
        raise NotFoundError(f"There is no workflow {workflow_id}.", code="WORKFLOW_NOT_FOUND")
    return row


def _translated(name: str, folder_id: UUID | None) -> Any:
    return database.violations(
        workflows_name_key=ConflictError(f"There is a workflow named {name!r} already.", code="WORKFLOW_NAME_TAKEN"),
        workflows_folder_fkey=ValidationError.of("folder_id", f"there is no folder {folder_id}"),
    )


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    return _encoded(_plain(values))


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values of the API by the columns they go into, as a row read back has them."""
    plain = {COLUMNS.get(name, name): value for name, value in values.items()}
    if "settings" in plain:
        plain["settings"] = sparse(plain["settings"])
    return plain


def _encoded(plain: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: msgspec.json.encode(value).decode() if name in JSON_COLUMNS else value for name, value in plain.items()
    }
