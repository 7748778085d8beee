"""Workers that RQ believes to have heard from, without a process behind them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from redis import Redis
from rq import Worker
from rq.serializers import JSONSerializer

from app.core.queue import queue


@contextmanager
def registered(redis: Redis, queues: Sequence[str] = ("default",), name: str = "worker-1") -> Iterator[Any]:
    """Register a worker of some queues, and take it away at the end."""
    worker: Any = Worker([queue(one, redis) for one in queues], name=name, connection=redis, serializer=JSONSerializer)
    worker.register_birth()
    yield worker
    worker.register_death()
