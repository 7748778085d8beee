"""The reconciler: what got lost between PostgreSQL, Redis and workers is found again and sent again."""

from typing import Any
from uuid import UUID

from redis import Redis
from rq.exceptions import NoSuchJobError
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from app.automation.executions import events, parking, standing, timing
from app.automation.executions.sharding import shard_job
from app.core import database, queue
from app.core.clock import uuid7
from app.core.logging import get_logger

LOCK = 0x0C05_0002

log = get_logger(__name__)


async def keep_time(redis: Redis) -> int:
    """Let go on what has waited long enough, stop what has lasted too long, and return how many executions that were.

    Any number of processes may do it at once.
    """
    concerned = [
        *await parking.resume_due(),
        *await standing.stop_overdue(),
        *await standing.stop_orphans(),
    ]
    if concerned:
        await queue.dispatch(redis)
    for execution_id in concerned:
        events.wake(redis, execution_id)
    return len(concerned)


async def reconcile(redis: Redis) -> int:
    """Send what is due again and return how many shards that were; one process at a time does it."""
    for shard in await _find_stopped():
        await standing.drop_shard(shard["execution"], shard["id"])
    async with database.transaction():
        held = await database.fetch_one("SELECT pg_try_advisory_xact_lock($1) AS held", LOCK)
        if held is None or not held["held"]:
            return 0
        abandoned = await _release_abandoned()
        lost = await _find_lost(redis)
        for shard in (*abandoned, *lost):
            await _send_again(shard)
    await queue.dispatch(redis)
    return len(abandoned) + len(lost)


async def _find_stopped() -> list[dict[str, Any]]:
    """Return the shards of stopped executions that no living worker is about to end."""
    return await database.fetch(
        "SELECT shards.id, shards.execution FROM shards JOIN executions ON executions.id = shards.execution "
        "WHERE executions.stop_reason <> '' "
        "AND (shards.status = 'queued' OR (shards.status = 'running' AND shards.lease_until < now()))"
    )


async def _release_abandoned() -> list[dict[str, Any]]:
    """Put shards whose lease has run out back into the queue: their worker is dead, or as good as."""
    rows = await database.fetch(
        "UPDATE shards SET status = 'queued', lease_until = NULL WHERE status = 'running' AND lease_until < now() "
        "AND NOT EXISTS (SELECT 1 FROM executions WHERE executions.id = shards.execution "
        "AND executions.stop_reason <> '') RETURNING id, queue, attempt, owner"
    )
    for row in rows:
        log.warning("worker lost, shard goes to another", shard=str(row["id"]), owner=row["owner"])
    return rows


async def _find_lost(redis: Redis) -> list[dict[str, Any]]:
    """Return waiting shards whose queue job Redis has lost, or that a worker took and never began."""
    rows = await database.fetch(
        "SELECT id, queue, job, extract(epoch FROM now() - sent_at)::float AS waiting_s FROM shards "
        "WHERE status = 'queued' AND sent_at < now() - make_interval(secs => $1) "
        "AND NOT EXISTS (SELECT 1 FROM queue_outbox WHERE queue_outbox.id = shards.job)",
        timing.current().sent_s,
    )
    lost = [row for row in rows if _is_lost(redis, row["job"], row["waiting_s"])]
    for row in lost:
        log.warning("queue job lost, shard is sent again", shard=str(row["id"]))
    return lost


def _is_lost(redis: Redis, job_id: UUID, waiting_s: float) -> bool:
    try:
        status = Job.fetch(str(job_id), connection=redis, serializer=JSONSerializer).get_status()
    except NoSuchJobError:
        return True
    if status == JobStatus.STARTED:
        return waiting_s > timing.current().started_s
    return status not in {JobStatus.QUEUED, JobStatus.CREATED}


async def _send_again(shard: dict[str, Any]) -> None:
    job_id = uuid7()
    await database.execute("UPDATE shards SET job = $2, sent_at = now() WHERE id = $1", shard["id"], job_id)
    await queue.post([shard_job(str(shard["queue"]), UUID(str(shard["id"])), job_id)])
