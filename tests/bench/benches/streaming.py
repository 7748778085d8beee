"""Three SSH nodes on 200 devices of which one hangs in the first, beside the same on devices that all answer."""

import statistics
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from app.demo.network.devices import Fault, SimulatedDevice
from tests.bench.measure import Figure, in_turns
from tests.bench.network import fill, fleet_of, serving
from tests.bench.shapes import chain
from tests.bench.stack import Stack, running

DEVICES, NODES, RUNS = 200, 3, 2
HANG_S = 20
MOST_TIMES = 1.3
PAGE = 500

Run = tuple[float, float]
"""When the last healthy device was through, and when the hanging one gave up, in seconds after the start."""


def measure() -> list[Figure]:
    """Return when the last of the others is through, beside a run without a hang, and beside the hang's end."""
    healthy = [fleet_of(DEVICES, f"healthy{number}") for number in range(RUNS)]
    hanging = [_one_hangs(fleet_of(DEVICES, f"hanging{number}")) for number in range(RUNS)]
    with serving([*healthy, *hanging]) as ports, running() as stack:
        fill(stack, [*healthy, *hanging], ports)
        definition = chain("ssh:command", NODES, command="show privilege", timeout=HANG_S)
        workflow_id = stack.add_workflow("three reads", definition)
        sick, sound = iter(hanging), iter(healthy)
        ours, peer = in_turns(
            lambda: _run(stack, workflow_id, next(sick)), lambda: _run(stack, workflow_id, next(sound)), RUNS
        )
    last_s = statistics.median(last for last, _ in ours)
    without_s = statistics.median(last for last, _ in peer)
    gave_up_s = statistics.median(gave_up for _, gave_up in ours)
    return [
        Figure(work="199 devices through", figure=last_s, unit="s", peer=without_s, goal=MOST_TIMES * without_s),
        Figure(work="and before the hang ends", figure=last_s, unit="s", peer=gave_up_s, goal=gave_up_s),
    ]


def _one_hangs(fleet: Sequence[SimulatedDevice]) -> list[SimulatedDevice]:
    return [replace(fleet[0], fault=Fault.HANG), *fleet[1:]]


def _run(stack: Stack, workflow_id: str, fleet: Sequence[SimulatedDevice]) -> Run:
    hanging = {device.name for device in fleet if device.fault is Fault.HANG}
    execution = stack.execute(workflow_id, [device.name for device in fleet], "partial" if hanging else "success")
    begin = datetime.fromisoformat(execution["created_at"])
    ends = [_ends(stack, execution["id"], f"n{number}", begin) for number in range(NODES)]
    gave_up = [end for name, end in ends[0].items() if name in hanging]
    last = [end for name, end in ends[-1].items() if name not in hanging]
    if len(last) != DEVICES - len(hanging):
        raise RuntimeError(f"{len(last)} of {DEVICES} devices came through")
    return max(last), max(gave_up, default=0.0)


def _ends(stack: Stack, execution_id: str, node: str, begin: datetime) -> dict[str, float]:
    """Return when each device was through a node, in seconds after the start."""
    rows = stack.get(f"/automation/v1/executions/{execution_id}/results", node=node, limit=PAGE)
    return {row["device"]["name"]: (_end(row) - begin).total_seconds() for row in rows if row["status"] != "skipped"}


def _end(row: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(row["started_at"]) + timedelta(milliseconds=row["duration_ms"])
