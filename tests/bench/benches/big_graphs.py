"""Chains of 2,000 nodes and fans of 500 branches, run to success, beside a tenth of each."""

from collections.abc import Callable, Sequence
from typing import Any

from tests.bench.measure import Figure
from tests.bench.shapes import chain, fan
from tests.bench.stack import Stack, running

CHAIN, FAN, TENTH = 2000, 500, 10
DEVICES = ("big1", "big2")


def measure() -> list[Figure]:
    """Return what a node of a big graph costs, beside one of a graph a tenth as big."""
    with running() as stack:
        stack.add_devices([{"name": name, "address": "127.0.0.1", "platform": "cisco_ios"} for name in DEVICES])
        stack.execute(stack.add_workflow("warm-up", chain("bench:noop", 1)), DEVICES)
        return [
            figure
            for shape, size in ((chain, CHAIN), (fan, FAN))
            for node_type, devices in (("bench:noop-once", ()), ("bench:noop", DEVICES))
            for figure in _figures(stack, shape, size, node_type, devices)
        ]


def _figures(
    stack: Stack, shape: Callable[[str, int], dict[str, Any]], size: int, node_type: str, devices: Sequence[str]
) -> list[Figure]:
    where = f"on {len(devices)} devices" if devices else "once"
    work = f"{shape.__name__} of {size}, {where}"
    small, big = (
        stack.seconds(stack.add_workflow(f"{work} {count}", shape(node_type, count)), devices)
        for count in (size // TENTH, size)
    )
    per_node, per_node_small = big * 1000 / size, small * 1000 * TENTH / size
    return [
        Figure(work=work, figure=big, unit="s", peer=small),
        Figure(work=f"{work}, a node", figure=per_node, unit="ms", peer=per_node_small),
    ]
