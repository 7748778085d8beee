"""Two branches of three seconds side by side, once and on one device, beside one such branch alone."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.bench.measure import Figure, medians
from tests.bench.network import fill, fleet_of, serving
from tests.bench.shapes import fan
from tests.bench.stack import Stack, running

NAP_S, GOAL_S = 3.0, 4.0
COMMANDS, LATENCY_S = 10, 0.28
"""Together some three seconds of SSH, the echo and the prompt included."""
RUNS = 2


def measure() -> list[Figure]:
    """Return how long two branches take: of once nodes, of device nodes, and of SSH commands on one device."""
    fleets = [[replace(device, latency_s=LATENCY_S) for device in fleet_of(2 * RUNS, "slow")]]
    with serving(fleets) as ports, running() as stack:
        fill(stack, fleets, ports)
        names = iter([device.name for device in fleets[0]])
        return [
            _figure(stack, "two once branches of 3 s", "bench:nap-once", list, seconds=NAP_S),
            _figure(stack, "two device branches of 3 s", "bench:nap", lambda: [fleets[0][0].name], seconds=NAP_S),
            _figure(
                stack,
                "two SSH branches, one device, cold",
                "ssh:command",
                lambda: [next(names)],
                command="\n".join(["show privilege"] * COMMANDS),
            ),
        ]


def _figure(stack: Stack, work: str, node_type: str, devices: Callable[[], list[str]], **parameters: Any) -> Figure:
    two = stack.add_workflow(work, fan(node_type, 2, **parameters))
    one = stack.add_workflow(f"one of {work}", fan(node_type, 1, **parameters))
    ours, peer = medians(lambda: stack.seconds(two, devices()), lambda: stack.seconds(one, devices()), RUNS)
    return Figure(work=work, figure=ours, unit="s", peer=peer, goal=GOAL_S)
