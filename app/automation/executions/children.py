"""Children: executions that are a step of another, on the hosts that came to that step."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from app.automation.executions import starting
from app.automation.executions.starting import StartRequest
from app.automation.workflows import service as workflows
from app.automation.workflows.graph import Catalogue
from app.core import database
from app.core.errors import ConflictError, NotFoundError
from app.devices import service as devices
from app.identity.acting import acting_user

DEEPEST = 5
"""How many executions may lie within each other."""


async def start_child(
    parent: UUID,
    step: str,
    wanted: str,
    *,
    catalogue: Catalogue,
    host_keys: Sequence[str],
    targets: Mapping[str, Any] | None,
    variables: Mapping[str, Any],
    dry_run: bool,
    workers: int,
) -> UUID:
    """Start a workflow (by id or name) as a step of an execution, once, and return the child's id.

    It acts for who started the parent, with the permissions he holds now. Raises AppError where it cannot be, as when
    the parent is being stopped: its row is held, so that nobody stops it without seeing the child.
    """
    async with database.transaction():
        execution = await _hold(parent)
        found = await database.fetch_one(
            "SELECT id FROM executions WHERE parent = $1 AND parent_node = $2", parent, step
        )
        if found is not None:
            return UUID(str(found["id"]))
        workflow = await workflows.find_workflow(wanted)
        await _refuse_recursion(parent, execution["depth"], workflow)
        actor = await acting_user(execution["requested_by"])
        actor.require("automation.workflow.run")
        request = StartRequest(
            workflow=workflow,
            targets={"devices": list(host_keys)} if targets is None else targets,
            hosts=await devices.host_records([UUID(key) for key in host_keys]) if targets is None else None,
            variables=variables,
            trigger={"execution": str(parent)},
            kind="workflow",
            trigger_node=None,
            dry_run=dry_run,
            parent=parent,
            parent_node=step,
            depth=execution["depth"] + 1,
        )
        return await starting.begin(request, catalogue, actor, workers)


async def _hold(parent: UUID) -> Mapping[str, Any]:
    execution = await database.fetch_one(
        "SELECT depth, requested_by, stop_reason FROM executions WHERE id = $1 FOR UPDATE", parent
    )
    if execution is None:
        raise NotFoundError(f"There is no execution {parent}.", code="EXECUTION_NOT_FOUND")
    if execution["stop_reason"]:
        raise ConflictError(f"The execution {parent} is being stopped.", code="EXECUTION_STOPPED")
    return execution


async def find_end(execution_id: UUID) -> dict[str, Any] | None:
    """Return how a child ended, or None while it has not; raises NotFoundError for one that was deleted."""
    row = await database.fetch_one(
        "SELECT status, error, devices_total, succeeded, failed, skipped, unknown, cancelled, "
        "finished_at IS NOT NULL AS ended FROM executions WHERE id = $1",
        execution_id,
    )
    if row is None:
        raise NotFoundError(f"The execution {execution_id} was deleted.", code="EXECUTION_NOT_FOUND")
    if not row.pop("ended"):
        return None
    error = msgspec.json.decode(row.pop("error") or "null")
    return {"status": row.pop("status"), "error": error, "counts": row}


async def has_ended(execution_id: UUID) -> bool:
    """Say whether a child has ended, holding its row, so that it cannot end unseen before the caller commits."""
    row = await database.fetch_one(
        "SELECT finished_at IS NOT NULL AS ended FROM executions WHERE id = $1 FOR UPDATE", execution_id
    )
    return row is None or bool(row["ended"])


async def _refuse_recursion(parent: UUID, depth: int, workflow: Mapping[str, Any]) -> None:
    rows = await database.fetch(
        """
        WITH RECURSIVE above AS (
            SELECT id, parent, workflow_id FROM executions WHERE id = $1
            UNION ALL
            SELECT executions.id, executions.parent, executions.workflow_id
            FROM executions JOIN above ON executions.id = above.parent
        )
        SELECT workflow_id FROM above
        """,
        parent,
    )
    if any(row["workflow_id"] == workflow["id"] for row in rows):
        raise ConflictError(f"{workflow['name']!r} would run within itself, without end.", code="WORKFLOW_RECURSION")
    if depth + 1 > DEEPEST:
        raise ConflictError(f"Workflows within workflows go {DEEPEST} deep at most.", code="WORKFLOW_TOO_DEEP")
