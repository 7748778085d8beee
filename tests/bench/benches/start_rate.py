"""100 starts a second for a minute, each a no-op on one device, beside a tenth of that: nothing may get lost.

Starts are sent when they are due, however long earlier ones take; a start that is late is late by the client's clock.
"""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from tests.bench.measure import RUNS, Figure, percentile, say, size
from tests.bench.shapes import chain
from tests.bench.stack import Stack, running

RATE, SECONDS = 100, size("START_RATE_SECONDS", 60)
PEER_RATE = RATE // 10
CLIENTS = 32
PATIENCE_S = 300
DEVICE = "noop"
EXECUTIONS = "/automation/v1/executions"
LOOK_EVERY_S = 1.0
GOAL_LATE_S = 1.0
"""How late the last start may have been answered: later, it were not so many a second."""


class Run(NamedTuple):
    """How many were lost, how late the last start was answered, and how long one took to its end, in seconds."""

    lost: int
    late_s: float
    p99_s: float
    slowest_s: float


def measure() -> list[Figure]:
    """Return what was lost, and how long a start waited for its end."""
    with running() as stack:
        stack.add_devices([{"name": DEVICE, "address": "127.0.0.1", "platform": "cisco_ios"}])
        peer = _run(stack, PEER_RATE)
        runs = [_run(stack, RATE) for _ in range(size("START_RATE_RUNS", RUNS))]
    lost = max(run.lost for run in runs)
    _, late_s, p99_s, slowest_s = (statistics.median(values) for values in zip(*runs, strict=True))
    work = f"{RATE} starts/s for {SECONDS} s"
    return [
        Figure(work=f"{work}, lost in any of {len(runs)} runs", figure=lost, unit="executions", goal=0.0),
        Figure(work=f"{work}, last one answered late by", figure=late_s, unit="s", goal=GOAL_LATE_S),
        Figure(work=f"{work}, start to end, p99", figure=p99_s, unit="s", peer=peer.p99_s),
        Figure(work=f"{work}, slowest", figure=slowest_s, unit="s", peer=peer.slowest_s),
    ]


def _run(stack: Stack, rate: int) -> Run:
    workflow_id = stack.add_workflow(f"noop {time.time_ns()}", chain("bench:noop", 1))
    count, begin = rate * SECONDS, time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = [clients.submit(_start_at, stack, workflow_id, begin + number / rate) for number in range(count)]
        ids = [str(answer.result()["id"]) for answer in answers]
    late_s = time.monotonic() - begin - SECONDS
    ended = _ended(stack, workflow_id, count)
    if not ended:
        raise RuntimeError(f"none of {count} executions has succeeded after {PATIENCE_S} s")
    delays = [_delay_s(execution) for execution in ended.values()]
    lost = len(set(ids) - set(ended)) + count - len(set(ids))
    say(f"{rate} starts/s: last one answered {late_s:.1f} s late, {lost} lost, slowest {max(delays):.2f} s")
    return Run(lost, max(0.0, late_s), percentile(delays, 99), max(delays))


def _start_at(stack: Stack, workflow_id: str, due: float) -> dict[str, Any]:
    time.sleep(max(0.0, due - time.monotonic()))
    return stack.start(workflow_id, [DEVICE])


def _ended(stack: Stack, workflow_id: str, count: int) -> dict[str, dict[str, Any]]:
    """Return the executions that have succeeded, once all have or nobody can expect it any more."""
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        query = {"workflow_id": workflow_id, "status": "success"}
        if stack.count(EXECUTIONS, **query) >= count or time.monotonic() > give_up_at:
            return {row["id"]: row for row in stack.pages(EXECUTIONS, **query)}
        time.sleep(LOOK_EVERY_S)


def _delay_s(execution: dict[str, Any]) -> float:
    took = datetime.fromisoformat(execution["finished_at"]) - datetime.fromisoformat(execution["created_at"])
    return took / timedelta(seconds=1)
