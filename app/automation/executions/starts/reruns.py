"""Reruns: an execution once more, on some of its devices, from its beginning or from a node on."""

from typing import Any
from uuid import UUID

import msgspec
from redis import Redis

from app.automation.executions import idempotency, starting
from app.automation.executions.carrying import Carried
from app.automation.executions.idempotency import Key, Started
from app.automation.executions.progress import read_plan
from app.automation.executions.starting import StartRequest
from app.automation.executions.starts.schemas import RerunRequest
from app.automation.workflows import service as workflows
from app.automation.workflows.definition import Definition
from app.automation.workflows.graph import Catalogue, Plan
from app.automation.workflows.loops import reach
from app.automation.workflows.validation import as_it_runs
from app.core import database
from app.core.access import Principal
from app.core.errors import ConflictError, NotFoundError, ValidationError
from app.devices import service as devices

FAILED = ("failed", "unknown", "cancelled")


async def rerun(
    execution_id: UUID,
    given: RerunRequest,
    catalogue: Catalogue,
    actor: Principal,
    *,
    redis: Redis,
    workers: int,
    key: Key | None,
) -> Started:
    """Start an execution again as it was started, and return the new one.

    It follows the definition that the old one ran, not what the workflow has become since. Raises ConflictError
    while the old one runs, and when no device of it is meant.
    """

    async def begin() -> UUID:
        request = await _request(execution_id, given, catalogue)
        return await starting.begin(request, catalogue, actor, workers)

    return await idempotency.start(key, begin, redis)


async def _request(execution_id: UUID, given: RerunRequest, catalogue: Catalogue) -> StartRequest:
    old = await _find_ended(execution_id)
    plan = read_plan(old["plan"])
    meant = await _meant(execution_id, given)
    if plan.has_device_stages and not meant:
        raise ConflictError("No device of that execution is meant: there is nothing to run.", code="NOTHING_TO_RERUN")
    hosts = await devices.host_records([UUID(row["host_key"]) for row in meant if row["is_target"]])
    trigger = {name: value for name, value in old["trigger"].items() if name not in {"kind", "node"}}
    return StartRequest(
        workflow=await _workflow(old),
        targets={"devices": [host.id for host in hosts]} if hosts else {},
        hosts=hosts,
        variables=old["variables"],
        trigger=trigger,
        trigger_node=plan.trigger,
        dry_run=old["dry_run"],
        rerun_of=execution_id,
        kind="rerun",
        only=frozenset(row["host_key"] for row in meant),
        carried=_carried(execution_id, given.from_node, as_it_runs(old["definition"], catalogue), plan),
    )


async def _find_ended(execution_id: UUID) -> dict[str, Any]:
    row = await database.fetch_one("SELECT * FROM executions WHERE id = $1", execution_id)
    if row is None:
        raise NotFoundError(f"There is no execution {execution_id}.", code="EXECUTION_NOT_FOUND")
    if row["finished_at"] is None:
        raise ConflictError("The execution has not ended; cancel it, or wait.", code="EXECUTION_RUNNING")
    if row["test"]:
        message = "It was a test on invented devices, and a rerun would be real. Run the test again, or the workflow."
        raise ConflictError(message, code="EXECUTION_IS_TEST")
    decoded = ("definition", "settings", "variables", "trigger")
    return {**row, **{name: msgspec.json.decode(row[name]) for name in decoded}}


async def _meant(execution_id: UUID, given: RerunRequest) -> list[dict[str, Any]]:
    return await database.fetch(
        "SELECT host_key, is_target FROM execution_hosts WHERE execution = $1 AND (NOT $2 OR status = ANY($3)) "
        "AND ($4::text IS NULL OR error_class = $4) ORDER BY id",
        execution_id,
        given.only == "failed",
        list(FAILED),
        given.error_class,
    )


async def _workflow(old: dict[str, Any]) -> dict[str, Any]:
    """Return the workflow as the old execution ran it; one that was disabled since is not run again."""
    enabled = await workflows.is_enabled(old["workflow_id"])
    return {
        "id": old["workflow_id"],
        "name": old["workflow_name"],
        "version": old["workflow_version"],
        "enabled": enabled is not False,
        "definition": old["definition"],
        "settings": old["settings"],
    }


def _carried(execution_id: UUID, from_node: str | None, definition: Definition, plan: Plan) -> Carried | None:
    if from_node is None:
        return None
    inner = {node_id for body in plan.loops.values() for node_id in body}
    offered = [node_id for node_id in plan.scopes if node_id not in inner]
    if from_node not in offered:
        known = ", ".join(offered)
        raise ValidationError.of(
            "from_node", f"{from_node!r} is not one of {known}; nodes in loops run with their loop"
        )
    again = reach(definition, [from_node])
    return Carried(source=execution_id, node_ids=[node_id for node_id in plan.scopes if node_id not in again])
