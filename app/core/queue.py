"""The queue: RQ with JSON payloads, fed from the outbox so that no job is lost between PostgreSQL and Redis.

A job is a dotted function name and ids, never an object or a secret. Redis may lose all of them: PostgreSQL knows
what is still to be done, and the reconciler sends it again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID
from zlib import crc32

import anyio.to_thread
import msgspec
from redis import Redis
from rq import Queue
from rq.exceptions import DuplicateJobError
from rq.serializers import JSONSerializer

from app.core import context, database
from app.core.clock import uuid7

HIGH, DEFAULT, LOW = "high", "default", "low"
LANES = 16
"""How many queues there are for work on devices: a device's work always goes to the same."""
DEVICES = tuple(f"devices-{lane}" for lane in range(LANES))
QUEUES = (HIGH, DEFAULT, LOW, *DEVICES)
JOB_TIMEOUT_S = 24 * 3600
RESULT_TTL_S = 600
FAILURE_TTL_S = 7 * 24 * 3600
BATCH = 500


@dataclass(frozen=True, kw_only=True)
class QueueJob:
    """A call that a worker is to make: ``function`` is a dotted name, ``arguments`` are JSON values."""

    queue: str
    function: str
    arguments: Sequence[Any] = ()
    id: UUID = field(default_factory=uuid7)


def lane_of(device_key: str) -> int:
    """Return the lane of a device, the same in every process."""
    return crc32(device_key.encode()) % LANES


def connect(redis_url: str) -> Redis:
    """Return a client that gives up on a silent Redis after a few seconds."""
    return Redis.from_url(redis_url, socket_connect_timeout=5, health_check_interval=30)


def queue(name: str, redis: Redis) -> Queue:
    """Return RQ's queue of a name."""
    return Queue(name, connection=redis, serializer=JSONSerializer)


async def post(jobs: Sequence[QueueJob]) -> None:
    """Write jobs into the outbox, inside the caller's transaction."""
    request_id = context.current().request_id
    rows = [
        (job.id, job.queue, job.function, msgspec.json.encode([*job.arguments, request_id]).decode()) for job in jobs
    ]
    await database.execute_many(
        "INSERT INTO queue_outbox (id, queue, function, arguments, created_at) VALUES ($1, $2, $3, $4, now())", rows
    )


async def dispatch(redis: Redis) -> int:
    """Send what the outbox holds and return how many jobs that were; safe to run in many processes at once."""
    sent = 0
    while batch := await _dispatch_batch(redis):
        sent += batch
    return sent


async def _dispatch_batch(redis: Redis) -> int:
    async with database.transaction():
        entries = await database.fetch(
            "SELECT id, queue, function, arguments FROM queue_outbox ORDER BY created_at LIMIT $1 "
            "FOR UPDATE SKIP LOCKED",
            BATCH,
        )
        if entries:
            await anyio.to_thread.run_sync(_send, redis, entries)
            await database.execute("DELETE FROM queue_outbox WHERE id = ANY($1)", [entry["id"] for entry in entries])
    return len(entries)


def _send(redis: Redis, entries: Sequence[dict[str, Any]]) -> None:
    for entry in entries:
        try:
            queue(entry["queue"], redis).enqueue_call(
                entry["function"],
                args=msgspec.json.decode(entry["arguments"]),
                job_id=str(entry["id"]),
                timeout=JOB_TIMEOUT_S,
                result_ttl=RESULT_TTL_S,
                failure_ttl=FAILURE_TTL_S,
                unique=True,
            )
        except DuplicateJobError:
            continue  # sent before a commit that was cut off; the job is there
