"""Devices a second against their number and that of the workers, cold, beside one worker, and build/bench.png of it."""

import statistics
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from app.demo.network.devices import SimulatedDevice
from tests.bench.measure import RUNS, Figure, Omitted, say
from tests.bench.network import fill, fleet_of, serving
from tests.bench.shapes import chain
from tests.bench.stack import Stack, running
from tests.support.placement import REPOSITORY

SIZES, WORKERS = (50, 200, 500), (1, 2, 4)
PICTURE: Path = REPOSITORY / "build" / "bench.png"

Times = Mapping[tuple[int, int], float]
"""The seconds that so many devices take with so many workers."""


def measure() -> list[Figure | Omitted]:
    """Read fleets of every size with every number of workers, and return what a device takes."""
    times: dict[tuple[int, int], float] = {}
    for workers in WORKERS:
        fleets = {(count, run): fleet_of(count, f"scale{count}-{run}") for count in SIZES for run in range(RUNS)}
        with serving(list(fleets.values())) as ports, running(workers=workers) as stack:
            fill(stack, list(fleets.values()), ports)
            workflow_id = stack.add_workflow("show version", chain("ssh:command", 1, command="show version"))
            for count in SIZES:
                runs = [_seconds(stack, workflow_id, fleets[count, run]) for run in range(RUNS)]
                times[count, workers] = statistics.median(runs)
                say(f"{workers} workers, {count} devices: {count / times[count, workers]:.0f} a second")
    figures = [_figure(times, count, workers) for count in SIZES for workers in WORKERS]
    return [*figures, *_draw(times)]


def _seconds(stack: Stack, workflow_id: str, fleet: Sequence[SimulatedDevice]) -> float:
    begin = time.perf_counter()
    stack.execute(workflow_id, [device.name for device in fleet])
    return time.perf_counter() - begin


def _figure(times: Times, count: int, workers: int) -> Figure:
    ours, alone = (times[count, number] * 1000 / count for number in (workers, WORKERS[0]))
    peer = None if workers == WORKERS[0] else alone
    return Figure(work=f"a device of {count}, {_worded(workers)}", figure=ours, unit="ms", peer=peer)


def _worded(workers: int) -> str:
    return "1 worker" if workers == 1 else f"{workers} workers"


def _draw(times: Times) -> list[Omitted]:
    """Draw both views into one picture; returns why, where nothing can be drawn."""
    if find_spec("matplotlib") is None:
        return [Omitted(work="the picture", why="matplotlib is not installed; `make bench` installs it")]
    from matplotlib.figure import Figure as Picture  # noqa: PLC0415 — an extra that only this needs

    picture = Picture(figsize=(10, 4), layout="constrained")
    by_size, by_workers = picture.subplots(1, 2, sharey=True)
    for workers in WORKERS:
        by_size.plot(SIZES, [count / times[count, workers] for count in SIZES], "o-", label=_worded(workers))
    for count in SIZES:
        by_workers.plot(WORKERS, [count / times[count, number] for number in WORKERS], "o-", label=f"{count} devices")
    by_size.set(xlabel="devices", ylabel="devices a second", title="show version, cold, 50 ms a command")
    by_workers.set(xlabel="workers", title="the same, against workers", xticks=WORKERS)
    for plot in (by_size, by_workers):
        plot.set_ylim(bottom=0)
        plot.grid(alpha=0.3)
        plot.legend()
    PICTURE.parent.mkdir(exist_ok=True)
    picture.savefig(PICTURE, dpi=120)
    say(f"drawn: {PICTURE}")
    return []
