"""Start to end of a no-op while 500 executions are parked, beside the same before any was."""

import statistics
import time
from collections.abc import Callable
from typing import Any

from tests.bench.measure import Figure
from tests.bench.shapes import chain
from tests.bench.stack import Stack, running

PARKED, TIMES, WARM_UPS = 500, 60, 10
MOST_TIMES = 1.3
PATIENCE_S = 180
PAGE = 500
KINDS: dict[str, dict[str, Any]] = {"logic:wait": {"seconds": 600}, "flow:approval": {"message": "Go on?"}}


def measure() -> list[Figure]:
    """Return the median of a no-op's way with 500 executions parked, for waits and for approvals."""
    return [_figure(node_type, parameters) for node_type, parameters in KINDS.items()]


def _figure(node_type: str, parameters: dict[str, Any]) -> Figure:
    with running() as stack:
        noop = stack.add_workflow("noop", chain("bench:noop-once", 1))
        _median_ms(stack, noop, WARM_UPS)
        before_ms = _median_ms(stack, noop, TIMES)
        waiting = stack.add_workflow("waiting", chain(node_type, 1, **parameters))
        for _ in range(PARKED):
            stack.start(waiting)
        _wait_until(lambda: _count_waiting(stack) == PARKED and _is_idle(stack))
        _median_ms(stack, noop, WARM_UPS)
        after_ms = _median_ms(stack, noop, TIMES)
        _wait_until(lambda: _is_idle(stack))
    goal_ms = MOST_TIMES * before_ms
    return Figure(work=f"{PARKED} in {node_type}, p50", figure=after_ms, unit="ms", peer=before_ms, goal=goal_ms)


def _median_ms(stack: Stack, workflow_id: str, times: int) -> float:
    return statistics.median(stack.seconds(workflow_id) for _ in range(times)) * 1000


def _count_waiting(stack: Stack) -> int:
    return len(stack.get("/automation/v1/executions", status="waiting", limit=PAGE))


def _is_idle(stack: Stack) -> bool:
    """Say whether no queue holds a job and no worker has one."""
    queues, workers = stack.get("/system/v1/queues"), stack.get("/system/v1/workers")
    return not any(one["depth"] or one["started"] for one in queues) and all(one["state"] == "idle" for one in workers)


def _wait_until(holds: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > give_up_at:
            raise RuntimeError(f"The executions are not all parked, with every worker idle, after {PATIENCE_S} s")
        time.sleep(0.2)
