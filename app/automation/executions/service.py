"""What can be done with executions: start, follow, read, cancel."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from redis import Redis

from app.automation.executions import events, outputs, progress, starting
from app.automation.executions.redaction import redact
from app.automation.executions.schemas import (
    CountsRead,
    DeviceRef,
    ErrorRead,
    ExecuteRequest,
    ExecutionDetail,
    ExecutionRead,
    HostRead,
    NodeCountsRead,
    NodeRead,
    ResultRead,
)
from app.automation.executions.starting import StartRequest
from app.automation.executions.statuses import ENDED, node_status
from app.automation.executions.tables import Execution, ExecutionHost, NodeExecution, OutputBlob
from app.automation.executions.tables import Result as ResultRow
from app.automation.workflows import service as workflows
from app.automation.workflows.graph import Catalogue
from app.core.access import Principal
from app.core.errors import ConflictError, NotFoundError, ValidationError
from app.core.matching import every_given
from app.core.paging import Ordering, Page, PageRequest, read_page
from app.devices import targets as device_targets
from app.system import service as audit

ORDERING = Ordering(
    columns={"created_at": Execution.created_at, "status": Execution.status}, key=Execution.id, default="-created_at"
)
RESULT_ORDERING = Ordering(
    columns={"started_at": ResultRow.started_at, "duration_ms": ResultRow.duration_ms, "device": ResultRow.device_name},
    key=ResultRow.id,
    default="started_at",
)
HOST_ORDERING = Ordering(
    columns={"name": ExecutionHost.name, "status": ExecutionHost.status}, key=ExecutionHost.id, default="name"
)
REVEAL = "credentials.credential.reveal"


@dataclass(frozen=True, kw_only=True)
class ExecutionFilter:
    """Which executions a list shows."""

    workflow_id: UUID | None = None
    status: str | None = None
    test: bool = False


@dataclass(frozen=True, kw_only=True)
class ResultFilter:
    """Which results a list shows; ``device`` is a name or an id."""

    node: str | None = None
    status: str | None = None
    device: str | None = None
    error_class: str | None = None


async def start_execution(
    workflow_id: UUID, given: ExecuteRequest, catalogue: Catalogue, actor: Principal, *, redis: Redis, workers: int
) -> ExecutionDetail:
    """Start a workflow on targets and return the execution as it stands then."""
    workflow = await workflows.get_workflow(workflow_id)
    check_variables(given.variables)
    definition, plan = starting.plan_start(workflow, given.trigger_node, catalogue)
    if plan.has_device_stages:
        actor.require("devices.device.connect")
    if any(node.parameters.get("credential") for node in definition.nodes.values()):
        actor.require("credentials.credential.use")
    hosts = [] if given.targets is None else await device_targets.resolve(given.targets)
    execution_id = await starting.begin(
        StartRequest(
            workflow=workflow,
            targets=given.targets or {},
            hosts=hosts,
            variables=given.variables,
            trigger=given.trigger,
            trigger_node=given.trigger_node,
            dry_run=given.dry_run,
        ),
        catalogue,
        actor,
        workers,
    )
    await starting.announce(execution_id, redis)
    return await get_execution(execution_id)


async def list_executions(filters: ExecutionFilter, request: PageRequest) -> Page[dict[str, Any]]:
    """Return one page of executions, the newest first unless sorted otherwise."""
    wanted = (
        (Execution.workflow_id, filters.workflow_id),
        (Execution.status, filters.status),
        (Execution.test, filters.test),
    )
    where = every_given(wanted)
    return await read_page(Execution, request, ORDERING, where)


async def get_execution(execution_id: UUID) -> ExecutionDetail:
    """Return an execution with its nodes; raises NotFoundError."""
    row = await _find(execution_id)
    nodes = await NodeExecution.select().where(NodeExecution.execution == execution_id).order_by(NodeExecution.position)
    return ExecutionDetail.of(_fields(row), nodes=[_node(node, row) for node in nodes])


async def cancel_execution(execution_id: UUID, actor: Principal, redis: Redis) -> ExecutionDetail:
    """Ask an execution to stop: from now on no new command starts; raises ConflictError when it has ended."""
    row = await _find(execution_id)
    asked = await progress.cancel(execution_id)
    if not asked and row["cancel_requested_at"] is None:
        raise ConflictError(f"The execution has ended already: {row['status']}.", code="EXECUTION_ENDED")
    if asked:
        await audit.record("execution.cancelled", actor, subject_type="execution", subject_id=execution_id)
    events.wake(redis, execution_id)
    return await get_execution(execution_id)


async def wait_for_end(execution_id: UUID, redis_url: str) -> None:
    """Return when an execution has ended."""
    row = await _find(execution_id)
    async for _ in events.follow(execution_id, row["event_seq"], redis_url):
        continue


async def list_hosts(execution_id: UUID, status: str | None, request: PageRequest) -> Page[dict[str, Any]]:
    """Return one page of an execution's devices."""
    await _find(execution_id)
    wanted = ((ExecutionHost.execution, execution_id), (ExecutionHost.status, status))
    where = every_given(wanted)
    return await read_page(ExecutionHost, request, HOST_ORDERING, where)


