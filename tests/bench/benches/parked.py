"""Start to end of a no-op while 500 executions wait, and 500 more for approvals, beside one where none does."""

import time
from collections.abc import Callable
from typing import Any

from tests.bench.measure import Figure, medians
from tests.bench.shapes import chain
from tests.bench.stack import LOGS, Stack, running

PARKED, TIMES, WARM_UPS = 500, 60, 5
MOST_TIMES = 1.3
PATIENCE_S = 180
PAGE = 500
KINDS: dict[str, dict[str, Any]] = {"logic:wait": {"seconds": 600}, "flow:approval": {"message": "Go on?"}}


def measure() -> list[Figure]:
    """Return the median of a no-op's way with executions parked, in turns with a product that has none."""
    with running() as busy, running(logs=LOGS / "peer") as free:
        noops = [(stack, stack.add_workflow("noop", chain("bench:noop-once", 1))) for stack in (busy, free)]
        return [_figure(busy, noops, node_type, parameters) for node_type, parameters in KINDS.items()]


def _figure(stack: Stack, noops: list[tuple[Stack, str]], node_type: str, parameters: dict[str, Any]) -> Figure:
    workflow_id = stack.add_workflow(node_type, chain(node_type, 1, **parameters))
    for _ in range(PARKED):
        stack.start(workflow_id)
    _wait_until(lambda: _is_idle(stack) and _count_parked(stack, workflow_id) == PARKED)
    ours, peer = (lambda: _ms(*noops[0])), (lambda: _ms(*noops[1]))
    medians(ours, peer, WARM_UPS)
    ours_ms, peer_ms = medians(ours, peer, TIMES)
    _wait_until(lambda: _is_idle(stack))
    return Figure(
        work=f"with {PARKED} in {node_type}, p50", figure=ours_ms, unit="ms", peer=peer_ms, goal=MOST_TIMES * peer_ms
    )


def _ms(stack: Stack, workflow_id: str) -> float:
    return stack.seconds(workflow_id) * 1000


def _count_parked(stack: Stack, workflow_id: str) -> int:
    return len(stack.get("/automation/v1/executions", status="waiting", workflow_id=workflow_id, limit=PAGE))


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
