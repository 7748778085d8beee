"""What a running product holds at one moment: memory, descriptors, connections, keys."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
import psutil
from redis import Redis

from app.core.settings import PostgresSettings
from tests.bench.stack import Stack


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One look; ``at_s`` is in seconds after the load began."""

    at_s: float
    workers_mb: float
    api_mb: float
    redis_mb: float
    processes: float
    descriptors: float
    connections: float
    keys: float


def take(stack: Stack, at_s: float) -> Sample:
    """Look at a product."""
    family = [*stack.worker_family(), stack.api, *stack.api.children(recursive=True)]
    with Redis.from_url(stack.redis_url) as redis:
        keys, redis_bytes = int(redis.dbsize()), int(redis.info("memory")["used_memory"])
    return Sample(
        at_s=at_s,
        workers_mb=stack.worker_mb(),
        api_mb=stack.api.memory_full_info().pss / 2**20,
        redis_mb=redis_bytes / 2**20,
        processes=len(family),
        descriptors=sum(_descriptors(family)),
        connections=asyncio.run(_connections(stack.postgres)),
        keys=keys,
    )


def _descriptors(family: Sequence[psutil.Process]) -> list[int]:
    counts = []
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):  # one that has just ended holds none
            counts.append(process.num_fds())
    return counts


async def _connections(settings: PostgresSettings) -> int:
    """Count the connections to the product's database, but for the one that counts."""
    connection = await asyncpg.connect(**settings.connect_arguments())
    try:
        count: int = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    finally:
        await connection.close()
    return count
