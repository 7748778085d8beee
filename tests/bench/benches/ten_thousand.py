"""10,000 devices in one execution, beside 500: what a device costs, and the most memory the workers ever held.

They are names for the devices of one simulated network, each of which stands for many.
"""

import statistics
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from app.demo.network.devices import SimulatedDevice
from tests.bench.measure import RUNS, Figure, say, size
from tests.bench.network import add_credential, fleet_of, serving
from tests.bench.shapes import chain
from tests.bench.stack import WORKERS, Stack, running

MANY, FEW, SIMULATED = size("TEN_THOUSAND_DEVICES", 10_000), size("TEN_THOUSAND_BESIDE", 500), 500
TIMES = size("TEN_THOUSAND_RUNS", RUNS)
GOAL_MB, MOST_TIMES = 600.0, 1.2
SAMPLE_EVERY_S = 1.0
PATIENCE_S = 900
BULK = 10_000


class Run(NamedTuple):
    """What an execution took for each device, in milliseconds, and the most memory of all workers."""

    wall_ms: float
    cpu_ms: float
    peak_mb: float


def measure() -> list[Figure]:
    """Return memory and cost; every run has names of its own, so that no session can be warm."""
    simulated = fleet_of(SIMULATED, "box")
    many = [[f"many{run}-{number:05d}" for number in range(MANY)] for run in range(TIMES)]
    few = [[f"few{run}-{number:05d}" for number in range(FEW)] for run in range(TIMES)]
    with serving([simulated]) as ports, running() as stack:
        boxes = _fill(stack, simulated, ports, [*many, *few])
        stack.execute(stack.add_workflow("warm-up", chain("bench:noop", 1)), few[0][:1])
        workflow_id = stack.add_workflow("show version", chain("ssh:command", 1, command="show version"))
        idle_mb = stack.worker_mb()
        runs = [
            (_run(stack, workflow_id, some, boxes), _run(stack, workflow_id, all_, boxes))
            for some, all_ in zip(few, many, strict=True)
        ]
    small, big = ([pair[place] for pair in runs] for place in (0, 1))
    return [
        Figure(
            work=f"{MANY} devices, {WORKERS} workers beyond their idle size",
            figure=max(run.peak_mb for run in big) - idle_mb,
            unit="MB",
            peer=max(run.peak_mb for run in small) - idle_mb,
            goal=GOAL_MB,
        ),
        _figure("a device's time", [run.wall_ms for run in big], [run.wall_ms for run in small]),
        _figure("a device's CPU time of workers", [run.cpu_ms for run in big], [run.cpu_ms for run in small]),
    ]


def _figure(work: str, ours: Sequence[float], peer: Sequence[float]) -> Figure:
    return Figure(
        work=f"{MANY} devices beside {FEW}, {work}",
        figure=statistics.median(ours),
        unit="ms",
        peer=statistics.median(peer),
        goal_ratio=MOST_TIMES,
    )


def _fill(
    stack: Stack, simulated: Sequence[SimulatedDevice], ports: Mapping[str, int], runs: Sequence[Sequence[str]]
) -> dict[str, str]:
    """Put every name into the inventory, and return which box it stands for."""
    common = {"address": "127.0.0.1", "platform": "cisco_ios", "credential_ids": [add_credential(stack)]}
    boxes = {name: simulated[number % len(simulated)].name for names in runs for number, name in enumerate(names)}
    rows = [{"name": name, "port": ports[box], **common} for name, box in boxes.items()]
    for start in range(0, len(rows), BULK):
        stack.add_devices(rows[start : start + BULK])
    return boxes


def _run(stack: Stack, workflow_id: str, names: Sequence[str], boxes: Mapping[str, str]) -> Run:
    cpu_s, begin = stack.worker_cpu_s(), time.perf_counter()
    with _watching(stack) as samples:
        started = stack.start(workflow_id, names)
        execution = stack.wait_for_end(started["id"], PATIENCE_S)
    wall_s, cpu_s = time.perf_counter() - begin, stack.worker_cpu_s() - cpu_s
    if execution["status"] != "success":
        raise RuntimeError(f"the execution on {len(names)} devices is {execution['status']}: {execution['counts']}")
    _check(stack.results(execution["id"], "n0"), names, boxes)
    say(f"{len(names)} devices: {wall_s:.1f} s, workers {cpu_s:.1f} s of CPU, {max(samples):.0f} MB at most")
    return Run(wall_s * 1000 / len(names), cpu_s * 1000 / len(names), max(samples))


def _check(rows: Sequence[dict[str, Any]], names: Sequence[str], boxes: Mapping[str, str]) -> None:
    read = {row["device"]["name"]: row["outputs"]["records"][0]["hostname"] for row in rows}
    right = sum(read.get(name) == boxes[name] for name in names)
    if right != len(names):
        raise RuntimeError(f"{right} of {len(names)} devices have a stored record of their own box")


@contextmanager
def _watching(stack: Stack) -> Iterator[list[float]]:
    """Look at the workers' memory again and again, and give what was seen."""
    samples, over = [stack.worker_mb()], threading.Event()

    def watch() -> None:
        while not over.wait(SAMPLE_EVERY_S):
            samples.append(stack.worker_mb())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield samples
    finally:
        over.set()
        watcher.join()
