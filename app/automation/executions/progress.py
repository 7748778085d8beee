"""How an execution moves on: stages begin, shards end, and the last of them settles it; each exactly once."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
from redis import Redis
from redis.exceptions import RedisError

from app.automation.executions import events
from app.automation.executions.changes import LEASE_S, Claim
from app.automation.executions.events import Event
from app.automation.executions.records import ONCE
from app.automation.executions.settlement import settle
from app.automation.workflows.graph import Plan, Stage
from app.core import database, queue
from app.core.clock import uuid7
from app.core.database import DatabaseThread
from app.core.logging import get_logger
from app.core.queue import QueueJob

RUN_SHARD = "app.automation.executions.queued.run_shard"
SMALLEST_SHARD, LARGEST_SHARD = 13, 100

log = get_logger(__name__)


def shard_size(hosts: int, workers: int) -> int:
    """Return how many hosts one queue job works on: an even share, within bounds."""
    return min(LARGEST_SHARD, max(SMALLEST_SHARD, -(-hosts // max(1, workers))))


async def start_stages(execution_id: UUID, stages: Sequence[Stage]) -> None:
    """Begin stages inside the caller's transaction: their shards, and the queue jobs that carry them."""
    for stage in stages:
        host_keys = [ONCE] if stage.scope == "once" else await _host_keys(execution_id)
        size = await _shard_size(execution_id)
        stage_run = await database.fetch_one(
            "UPDATE stage_runs SET status = 'running', devices_left = $3, started_at = now() "
            "WHERE execution = $1 AND stage = $2 RETURNING id",
            execution_id,
            stage.index,
            len(host_keys),
        )
        assert stage_run is not None, "a plan's stages are rows from the start"  # noqa: S101 — an invariant, not input
        carrier = queue.DEFAULT if stage.scope == "once" else queue.DEVICES
        cuts = [host_keys[start : start + size] for start in range(0, len(host_keys), size)]
        shards = [(uuid7(), uuid7(), hosts) for hosts in cuts]
        await database.execute_many(
            "INSERT INTO shards (id, execution, stage_run, stage, queue, host_keys, job, status, attempt, owner, "
            "sent_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 'queued', 0, '', now(), now())",
            [(shard, execution_id, stage_run["id"], stage.index, carrier, hosts, job) for shard, job, hosts in shards],
        )
        await queue.post([shard_job(carrier, shard, job) for shard, job, _ in shards])


def shard_job(carrier: str, shard_id: UUID, job_id: UUID) -> QueueJob:
    """Return the queue job that carries a shard."""
    return QueueJob(queue=carrier, function=RUN_SHARD, arguments=[str(shard_id)], id=job_id)


async def claim_shard(shard_id: UUID, owner: str) -> Claim | None:
    """Claim a shard that nobody works on; None when another delivery has it, it is done, or it was cancelled."""
    async with database.transaction():
        await database.execute(
            "SELECT 1 FROM executions WHERE id = (SELECT execution FROM shards WHERE id = $1) FOR UPDATE", shard_id
        )
        row = await database.fetch_one(
            """
            UPDATE shards SET status = 'running', attempt = attempt + 1, owner = $2,
                lease_until = now() + make_interval(secs => $3)
            WHERE id = $1 AND (status = 'queued' OR (status = 'running' AND lease_until < now()))
                AND NOT EXISTS (SELECT 1 FROM executions WHERE executions.id = shards.execution
                    AND executions.cancel_requested_at IS NOT NULL)
            RETURNING attempt, execution
            """,
            shard_id,
            owner,
            LEASE_S,
        )
        if row is None:
            return None
        begun = await database.fetch_one(
            "UPDATE executions SET status = 'running', started_at = now() "
            "WHERE id = $1 AND status = 'queued' RETURNING id",
            row["execution"],
        )
        if begun is not None:
            await events.append(row["execution"], [Event("execution.started", {"status": "running"})])
    return Claim(shard_id=shard_id, attempt=row["attempt"], execution_id=row["execution"])


async def finish_shard(claim: Claim, plan: Plan) -> bool:
    """End a shard whose results are committed, and move the execution on; False when the shard was taken over."""
    async with database.transaction():
        await database.execute("SELECT 1 FROM executions WHERE id = $1 FOR UPDATE", claim.execution_id)
        done = await database.fetch_one(
            "UPDATE shards SET status = 'done', finished_at = now(), lease_until = NULL "
            "WHERE id = $1 AND attempt = $2 AND status = 'running' "
            "RETURNING stage_run, cardinality(host_keys) AS hosts",
            claim.shard_id,
            claim.attempt,
        )
        if done is None:
            return False
        stage_run = await database.fetch_one(
            "UPDATE stage_runs SET devices_left = devices_left - $2 WHERE id = $1 RETURNING stage, devices_left",
            done["stage_run"],
            done["hosts"],
        )
        if stage_run is not None and stage_run["devices_left"] == 0:
            await _end_stage(claim.execution_id, plan, plan.stages[stage_run["stage"]])
        await _settle_if_over(claim.execution_id)
    return True


