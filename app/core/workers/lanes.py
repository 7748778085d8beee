"""Lanes: queues that each belong to one worker of a machine, so that the same worker serves the same devices.

An idle worker takes over from the others' lanes, but only after a moment: Redis gives a job to whoever waits longest,
not to whom it belongs.
"""

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, ClassVar

from redis import Redis
from rq import Queue
from rq.exceptions import DequeueTimeout
from rq.job import Job

from app.core.queue import DEFAULT, DEVICES, HIGH, LOW

STEAL_AFTER_S, SPARE_STEALS_AFTER_S = 0.25, 0.05
"""How long a job must have been the first in its lane before another's worker takes it, or one that is there for it."""


def queues_of(number: int, workers: int) -> tuple[list[str], list[str]]:
    """Return the queues that one of a machine's workers waits on, and those that it looks at when it is idle.

    One without a lane of its own (there are more workers than lanes, or it is a spare one) looks at all of them.
    """
    own = [name for lane, name in enumerate(DEVICES) if lane % workers == number]
    return [HIGH, DEFAULT, *own, LOW], [name for name in DEVICES if name not in own]


class LaneQueue(Queue):
    """RQ's queue; of those that a worker names, it waits on the first ``own``, and looks at the rest when idle."""

    own: ClassVar[int] = 0
    steal_after_s: ClassVar[float] = STEAL_AFTER_S

    @classmethod
    def dequeue_any(
        cls, queues: Iterable[Queue], timeout: int | None, connection: Redis, *options: Any, **more: Any
    ) -> tuple[Job, Queue] | None:
        """Return the next job; raises DequeueTimeout when there is none in ``timeout`` seconds."""
        queues = list(queues)
        if timeout is None or cls.own >= len(queues):
            return super().dequeue_any(queues, timeout, connection, *options, **more)
        take: Any = super().dequeue_any  # RQ says int, Redis takes parts of a second
        mine, others = queues[: cls.own], queues[cls.own :]
        give_up_at, seen = time.monotonic() + timeout, _firsts(others, connection)
        found: tuple[Job, Queue] | None = None
        while found is None and time.monotonic() < give_up_at:
            with suppress(DequeueTimeout):
                found = take(mine, cls.steal_after_s, connection, *options, **more)
            if found is None:
                before, seen = seen, _firsts(others, connection)
                left = [one for one, first in zip(others, seen, strict=True) if first and first in before]
                found = take(left, None, connection, *options, **more) if left else None
        if found is None:
            raise DequeueTimeout(timeout, [one.key for one in queues])
        return found


def _firsts(queues: Sequence[Queue], connection: Redis) -> list[Any]:
    """Return the first job's id of each queue, or None."""
    with connection.pipeline(transaction=False) as pipeline:
        for one in queues:
            pipeline.lindex(one.key, 0)
        return pipeline.execute()
