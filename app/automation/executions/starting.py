"""How an execution begins: everything it needs is written in one transaction, then the queue is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from redis import Redis

from app.automation.executions import events, progress
from app.automation.executions.events import Event
from app.automation.executions.mocks import Mocks
from app.automation.executions.records import ONCE
from app.automation.executions.settlement import settle
from app.automation.executions.tables import Execution, ExecutionHost, NodeExecution, StageRun
from app.automation.executions.tables import Result as ResultRow
from app.automation.workflows.definition import Definition
from app.automation.workflows.graph import Catalogue, Plan, compile_plan, triggers
from app.automation.workflows.service import require_valid
from app.core import context, database
from app.core.access import Principal
from app.core.clock import now
from app.core.errors import ConflictError, ValidationError
from app.system import service as audit
from inventory.records import HostRecord

INSERT_BATCH = 1000


@dataclass(frozen=True, kw_only=True)
class StartRequest:
    """What is to be started: a workflow's row, on which hosts, and with what."""

    workflow: Mapping[str, Any]
    targets: Mapping[str, Any]
    hosts: Sequence[HostRecord]
    variables: Mapping[str, Any]
    trigger: Mapping[str, Any]
    trigger_node: str | None
    dry_run: bool
    mocks: Mocks | None = None
    """In a test, on devices that no inventory knows: what nodes do."""


def plan_start(workflow: Mapping[str, Any], trigger_node: str | None, catalogue: Catalogue) -> tuple[Definition, Plan]:
    """Compile what a start would follow; raises when the workflow is disabled, faulty or has no such trigger."""
    if not workflow["enabled"]:
        raise ConflictError(f"The workflow {workflow['name']!r} is disabled.", code="WORKFLOW_DISABLED")
    verdict, plan = require_valid(workflow["definition"], catalogue)
    if trigger_node is None:
        return verdict.definition, plan
    offered = [node.id for node in triggers(verdict.definition, catalogue)]
    if trigger_node not in offered:
        raise ValidationError.of("trigger_node", f"{trigger_node!r} is not one of {', '.join(offered)}")
    return verdict.definition, compile_plan(verdict.definition, catalogue, trigger_node)


async def begin(request: StartRequest, catalogue: Catalogue, actor: Principal, workers: int) -> UUID:
    """Write an execution with its plan, hosts and first shards, and return its id."""
    definition, plan = plan_start(request.workflow, request.trigger_node, catalogue)
    if plan.has_device_stages and not request.hosts:
        raise ValidationError.of("targets", "this workflow has device nodes: say which devices they run on")
    execution = _row(request, plan, actor, workers)
    async with database.transaction():
        await Execution.insert(execution)
        await _insert_hosts(execution.id, request.hosts, keep=request.mocks is not None)
        await _insert_nodes(execution.id, definition, plan)
        await _insert_stages(execution.id, plan)
        await _record_trigger(execution.id, plan, request.trigger)
        await events.append(execution.id, [Event("execution.queued", {"devices": len(request.hosts)})])
        await progress.start_stages(execution.id, [stage for stage in plan.stages if not stage.predecessors])
        if not plan.stages:
            await settle(execution.id)
        await audit.record(
            "execution.started",
            actor,
            subject_type="execution",
            subject_id=execution.id,
            details={"workflow": request.workflow["name"], "devices": len(request.hosts), "dry_run": request.dry_run},
        )
    return execution.id


async def announce(execution_id: UUID, redis: Redis) -> None:
    """Tell the queue and the followers, after the commit."""
    await progress.dispatch(redis)
    events.wake(redis, execution_id)


def _row(request: StartRequest, plan: Plan, actor: Principal, workers: int) -> Execution:
    return Execution(
        workflow_id=request.workflow["id"],
        workflow_name=request.workflow["name"],
        workflow_version=request.workflow["version"],
        definition=_json(request.workflow["definition"]),
        plan=_json(plan),
        targets=_json(request.targets),
        variables=_json(request.variables),
        trigger=_json(request.trigger),
        dry_run=request.dry_run,
        test=request.mocks is not None,
        mocks=_json(request.mocks or {}),
        shard_size=progress.shard_size(len(request.hosts), workers),
        devices_total=len(request.hosts),
        requested_by=actor.user_id,
        requested_by_name=actor.username,
        request_id=context.current().request_id,
    )


async def _insert_hosts(execution_id: UUID, hosts: Sequence[HostRecord], *, keep: bool) -> None:
    rows = [
        ExecutionHost(
            execution=execution_id,
            host_key=host.key,
            device_id=UUID(host.id) if host.id else None,
            name=host.name,
            record=_json(host) if keep else None,
        )
        for host in hosts
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


async def _insert_stages(execution_id: UUID, plan: Plan) -> None:
    rows = [
        StageRun(execution=execution_id, stage=stage.index, predecessors_left=len(stage.predecessors))
        for stage in plan.stages
    ]
    for start in range(0, len(rows), INSERT_BATCH):
        await StageRun.insert(*rows[start : start + INSERT_BATCH])


async def _record_trigger(execution_id: UUID, plan: Plan, trigger: Mapping[str, Any]) -> None:
    await ResultRow.insert(
        ResultRow(
            execution=execution_id,
            node_id=plan.trigger,
            host_key=ONCE,
            status="success",
            outputs=_json(dict(trigger)),
            started_at=now(),
        )
    )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
