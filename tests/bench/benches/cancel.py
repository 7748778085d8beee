"""From a cancellation's acknowledgement to the last command that reaches any of 200 devices, as they count them."""

import statistics
import time
from datetime import UTC, datetime, timedelta

from app.demo.network.journal import EventKind
from tests.bench.journal import DeviceLog
from tests.bench.measure import RUNS, Figure, say, size
from tests.bench.network import counting, fill, fleet_of
from tests.bench.shapes import chain
from tests.bench.stack import Stack, running

DEVICES, NODES = size("CANCEL_DEVICES", 200), 20
GOAL_S = 2.0
PATIENCE_S = 60
AFTERWARDS_S = 5.0
"""How long to listen after the end."""
AT_WORK = (EventKind.COMMAND, EventKind.CONFIG, EventKind.LOGIN)


def measure() -> list[Figure]:
    """Cancel in mid-run, and return how long the devices still heard something."""
    fleets = [fleet_of(DEVICES, f"cancel{number}") for number in range(RUNS)]
    with counting(fleets) as (ports, log), running() as stack:
        fill(stack, fleets, ports)
        workflow_id = stack.add_workflow("many reads", chain("ssh:command", NODES, command="show privilege"))
        heard = [_run(stack, workflow_id, [one.name for one in fleet], log) for fleet in fleets]
    work = f"{DEVICES} devices, last command after the cancellation"
    return [Figure(work=work, figure=max(heard), unit="s", goal=GOAL_S), _median(heard)]


def _median(heard: list[float]) -> Figure:
    return Figure(work="median of the runs", figure=statistics.median(heard), unit="s", goal=GOAL_S)


def _run(stack: Stack, workflow_id: str, names: list[str], log: DeviceLog) -> float:
    mark = log.mark()
    execution = stack.start(workflow_id, names)
    _wait_for_commands(log, mark, len(names) // 2)
    stack.post(f"/automation/v1/executions/{execution['id']}/cancel", {})
    acknowledged = datetime.now(UTC)
    ended = stack.wait_for_end(execution["id"], PATIENCE_S)
    if ended["status"] != "cancelled":
        raise RuntimeError(f"the execution is {ended['status']} and could not be cancelled in mid-run")
    time.sleep(AFTERWARDS_S)
    last = max(event.at for event in log.since(mark) if event.kind in AT_WORK)
    say(f"heard for {(last - acknowledged) / timedelta(seconds=1):.2f} s")
    return max(0.0, (last - acknowledged) / timedelta(seconds=1))


def _wait_for_commands(log: DeviceLog, mark: int, count: int) -> None:
    give_up_at = time.monotonic() + PATIENCE_S
    while log.count(EventKind.COMMAND, mark) < count:
        if time.monotonic() > give_up_at:
            raise RuntimeError(f"fewer than {count} commands have reached the devices after {PATIENCE_S} s")
        time.sleep(0.05)
