"""What can be done with workflows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from piccolo.columns import Column

from app.automation.workflows.graph import Catalogue, Plan, compile_plan, triggers
from app.automation.workflows.schemas import WorkflowCreate, WorkflowUpdate
from app.automation.workflows.tables import Workflow
from app.automation.workflows.trigger_index import index_triggers
from app.automation.workflows.validation import Verdict, validate
from app.core import database
from app.core.access import Principal
from app.core.clock import now
from app.core.errors import ConflictError, NotFoundError, ValidationError
from app.core.matching import contains, every, has_entry
from app.core.paging import Ordering, Page, PageRequest, read_page
from app.system import service as audit

ORDERING = Ordering(
    columns={"name": Workflow.name, "created_at": Workflow.created_at, "updated_at": Workflow.updated_at},
    key=Workflow.id,
    default="name",
)


@dataclass(frozen=True, kw_only=True)
class WorkflowFilter:
    """Which workflows a list shows."""

    name: str | None = None
    q: str | None = None
    enabled: bool | None = None
    tag: str | None = None


def check_definition(definition: Any, catalogue: Catalogue) -> tuple[Verdict, Plan | None]:
    """Validate a definition, and compile it for its first trigger when it is valid."""
    verdict = validate(definition, catalogue)
    if not verdict.valid:
        return verdict, None
    first = triggers(verdict.definition, catalogue)[0]
    return verdict, compile_plan(verdict.definition, catalogue, first.id)


def require_valid(definition: Any, catalogue: Catalogue) -> tuple[Verdict, Plan]:
    """Validate and compile a definition; raises ValidationError with every fault."""
    verdict, plan = check_definition(definition, catalogue)
    if plan is None:
        count = len(verdict.errors)
        raise ValidationError(
            f"The definition has {count} fault{'s' if count > 1 else ''}: {verdict.errors[0]['message']}",
            verdict.errors,
            code="WORKFLOW_INVALID",
        )
    return verdict, plan


async def list_workflows(filters: WorkflowFilter, request: PageRequest) -> Page[dict[str, Any]]:
    """Return one page of workflows."""
    conditions = [
        *([Workflow.name == filters.name] if filters.name is not None else []),
        *([Workflow.enabled == filters.enabled] if filters.enabled is not None else []),
        *([contains([Workflow.name], filters.q)] if filters.q else []),
        *([has_entry(Workflow.tags, filters.tag)] if filters.tag else []),
    ]
    return await read_page(Workflow, request, ORDERING, every(conditions) if conditions else None)


async def get_workflow(workflow_id: UUID) -> dict[str, Any]:
    """Return a workflow; raises NotFoundError."""
    row = await Workflow.select().where(Workflow.id == workflow_id).first().output(load_json=True)
    if row is None:
        raise NotFoundError(f"There is no workflow {workflow_id}.", code="WORKFLOW_NOT_FOUND")
    return dict(row)


async def create_workflow(given: WorkflowCreate, catalogue: Catalogue, actor: Principal) -> dict[str, Any]:
    """Save a new workflow whose definition is valid."""
    require_valid(given.definition, catalogue)
    workflow = Workflow(
        name=given.name,
        description=given.description,
        definition=_json(given.definition),
        tags=_json(given.tags),
        enabled=given.enabled,
        created_by=actor.username,
        author_id=actor.user_id,
    )
    async with database.transaction():
        with database.violations(workflows_name_key=_taken(given.name)):
            await Workflow.insert(workflow)
        await index_triggers(workflow.id, given.definition, catalogue, enabled=given.enabled)
        await audit.record("workflow.created", actor, subject_type="workflow", subject_id=workflow.id)
    return await get_workflow(workflow.id)


async def update_workflow(
    workflow_id: UUID, given: WorkflowUpdate, catalogue: Catalogue, actor: Principal
) -> dict[str, Any]:
    """Change a workflow; a changed definition is a new version."""
    changes = given.given()
    if "definition" in changes:
        require_valid(changes["definition"], catalogue)
    async with database.transaction():
        current = await _lock(workflow_id)
        version = current["version"] + ("definition" in changes and changes["definition"] != current["definition"])
        values: dict[Column | str, Any] = {
            name: _json(value) if name in {"definition", "tags"} else value for name, value in changes.items()
        }
        values |= {"version": version, "updated_at": now()}
        if "definition" in changes:
            values["author_id"] = actor.user_id
        with database.violations(workflows_name_key=_taken(changes.get("name", ""))):
            await Workflow.update(values).where(Workflow.id == workflow_id)
        if changes.keys() & {"definition", "enabled"}:
            saved = {**current, **changes}
            await index_triggers(workflow_id, saved["definition"], catalogue, enabled=saved["enabled"])
        await audit.record(
            "workflow.changed",
            actor,
            subject_type="workflow",
            subject_id=workflow_id,
            details={"fields": sorted(changes), "version": version},
        )
    return await get_workflow(workflow_id)


async def delete_workflow(workflow_id: UUID, actor: Principal) -> None:
    """Delete a workflow; its executions keep the definition they ran."""
    async with database.transaction():
        await _lock(workflow_id)
        await Workflow.delete().where(Workflow.id == workflow_id)
        await audit.record("workflow.deleted", actor, subject_type="workflow", subject_id=workflow_id)


async def _lock(workflow_id: UUID) -> Mapping[str, Any]:
    selection = Workflow.select().where(Workflow.id == workflow_id).first().lock_rows("UPDATE").output(load_json=True)
    row: Mapping[str, Any] | None = await selection
    if row is None:
        raise NotFoundError(f"There is no workflow {workflow_id}.", code="WORKFLOW_NOT_FOUND")
    return row


def _taken(name: str) -> ConflictError:
    return ConflictError(f"There is a workflow named {name!r} already.", code="WORKFLOW_NAME_TAKEN")


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
