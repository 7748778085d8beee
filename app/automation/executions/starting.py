"""How an execution begins: everything it needs is written in one transaction, then the queue is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import msgspec
from redis import Redis

from app.automation.executions import events, outputs, progress
from app.automation.executions.carrying import Carried, carry_over
from app.automation.executions.events import Event
from app.automation.executions.hosting import Hosting, host, invent, only
from app.automation.executions.mocks import Mocks
from app.automation.executions.records import ONCE
from app.automation.executions.settlement import settle
from app.automation.executions.sharding import shard_size
from app.automation.executions.tables import Execution, ExecutionHost, NodeExecution
from app.automation.executions.tables import Result as ResultRow
from app.automation.workflows.definition import Definition
from app.automation.workflows.graph import Catalogue, Plan, compile_plan, triggers
from app.automation.workflows.packages import disabled_packages
from app.automation.workflows.service import require_valid
from app.automation.workflows.settings import WorkflowSettings, count_of, read_settings
from app.core import context, database
from app.core.access import Principal
from app.core.clock import now, uuid7
from app.core.errors import ConflictError, ValidationError
from app.devices import targets as device_targets
from app.system import service as audit
from inventory.records import HostRecord

INSERT_BATCH = 1000


@dataclass(frozen=True, kw_only=True)
class StartRequest:
    """What is to be started: a workflow's row, on which hosts, with what, and by which kind of trigger."""

    workflow: Mapping[str, Any]
    targets: Mapping[str, Any] | None
    variables: Mapping[str, Any]
    trigger: Mapping[str, Any]
    trigger_node: str | None
    dry_run: bool
    hosts: Sequence[HostRecord] | None = None
    """Where they are known already; else those that the targets name."""
    parent: UUID | None = None
    parent_node: str | None = None
    depth: int = 0
    rerun_of: UUID | None = None
    kind: str = "manual"
    only: frozenset[str] | None = None
    """The hosts that are meant, where not all are."""
    carried: Carried | None = None
    mocks: Mocks | None = None
    """In a test, on devices that no inventory knows: what nodes do."""


def plan_start(
    workflow: Mapping[str, Any], trigger_node: str | None, catalogue: Catalogue, disabled: frozenset[str]
) -> tuple[Definition, Plan]:
    """Compile what a start would follow; raises when the workflow is a template, disabled or faulty.

    ``disabled`` are the packages whose node types may not be used.
    """
    if workflow.get("template"):
        raise ConflictError(
            f"The workflow {workflow['name']!r} is a template, which is not run itself. Duplicate it and run that.",
            code="WORKFLOW_IS_TEMPLATE",
        )
    if not workflow["enabled"]:
        raise ConflictError(f"The workflow {workflow['name']!r} is disabled.", code="WORKFLOW_DISABLED")
    verdict, plan = require_valid(workflow["definition"], catalogue, disabled)
    if trigger_node is None:
        return verdict.definition, plan
    offered = [node.id for node in triggers(verdict.definition, catalogue)]
    if trigger_node not in offered:
        raise ValidationError.of("trigger_node", f"{trigger_node!r} is not one of {', '.join(offered)}")
    return verdict.definition, compile_plan(verdict.definition, catalogue, trigger_node)


def require_rights(actor: Principal, definition: Definition, plan: Plan) -> None:
    """Raise AuthorizationError unless somebody may do what a workflow does: connect to devices, use credentials."""
    if plan.has_device_stages:
        actor.require("devices.device.connect")
    if any(node.parameters.get("credential") or node.parameters.get("secrets") for node in definition.nodes.values()):
        actor.require("credentials.credential.use")


async def begin(request: StartRequest, catalogue: Catalogue, actor: Principal, workers: int) -> UUID:
    """Write an execution with its plan, hosts and first shards, and return its id."""
    disabled = await disabled_packages()
    definition, plan = plan_start(request.workflow, request.trigger_node, catalogue, disabled)
    if request.mocks is None:
        require_rights(actor, definition, plan)
    hosting = await _host(request, definition, plan)
    if plan.has_device_stages and not hosting.hosts:
        raise ValidationError.of("targets", "this workflow has device nodes: say which devices they run on")
    trigger = {**request.trigger, "kind": request.kind, "node": plan.trigger}
    request = replace(request, trigger=trigger)
    execution = _row(request, plan, actor, len(hosting.hosts), workers)
    async with database.transaction():
        await Execution.insert(execution)
        await _insert_hosts(execution.id, hosting, keep=request.mocks is not None)
        await _insert_nodes(execution.id, definition, plan)
        await _record_trigger(execution.id, plan, request.trigger)
        if request.carried is not None:
            await carry_over(request.carried, execution.id, [record.key for record in hosting.hosts])
        await events.append(execution.id, [Event("execution.queued", {"devices": len(hosting.hosts)})])
        await progress.open_stages(execution.id, plan.stages_of(""))
        if not plan.stages:
            await settle(execution.id)
        await audit.record(
            "execution.started",
            actor,
            subject_type="execution",
            subject_id=execution.id,
            details={
                "workflow": request.workflow["name"],
                "trigger": request.kind,
                "devices": len(hosting.hosts),
                "dry_run": request.dry_run,
            },
        )
    return execution.id


