"""Sessions as the devices count them: logins of a second job, most at once under 20 jobs, and who was overtaken."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import NamedTuple

from app.demo.network.journal import EventKind
from tests.bench.journal import DeviceLog
from tests.bench.measure import RUNS, Figure, say, size
from tests.bench.network import counting, fill, fleet_of
from tests.bench.shapes import chain
from tests.bench.stack import Stack, running

DEVICES, LATER_S = size("SESSIONS_DEVICES", 50), 10
JOBS, CROWDED, WORKERS = 20, 10, 4
MAX_SESSIONS = 2
SLOW_S = 0.5
"""What a command takes on a crowded device, so that jobs have to wait for each other."""
CLEARLY = timedelta(seconds=0.3)
"""By how much one has to be earlier than another, so that no clock and no scheduler can have mixed them up."""


class Visit(NamedTuple):
    """When a job came to a device, and when its command reached it."""

    came: datetime
    served: datetime


def measure() -> list[Figure]:
    """Run a job again ten seconds later, then 20 jobs on the same few devices at once."""
    quiet = [fleet_of(DEVICES, f"quiet{number}") for number in range(RUNS)]
    crowded = [
        [replace(device, latency_s=SLOW_S) for device in fleet_of(CROWDED, f"crowd{number}")] for number in range(RUNS)
    ]
    with counting([*quiet, *crowded]) as (ports, log), running(workers=WORKERS) as stack:
        fill(stack, [*quiet, *crowded], ports)
        show = stack.add_workflow("show version", chain("ssh:command", 1, command="show version"))
        again = [_logins_of_second(stack, show, [one.name for one in fleet], log) for fleet in quiet]
        overtaken = [_crowd(stack, number, [one.name for one in fleet], log) for number, fleet in enumerate(crowded)]
        names = {one.name for fleet in crowded for one in fleet}
        peak = max(count for device, count in log.peak_sessions().items() if device in names)
    return [
        Figure(work=f"second job on {DEVICES} devices, new logins", figure=max(again), unit="logins", goal=0.0),
        Figure(work=f"{JOBS} jobs at once, most sessions on a device", figure=peak, unit="", goal=float(MAX_SESSIONS)),
        Figure(work=f"{JOBS} jobs at once, overtaken", figure=max(overtaken), unit="jobs", goal=0.0),
    ]


def _logins_of_second(stack: Stack, workflow_id: str, names: Sequence[str], log: DeviceLog) -> int:
    stack.execute(workflow_id, names)
    time.sleep(LATER_S)
    mark = log.mark()
    stack.execute(workflow_id, names)
    logins = log.count(EventKind.LOGIN, mark)
    say(f"second job {LATER_S} s later: {logins} logins on {len(names)} devices")
    return logins


def _crowd(stack: Stack, number: int, names: Sequence[str], log: DeviceLog) -> int:
    """Have all jobs visit the same devices at once, and return how often one was clearly overtaken."""
    commands = [f"show privilege | exclude job-{number}-{job}" for job in range(JOBS)]
    jobs = [stack.add_workflow(command, chain("ssh:command", 1, command=command)) for command in commands]
    mark = log.mark()
    with ThreadPoolExecutor(JOBS) as clients:
        executions = list(clients.map(lambda job: stack.execute(job, names), jobs))
    served = {(event.text, event.device): event.at for event in log.since(mark) if event.kind is EventKind.COMMAND}
    visits: dict[str, list[Visit]] = {name: [] for name in names}
    for command, execution in zip(commands, executions, strict=True):
        for row in stack.results(execution["id"], "n0"):
            device = row["device"]["name"]
            visits[device].append(Visit(datetime.fromisoformat(row["started_at"]), served[command, device]))
    overtaken = sum(_overtaken(of_device) for of_device in visits.values())
    say(f"{JOBS} jobs on {len(names)} devices at once: {overtaken} overtaken")
    return overtaken


def _overtaken(visits: Sequence[Visit]) -> int:
    """Count the pairs of which the one that clearly came first was clearly served last."""
    return sum(
        first.came + CLEARLY < second.came and second.served + CLEARLY < first.served
        for first, second in permutations(visits, 2)
    )
