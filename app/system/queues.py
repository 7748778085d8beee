"""What RQ says of its queues and workers."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import anyio.to_thread
from redis import Redis
from rq import Queue, Worker
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import BaseWorker

from app.core.clock import now
from app.core.queue import QUEUES, queue


@dataclass(frozen=True, kw_only=True)
class QueueState:
    """How full a queue is."""

    name: str
    depth: int
    oldest_age_s: float | None
    started: int
    failed: int


async def list_queues(redis: Redis) -> list[dict[str, Any]]:
    """Return the state of each queue, those of the house first."""
    return await anyio.to_thread.run_sync(_list_queues, redis)


async def list_workers(redis: Redis) -> list[dict[str, Any]]:
    """Return the workers that were heard from within their lease."""
    return await anyio.to_thread.run_sync(_list_workers, redis)


def _list_queues(redis: Redis) -> list[dict[str, Any]]:
    others = {one.name for one in Queue.all(connection=redis)} - set(QUEUES)
    return [asdict(_state(queue(name, redis))) for name in (*QUEUES, *sorted(others))]


def _state(one: Queue) -> QueueState:
    return QueueState(
        name=one.name,
        depth=one.count,
        oldest_age_s=_oldest_age_s(one),
        started=one.started_job_registry.get_job_count(cleanup=False),
        failed=one.failed_job_registry.get_job_count(cleanup=False),
    )


def _oldest_age_s(one: Queue) -> float | None:
    for job_id in one.get_job_ids(0, 1):
        try:
            enqueued_at = Job.fetch(job_id, connection=one.connection, serializer=JSONSerializer).enqueued_at
        except NoSuchJobError:
            return None
        return None if enqueued_at is None else round((now() - _aware(enqueued_at)).total_seconds(), 1)
    return None


def _list_workers(redis: Redis) -> list[dict[str, Any]]:
    workers = Worker.all(connection=redis, serializer=JSONSerializer)
    return [_describe(worker) for worker in sorted(workers, key=lambda one: one.name)]


def _describe(worker: BaseWorker) -> dict[str, Any]:
    return {
        "name": worker.name,
        "state": str(worker.get_state()),
        "hostname": worker.hostname,
        "pid": worker.pid,
        "queues": worker.queue_names(),
        "current_jobs": [execution.job_id for execution in worker.get_current_executions()],
        "last_heartbeat_at": worker.last_heartbeat and _aware(worker.last_heartbeat),
        "started_at": worker.birth_date and _aware(worker.birth_date),
        "succeeded": worker.successful_job_count,
        "failed": worker.failed_job_count,
    }


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
