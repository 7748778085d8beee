"""One hung device among 1,000, beside none: when the others are through, and when another user's job begins.

Then as many hung devices as hold every worker, and again another user's job.
"""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from app.demo.network.devices import Fault, SimulatedDevice
from tests.bench.measure import RUNS, Figure, in_turns, percentile, say, size
from tests.bench.network import counting, fill, fleet_of
from tests.bench.shapes import chain
from tests.bench.stack import WORKERS, Stack, running

DEVICES = size("HUNG_DEVICES", 1000)
HANG_S = 20
ALL_HUNG = size("HUNG_ALL", 50 * WORKERS)
ALL_HUNG_S = 60
MOST_TIMES = 1.1
GOAL_START_S = 1.0
MEANWHILE_S = 2.0
PATIENCE_S = 300
PASSWORD = "another user's password"


@dataclass(frozen=True, kw_only=True)
class Others:
    """What another user does meanwhile: a job of one node on devices of his own."""

    stack: Stack
    workflow_id: str
    device: str

    def start_s(self) -> float:
        """Start the job and return how long its node took to begin."""
        execution = self.stack.execute(self.workflow_id, [self.device])
        (row,) = self.stack.results(execution["id"], "n0")
        return _seconds_after(execution, row["started_at"])


@dataclass(frozen=True, kw_only=True)
class Run:
    """When 99 of 100 healthy devices were through, and when another user's job began, in seconds."""

    p99_s: float
    other_s: float


def measure() -> list[Figure]:
    """Return how little the hung ones concern the others."""
    healthy = [fleet_of(DEVICES, f"sound{number}") for number in range(RUNS)]
    one_hung = [_hung(fleet_of(DEVICES, f"sick{number}"), 1) for number in range(RUNS)]
    all_hung, mine = _hung(fleet_of(ALL_HUNG, "hung"), ALL_HUNG), fleet_of(1, "mine")
    fleets = [*healthy, *one_hung, all_hung, mine]
    with counting(fleets) as (ports, _), running() as stack:
        fill(stack, fleets, ports)
        others = _others(stack, mine[0].name)
        definition = chain("ssh:command", 1, command="show version", timeout=HANG_S)
        workflow_id = stack.add_workflow("everybody", definition)
        sick, sound = iter(one_hung), iter(healthy)
        ours, peer = in_turns(
            lambda: _run(stack, workflow_id, next(sick), others), lambda: _run(stack, workflow_id, next(sound), others)
        )
        held_s = _all_held(stack, [device.name for device in all_hung], others)
    return [
        Figure(
            work=f"1 of {DEVICES} hangs, the others' p99",
            figure=statistics.median(run.p99_s for run in ours),
            unit="s",
            peer=statistics.median(run.p99_s for run in peer),
            goal_ratio=MOST_TIMES,
        ),
        Figure(
            work="another user's job begins meanwhile",
            figure=statistics.median(run.other_s for run in ours),
            unit="s",
            peer=statistics.median(run.other_s for run in peer),
            goal=GOAL_START_S,
        ),
        Figure(work=f"and with all {WORKERS} workers held by hung devices", figure=held_s, unit="s", goal=GOAL_START_S),
    ]


def _others(stack: Stack, device: str) -> Others:
    user = {"username": "other", "password": PASSWORD, "roles": ["admin"]}
    stack.post("/identity/v1/users", user)
    workflow_id = stack.add_workflow("another's", chain("ssh:command", 1, command="show version"))
    return Others(stack=stack.log_in("other", PASSWORD), workflow_id=workflow_id, device=device)


def _hung(fleet: Sequence[SimulatedDevice], count: int) -> list[SimulatedDevice]:
    return [replace(device, fault=Fault.HANG) if place < count else device for place, device in enumerate(fleet)]


def _run(stack: Stack, workflow_id: str, fleet: Sequence[SimulatedDevice], others: Others) -> Run:
    hung = {device.name for device in fleet if device.fault is Fault.HANG}
    started = stack.start(workflow_id, [device.name for device in fleet])
    time.sleep(MEANWHILE_S)
    other_s = others.start_s()
    execution = stack.wait_for_end(started["id"], PATIENCE_S)
    rows = [row for row in stack.results(execution["id"], "n0") if row["device"]["name"] not in hung]
    if len(rows) != len(fleet) - len(hung) or any(row["status"] != "success" for row in rows):
        raise RuntimeError(f"{len(rows)} of {len(fleet) - len(hung)} healthy devices have a result")
    p99_s = percentile([_end_s(execution, row) for row in rows], 99)
    say(f"{len(hung)} hung: p99 of the others {p99_s:.2f} s, another user's job began after {other_s:.2f} s")
    return Run(p99_s=p99_s, other_s=other_s)


def _all_held(stack: Stack, names: Sequence[str], others: Others) -> float:
    """Return when another user's job begins while hung devices hold every worker, the median of some times."""
    definition = chain("ssh:command", 1, command="show version", timeout=ALL_HUNG_S)
    workflow_id = stack.add_workflow("hung", definition)
    return statistics.median(_held_once(stack, workflow_id, names, others) for _ in range(RUNS))


def _held_once(stack: Stack, workflow_id: str, names: Sequence[str], others: Others) -> float:
    started = stack.start(workflow_id, names)
    time.sleep(MEANWHILE_S)
    other_s = others.start_s()
    if stack.get(f"/automation/v1/executions/{started['id']}")["finished_at"] is None:
        stack.post(f"/automation/v1/executions/{started['id']}/cancel", {})
        stack.wait_for_end(started["id"], PATIENCE_S)
    say(f"with all workers held another user's job began after {other_s:.2f} s")
    return other_s


def _end_s(execution: dict[str, Any], row: dict[str, Any]) -> float:
    return _seconds_after(execution, row["started_at"]) + float(row["duration_ms"]) / 1000


def _seconds_after(execution: dict[str, Any], moment: str) -> float:
    return (datetime.fromisoformat(moment) - datetime.fromisoformat(execution["created_at"])) / timedelta(seconds=1)
