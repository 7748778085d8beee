"""Loops of ten times as many rounds, beside the shorter ones: what a round costs must not grow with their number."""

from tests.bench.measure import Figure, medians
from tests.bench.shapes import loop
from tests.bench.stack import Stack, running

MOST_TIMES = 12
DEVICE = "looped"
RUNS = 3


def measure() -> list[Figure]:
    """Return what the longer loops take: of a once node, of a device node, and round by round in stages."""
    with running() as stack:
        stack.add_devices([{"name": DEVICE, "address": "127.0.0.1", "platform": "cisco_ios"}])
        return [
            _figure(stack, "once loop", "bench:noop-once", 100, once=True),
            _figure(stack, "device loop", "bench:noop", 100, once=False),
            _figure(stack, "once loop of device stages", "bench:noop", 20, once=True, runs=1),
        ]


def _figure(stack: Stack, work: str, node_type: str, rounds: int, *, once: bool, runs: int = RUNS) -> Figure:
    short, long = (
        stack.add_workflow(f"{work} {count}", loop(node_type, count, once=once)) for count in (rounds, 10 * rounds)
    )
    devices = [] if node_type.endswith("-once") else [DEVICE]
    ours, peer = medians(lambda: stack.seconds(long, devices), lambda: stack.seconds(short, devices), runs)
    return Figure(
        work=f"{work}, {10 * rounds} rounds beside {rounds}", figure=ours, unit="s", peer=peer, goal=MOST_TIMES * peer
    )
