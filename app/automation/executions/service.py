"""What can be done with executions: start, follow, read, cancel."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from piccolo.custom_types import Combinable
from redis import Redis

from app.automation.executions import events, idempotency, retention, standing, starting, waits
from app.automation.executions.idempotency import Key, Started
from app.automation.executions.schemas import (
    CountsRead,
    DeviceRef,
    ExecuteRequest,
    ExecutionDetail,
    ExecutionRead,
    HostRead,
    NodeCountsRead,
    NodeRead,
)
from app.automation.executions.starting import StartRequest
from app.automation.executions.statuses import ENDED, TriggerKind, node_status
from app.automation.executions.tables import Execution, ExecutionHost, NodeExecution
from app.automation.workflows import service as workflows
from app.automation.workflows.graph import Catalogue
from app.core import database
from app.core.access import Principal
from app.core.errors import ConflictError, NotFoundError, ValidationError
from app.core.matching import contains, every, every_given, read_id
from app.core.paging import Ordering, Page, PageRequest, read_page
from app.system import service as audit

ORDERING = Ordering(
    columns={"created_at": Execution.created_at, "status": Execution.status}, key=Execution.id, default="-created_at"
)
SUMMARY = tuple(
    column
    for column in Execution._meta.columns  # noqa: SLF001 — Piccolo's way to a table's columns
    if column not in (Execution.definition, Execution.plan)
)
"""What lists and answers show; the definition and the plan are as large as the workflow."""
HOST_ORDERING = Ordering(
    columns={"name": ExecutionHost.name, "status": ExecutionHost.status}, key=ExecutionHost.id, default="name"
)


@dataclass(frozen=True, kw_only=True)
class ExecutionFilter:
    """Which executions a list shows; ``requested_by`` is a user's name or id, ``q`` part of a workflow's or user's."""

    workflow_id: UUID | None = None
    status: str | None = None
    trigger_kind: str | None = None
    test: bool = False

    requested_by: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    dry_run: bool | None = None
    q: str | None = None


async def start_execution(
    workflow_id: UUID,
    given: ExecuteRequest,
    catalogue: Catalogue,
    actor: Principal,
    *,
    redis: Redis,
    workers: int,
    key: Key | None = None,
) -> Started:
    """Start a workflow on targets; under a key that was used before, return what that started."""

    async def begin() -> UUID:
        workflow = await workflows.get_workflow(workflow_id)
        return await begin_execution(workflow, given, catalogue, actor, workers=workers)

    return await idempotency.start(key, begin, redis)


async def begin_execution(
    workflow: Mapping[str, Any],
    given: ExecuteRequest,
    catalogue: Catalogue,
    actor: Principal,
    *,
    workers: int,
    kind: TriggerKind = "manual",
) -> UUID:
    """Check and write a start, inside the caller's transaction when there is one; announcing it is the caller's."""
    check_variables(given.variables)
    _check_trigger(given.trigger)
    return await starting.begin(
        StartRequest(
            workflow=workflow,
            targets=given.targets,
            variables=given.variables,
            trigger=given.trigger,
            trigger_node=given.trigger_node,
            dry_run=given.dry_run,
            kind=kind,
        ),
        catalogue,
        actor,
        workers,
    )


async def list_executions(filters: ExecutionFilter, request: PageRequest) -> Page[dict[str, Any]]:
    """Return one page of executions, the newest first unless sorted otherwise."""
    return await read_page(Execution, request, ORDERING, _where(filters), columns=SUMMARY)


async def get_execution(execution_id: UUID) -> ExecutionDetail:
    """Return an execution with its nodes; raises NotFoundError."""
    row = await _find(execution_id)
    nodes = await NodeExecution.select().where(NodeExecution.execution == execution_id).order_by(NodeExecution.position)
    parked = await _parked_nodes(execution_id)
    return ExecutionDetail.of(
        _fields(row),
        nodes=[_node(node, row, waiting=node["node_id"] in parked) for node in nodes],
        waiting=await waits.list_waits(execution_id) if parked else [],
    )


async def cancel_execution(execution_id: UUID, actor: Principal, redis: Redis) -> ExecutionDetail:
    """Ask an execution to stop: from now on no new command starts; raises ConflictError when it has ended."""
    row = await _find(execution_id)
    asked = await standing.stop(execution_id, "cancelled")
    if not asked and row["cancel_requested_at"] is None:
        raise ConflictError(f"The execution has ended already: {row['status']}.", code="EXECUTION_ENDED")
    if asked:
        await audit.record("execution.cancelled", actor, subject_type="execution", subject_id=execution_id)
    events.wake(redis, execution_id)
    return await get_execution(execution_id)