async def cancel(execution_id: UUID) -> bool:
    """Ask an execution to stop, and drop what no worker has begun; False when it has ended already."""
    async with database.transaction():
        asked = await database.fetch_one(
            "UPDATE executions SET cancel_requested_at = now() WHERE id = $1 AND finished_at IS NULL "
            "AND cancel_requested_at IS NULL RETURNING id",
            execution_id,
        )
        if asked is None:
            return False
        await events.append(execution_id, [Event("execution.cancelling", {})])
        await database.execute(
            "UPDATE shards SET status = 'cancelled', finished_at = now() WHERE execution = $1 AND status = 'queued'",
            execution_id,
        )
        await _settle_if_over(execution_id)
    return True


async def drop_shard(execution_id: UUID, shard_id: UUID) -> None:
    """Give up what is left of a shard of a cancelled execution, and settle the execution if that was the last."""
    async with database.transaction():
        await database.execute("SELECT 1 FROM executions WHERE id = $1 FOR UPDATE", execution_id)
        await database.execute(
            "UPDATE shards SET status = 'cancelled', finished_at = now(), lease_until = NULL "
            "WHERE id = $1 AND status IN ('queued', 'running')",
            shard_id,
        )
        await _settle_if_over(execution_id)


async def _end_stage(execution_id: UUID, plan: Plan, stage: Stage) -> None:
    await database.execute(
        "UPDATE stage_runs SET status = 'done', finished_at = now() WHERE execution = $1 AND stage = $2",
        execution_id,
        stage.index,
    )
    ended = await database.fetch(
        "UPDATE node_executions SET finished_at = now() WHERE execution = $1 AND node_id = ANY($2) "
        "RETURNING node_id, succeeded, failed, skipped, unknown, cancelled",
        execution_id,
        list(stage.nodes),
    )
    await events.append(execution_id, [Event("node.ended", row) for row in ended])
    released = await database.fetch(
        "UPDATE stage_runs SET predecessors_left = predecessors_left - 1 WHERE execution = $1 AND stage = ANY($2) "
        "RETURNING stage, predecessors_left, (SELECT cancel_requested_at FROM executions WHERE id = $1) AS cancelled",
        execution_id,
        list(stage.successors),
    )
    ready = [row["stage"] for row in released if row["predecessors_left"] == 0 and row["cancelled"] is None]
    await start_stages(execution_id, [plan.stages[index] for index in sorted(ready)])


async def _settle_if_over(execution_id: UUID) -> None:
    """Settle the execution when no shard is left that runs or will run."""
    row = await database.fetch_one(
        """
        SELECT EXISTS (SELECT 1 FROM shards WHERE execution = $1 AND status IN ('queued', 'running')) AS working,
            EXISTS (SELECT 1 FROM stage_runs WHERE execution = $1 AND status <> 'done') AS waiting,
            cancel_requested_at IS NOT NULL AS cancelled
        FROM executions WHERE id = $1
        """,
        execution_id,
    )
    if row is not None and not row["working"] and (row["cancelled"] or not row["waiting"]):
        await settle(execution_id)


async def _host_keys(execution_id: UUID) -> list[str]:
    rows = await database.fetch("SELECT host_key FROM execution_hosts WHERE execution = $1 ORDER BY id", execution_id)
    return [row["host_key"] for row in rows]


async def _shard_size(execution_id: UUID) -> int:
    row = await database.fetch_one("SELECT shard_size FROM executions WHERE id = $1", execution_id)
    return int(row["shard_size"]) if row else SMALLEST_SHARD


def read_plan(text: str) -> Plan:
    """Read a stored plan."""
    return msgspec.json.decode(text, type=Plan)


def dispatch_quietly(db: DatabaseThread, redis: Redis) -> None:
    """Send the outbox now; when Redis is away the reconciler sends it later."""
    try:
        db.run(queue.dispatch(redis))
    except (RedisError, *database.CONNECTION_ERRORS) as error:
        log.warning("queue jobs wait in the outbox", error=str(error))


async def dispatch(redis: Redis) -> None:
    """Send the outbox now, from a request; when Redis is away the reconciler sends it later."""
    try:
        await queue.dispatch(redis)
    except RedisError as error:
        log.warning("queue jobs wait in the outbox", error=str(error))
