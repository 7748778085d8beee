"""Lanes: queues that each belong to one worker of a machine, so that the same worker serves the same devices.

An idle worker takes over from the others' lanes, but only after a moment: Redis gives a job to whoever waits longest,
not to whom it belongs.
"""

import time
from collections.abc import Iterable
from typing import Any, ClassVar

from redis import Redis
from rq import Queue
from rq.exceptions import DequeueTimeout
from rq.job import Job

from app.core.queue import DEFAULT, DEVICES, HIGH, LOW

STEAL_AFTER_S = 0.25
GLANCE_S = 0.01
"""How long a worker looks at lanes that are not its own; Redis takes 0 for ever."""


def queues_of(number: int, workers: int) -> tuple[list[str], list[str]]:
    """Return the queues that one of a machine's workers waits on, and those that it looks at when it is idle.

    A worker without a lane of its own (there are more workers than lanes, or it is a spare one) waits on all.
    """
    own = [name for lane, name in enumerate(DEVICES) if lane % workers == number]
    others = [name for name in DEVICES if name not in own]
    return ([HIGH, DEFAULT, *own, LOW], others) if own else ([HIGH, DEFAULT, *DEVICES, LOW], [])


class LaneQueue(Queue):
    """RQ's queue; of those that a worker names, it waits on the first ``own``, and looks at the rest when idle."""

    own: ClassVar[int] = 0

    @classmethod
    def dequeue_any(
        cls, queues: Iterable[Queue], timeout: int | None, connection: Redis, *options: Any, **more: Any
    ) -> tuple[Job, Queue] | None:
        """Return the next job; raises DequeueTimeout when there is none in ``timeout`` seconds."""
        queues = list(queues)
        if timeout is None or cls.own >= len(queues):
            return super().dequeue_any(queues, timeout, connection, *options, **more)
        give_up_at = time.monotonic() + timeout
        waits: Any = super().dequeue_any  # RQ says int, Redis takes parts of a second
        while time.monotonic() < give_up_at:
            for some, patience_s in ((queues[: cls.own], STEAL_AFTER_S), (queues[cls.own :], GLANCE_S)):
                try:
                    found: tuple[Job, Queue] | None = waits(some, patience_s, connection, *options, **more)
                except DequeueTimeout:
                    continue
                return found
        raise DequeueTimeout(timeout, [one.key for one in queues])