async def delete_execution(execution_id: UUID, actor: Principal) -> None:
    """Delete an ended execution with its results and events; raises ConflictError while it runs."""
    row = await _find(execution_id)
    async with database.transaction():
        if row["finished_at"] is None or not await retention.erase(execution_id):
            raise ConflictError(
                f"The execution is {row['status']}. Only one that has ended can be deleted, and a step of another only "
                "once that has ended too. Cancel it first.",
                code="EXECUTION_RUNNING",
            )
        await audit.record(
            "execution.deleted",
            actor,
            subject_type="execution",
            subject_id=execution_id,
            details={"workflow": row["workflow_name"], "status": row["status"]},
        )


async def wait_for_end(execution_id: UUID, redis_url: str) -> None:
    """Return when an execution has ended."""
    row = await _find(execution_id)
    async for _ in events.follow(execution_id, row["event_seq"], redis_url):
        continue


async def list_hosts(
    execution_id: UUID, status: str | None, request: PageRequest, q: str | None = None
) -> Page[dict[str, Any]]:
    """Return one page of an execution's devices."""
    row = await _find(execution_id)
    conditions = [given for given in [every_given(((ExecutionHost.status, status),))] if given is not None]
    if q:
        conditions.append(contains([ExecutionHost.name], q))
    total = None if conditions else row["devices_total"]
    where = every([ExecutionHost.execution == execution_id, *conditions])
    return await read_page(ExecutionHost, request, HOST_ORDERING, where, total=total)


def read_execution(row: Mapping[str, Any]) -> ExecutionRead:
    """Return an execution's row as the API shows it."""
    return ExecutionRead.of(_fields(row))


def read_host(row: Mapping[str, Any]) -> HostRead:
    """Return a device of an execution as the API shows it."""
    return HostRead(
        device=DeviceRef(id=row["device_id"], name=row["name"]), status=row["status"], error_class=row["error_class"]
    )


def _fields(row: Mapping[str, Any]) -> dict[str, Any]:
    counts = CountsRead.of(row, devices=row["devices_total"])
    return {**row, "counts": counts, "requested_by": row["requested_by_name"]}


def _node(node: Mapping[str, Any], execution: Mapping[str, Any], *, waiting: bool) -> NodeRead:
    expected = execution["devices_total"] if node["scope"] == "device" else 1
    started, finished = node["started_at"], node["finished_at"]
    return NodeRead.of(
        node,
        status=node_status(
            node,
            expected=expected,
            started=started is not None,
            execution_ended=execution["status"] in ENDED,
            waiting=waiting,
        ),
        counts=NodeCountsRead.of(node),
        duration_ms=round((finished - started).total_seconds() * 1000) if started and finished else None,
    )


def _where(filters: ExecutionFilter) -> Combinable | None:
    asker = None if filters.requested_by is None else read_id(filters.requested_by)
    wanted = (
        (Execution.workflow_id, filters.workflow_id),
        (Execution.status, filters.status),
        (Execution.requested_by, asker),
        (Execution.requested_by_name, filters.requested_by if asker is None else None),
        (Execution.dry_run, filters.dry_run),
        (Execution.trigger_kind, filters.trigger_kind),
        (Execution.test, filters.test),
    )
    conditions = [given for given in [every_given(wanted)] if given is not None]
    if filters.created_after is not None:
        conditions.append(Execution.created_at >= filters.created_after)
    if filters.created_before is not None:
        conditions.append(Execution.created_at < filters.created_before)
    if filters.q:
        conditions.append(contains([Execution.workflow_name, Execution.requested_by_name], filters.q))
    return every(conditions) if conditions else None


async def _parked_nodes(execution_id: UUID) -> set[str]:
    rows = await database.fetch(
        "SELECT DISTINCT node_id FROM parkings WHERE execution = $1 AND status = 'parked'", execution_id
    )
    return {row["node_id"] for row in rows}


async def _find(execution_id: UUID) -> dict[str, Any]:
    row = await Execution.select(*SUMMARY).where(Execution.id == execution_id).first().output(load_json=True)
    if row is None:
        raise NotFoundError(f"There is no execution {execution_id}.", code="EXECUTION_NOT_FOUND")
    return dict(row)


def check_variables(variables: Mapping[str, Any]) -> None:
    """Refuse variables whose names no expression could use."""
    for name in variables:
        if not name.isidentifier() or name.startswith("_"):
            raise ValidationError.of(f"variables.{name}", "a variable's name is letters, digits and _, not first")


def _check_trigger(trigger: Mapping[str, Any]) -> None:
    for name in ("kind", "node"):
        if name in trigger:
            raise ValidationError.of(f"trigger.{name}", "the service says this itself; call it something else")