async def list_results(
    execution_id: UUID, filters: ResultFilter, request: PageRequest, reader: Principal
) -> Page[ResultRead]:
    """Return one page of results; what devices printed is redacted for readers who may not see secrets."""
    await _find(execution_id)
    wanted = (
        (ResultRow.execution, execution_id),
        (ResultRow.node_id, filters.node),
        (ResultRow.status, filters.status),
        (ResultRow.error_class, filters.error_class),
    )
    where = every_given(wanted)
    if where is not None and filters.device is not None:
        where &= (ResultRow.device_name == filters.device) | (ResultRow.host_key == filters.device)
    page = await read_page(ResultRow, request, RESULT_ORDERING, where)
    sizes = await _sizes({row["output_hash"] for row in page.items if row["output_hash"]})
    return page.map(lambda row: _result(row, sizes, reader))


async def get_outputs(execution_id: UUID, result_id: UUID, reader: Principal) -> dict[str, Any]:
    """Return a result's outputs whole, however large."""
    row = (
        await ResultRow.select()
        .where((ResultRow.id == result_id) & (ResultRow.execution == execution_id))
        .first()
        .output(load_json=True)
    )
    if row is None:
        raise NotFoundError(f"The execution has no result {result_id}.", code="RESULT_NOT_FOUND")
    found = row["outputs"]
    if row["output_hash"]:
        found = (await outputs.load_blobs([row["output_hash"]])).get(row["output_hash"])
    found = found or {}
    return found if reader.may(REVEAL) else dict(redact(found))


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


def _node(node: Mapping[str, Any], execution: Mapping[str, Any]) -> NodeRead:
    expected = execution["devices_total"] if node["scope"] == "device" else 1
    started, finished = node["started_at"], node["finished_at"]
    return NodeRead.of(
        node,
        status=node_status(
            node, expected=expected, started=started is not None, execution_ended=execution["status"] in ENDED
        ),
        counts=NodeCountsRead.of(node),
        duration_ms=round((finished - started).total_seconds() * 1000) if started and finished else None,
    )


def _result(row: Mapping[str, Any], sizes: Mapping[str, int], reader: Principal) -> ResultRead:
    shown = dict(row) if reader.may(REVEAL) else {**row, **redact({key: row[key] for key in ("outputs", "diff")})}
    once = row["device_name"] == "" and row["device_id"] is None
    error = ErrorRead(class_=row["error_class"], message=row["error_message"]) if row["error_class"] else None
    return ResultRead.of(
        shown,
        device=None if once else DeviceRef(id=row["device_id"], name=row["device_name"]),
        outputs_size_bytes=sizes.get(row["output_hash"] or ""),
        error=error,
    )


async def _sizes(hashes: set[str]) -> dict[str, int]:
    if not hashes:
        return {}
    rows = await OutputBlob.select(OutputBlob.hash, OutputBlob.size_bytes).where(OutputBlob.hash.is_in(list(hashes)))
    return {row["hash"]: row["size_bytes"] for row in rows}


async def _find(execution_id: UUID) -> dict[str, Any]:
    row = await Execution.select().where(Execution.id == execution_id).first().output(load_json=True)
    if row is None:
        raise NotFoundError(f"There is no execution {execution_id}.", code="EXECUTION_NOT_FOUND")
    return dict(row)


def check_variables(variables: Mapping[str, Any]) -> None:
    """Refuse variables whose names no expression could use."""
    for name in variables:
        if not name.isidentifier() or name.startswith("_"):
            raise ValidationError.of(f"variables.{name}", "a variable's name is letters, digits and _, not first")
