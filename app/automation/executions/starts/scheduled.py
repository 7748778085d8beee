"""Due times that start workflows: each of a schedule's starts one execution, whoever notices it first."""

from datetime import UTC, datetime
from uuid import UUID

from redis import Redis

from app.automation.executions import service, starting
from app.automation.executions.idempotency import Started
from app.automation.executions.schemas import ExecuteRequest
from app.automation.executions.starts import claims
from app.automation.workflows import service as workflows
from app.automation.workflows.graph import Catalogue
from app.core.access import Principal


async def start_scheduled(
    workflow_id: UUID,
    schedule_id: UUID,
    due_at: datetime,
    given: ExecuteRequest,
    *,
    catalogue: Catalogue,
    actor: Principal,
    redis: Redis,
    workers: int,
) -> Started:
    """Start a workflow for a schedule's due time, or return the execution which that has started already."""
    due = due_at.astimezone(UTC).isoformat()
    wanted = ExecuteRequest(
        targets=given.targets,
        variables=given.variables,
        trigger={**given.trigger, "schedule_id": str(schedule_id), "due_at": due},
        trigger_node=given.trigger_node,
        dry_run=given.dry_run,
    )

    async def begin() -> UUID:
        workflow = await workflows.get_workflow(workflow_id)
        return await service.begin_execution(workflow, wanted, catalogue, actor, workers=workers, kind="schedule")

    started = await claims.once("schedule", f"{schedule_id}:{due}", begin)
    if not started.replayed:
        await starting.announce(started.execution_id, redis)
    return started