async def announce(execution_id: UUID, redis: Redis) -> None:
    """Tell the queue and the followers, after the commit."""
    await progress.dispatch(redis)
    events.wake(redis, execution_id)


async def _host(request: StartRequest, definition: Definition, plan: Plan) -> Hosting:
    hosts = request.hosts
    if hosts is None:
        hosts = [] if request.targets is None else await device_targets.resolve(request.targets)
    if request.mocks is not None:
        return invent(definition, plan, hosts)
    return only(await host(definition, plan, hosts), request.only)


def _failure_limit(settings: WorkflowSettings, hosts: int) -> int | None:
    """Return how many devices may fail before no further one is begun."""
    if settings.error_handling == "stop":
        return 0
    return None if settings.max_failed is None else count_of(settings.max_failed, hosts)


def _row(request: StartRequest, plan: Plan, actor: Principal, hosts: int, workers: int) -> Execution:
    settings = read_settings(request.workflow.get("settings") or {})
    return Execution(
        workflow_id=request.workflow["id"],
        workflow_name=request.workflow["name"],
        workflow_version=request.workflow["version"],
        definition=_json(request.workflow["definition"]),
        plan=_json(plan),
        targets=_json(request.targets or {}),
        variables=_json(request.variables),
        trigger=_json(request.trigger),
        trigger_kind=request.kind,
        dry_run=request.dry_run,
        parent=request.parent,
        parent_node=request.parent_node,
        depth=request.depth,
        rerun_of=request.rerun_of,
        test=request.mocks is not None,
        mocks=_json(request.mocks or {}),
        settings=_json(settings),
        failure_limit=_failure_limit(settings, hosts),
        shard_size=shard_size(hosts, workers),
        devices_total=hosts,
        requested_by=actor.user_id,
        requested_by_name=actor.username,
        request_id=context.current().request_id,
    )


async def _insert_hosts(execution_id: UUID, hosting: Hosting, *, keep: bool) -> None:
    in_order = sorted(uuid7() for _ in hosting.hosts)
    rows = [
        ExecutionHost(
            id=row_id,
            execution=execution_id,
            host_key=record.key,
            device_id=UUID(record.id) if record.id else None,
            name=record.name,
            is_target=record.key in hosting.targets,
            own_nodes=list(hosting.nodes.get(record.key, ())),
            record=_json(record) if keep else None,
        )
        for row_id, record in zip(in_order, hosting.hosts, strict=True)
    ]
    for start in range(0, len(rows), INSERT_BATCH):
        await ExecutionHost.insert(*rows[start : start + INSERT_BATCH])


async def _insert_nodes(execution_id: UUID, definition: Definition, plan: Plan) -> None:
    order = [plan.trigger, *(node_id for stage in plan.stages for node_id in stage.nodes), *plan.unreachable]
    rows = [
        NodeExecution(
            execution=execution_id,
            node_id=node_id,
            node_type=definition.nodes[node_id].type_id,
            scope=plan.scopes.get(node_id, "once"),
            position=position,
            succeeded=int(node_id == plan.trigger),
            skipped=int(node_id in plan.unreachable),
        )
        for position, node_id in enumerate(order)
    ]
    for start in range(0, len(rows), INSERT_BATCH):
        await NodeExecution.insert(*rows[start : start + INSERT_BATCH])


async def _record_trigger(execution_id: UUID, plan: Plan, trigger: Mapping[str, Any]) -> None:
    packed = outputs.pack(dict(trigger))
    await outputs.store_blobs([packed])
    await ResultRow.insert(
        ResultRow(
            execution=execution_id,
            node_id=plan.trigger,
            host_key=ONCE,
            status="success",
            outputs=packed.inline,
            output_hash=packed.hash,
            started_at=now(),
        )
    )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
