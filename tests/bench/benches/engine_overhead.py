"""CPU that workers use per node and device, beside the same no-op functions in a bare Nornir script."""

import time

from tests.bench.measure import Figure, medians
from tests.bench.peers import ask
from tests.bench.stack import Stack, running
from tests.support.graphs import step, workflow

DEVICES, NODES = 2000, 3
IDLE_S = 6.0
SETTLE_S = 0.5
"""How long the last work-horses may take to end after the execution."""
GOAL_MS = 0.3


def measure() -> list[Figure]:
    """Run three no-ops on 2,000 devices, and return what one of them costs."""
    with running() as stack:
        names = [f"noop-{number:05d}" for number in range(DEVICES)]
        stack.add_devices([{"name": name, "address": "127.0.0.1", "platform": "cisco_ios"} for name in names])
        chain = [f"n{number}" for number in range(NODES)]
        edges = tuple(f"{source} -> {target}" for source, target in zip(["start", *chain], chain, strict=False))
        workflow_id = stack.add_workflow("noops", workflow(*(step(one, "bench:noop") for one in chain), edges=edges))
        stack.execute(workflow_id, names[:1])
        idle = stack.idle_rate(IDLE_S)
        ours, peer = medians(lambda: _ours(stack, workflow_id, names, idle), _peer)
    return [Figure(work="CPU per node and device", figure=ours, unit="ms", peer=peer, goal=GOAL_MS)]


def _ours(stack: Stack, workflow_id: str, names: list[str], idle: float) -> float:
    before, begin = stack.worker_cpu_s(), time.monotonic()
    stack.execute(workflow_id, names)
    time.sleep(SETTLE_S)
    used_s = stack.worker_cpu_s() - before - idle * (time.monotonic() - begin)
    return used_s * 1000 / (DEVICES * NODES)


def _peer() -> float:
    cpu_s: float = ask("nornir_noop", {"devices": DEVICES, "nodes": NODES})["cpu_s"]
    return cpu_s * 1000 / (DEVICES * NODES)
