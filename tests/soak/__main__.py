"""`python -m tests.soak`: mixed load at 80 % of capacity, and exit status 1 when anything is lost or grows.

SOAK_MINUTES says for how long. What Redis keeps for ten minutes is judged from then on only.
"""

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from tests.bench.measure import say
from tests.bench.network import fill, fleet_of, serving
from tests.bench.stack import WORKERS, running
from tests.soak.growth import ALLOWANCES, Growth, growth_of
from tests.soak.load import Load
from tests.soak.samples import Sample, take
from tests.support.placement import REPOSITORY

MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
DEVICES = 100
SHARE = 0.8
CAPACITY_S = 30.0
SAMPLES = 120
TELL_EVERY = 10
RESULTS: Path = REPOSITORY / "build" / "soak.json"
COLUMNS = ("What", "Level", "Growth", "Allowed", "Looked at for", "")


def main() -> int:
    """Run it, show one table, and write build/soak.json; returns 1 when anything was lost or grows."""
    fleet = fleet_of(DEVICES, "soak")
    with serving([fleet]) as ports, running() as stack:
        fill(stack, [fleet], ports)
        load = Load(stack, [device.name for device in fleet])
        load.capacity(WORKERS, CAPACITY_S / 3)
        capacity = load.capacity(2 * WORKERS, CAPACITY_S)
        say(f"capacity: {capacity:.1f} executions/s; {SHARE * capacity:.1f}/s for {MINUTES:g} minutes")
        over = threading.Event()
        driver = threading.Thread(target=load.keep_up, args=(SHARE * capacity, over))
        driver.start()
        try:
            samples = _watch(load)
        finally:
            over.set()
            driver.join()
    growths = {series: growth_of(series, samples, MINUTES * 60) for series in ALLOWANCES}
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(samples), indent=1) + b"\n")
    lost = {status: times for status, times in load.ended.items() if status != "success"}
    Console(highlight=False, width=100).print(
        _table(growths), f"Ended: {dict(load.ended)}; {load.left_out} starts left out, the load being behind."
    )
    return 1 if lost or any(growth is not None and growth.grows for growth in growths.values()) else 0


def _watch(load: Load) -> list[Sample]:
    begin, every_s = time.monotonic(), MINUTES * 60 / SAMPLES
    samples: list[Sample] = []
    while len(samples) < SAMPLES:
        time.sleep(max(0.0, begin + (len(samples) + 1) * every_s - time.monotonic()))
        samples.append(take(load.stack, time.monotonic() - begin))
        if len(samples) % TELL_EVERY == 0:
            say(_line(samples[-1], load))
    return samples


def _line(sample: Sample, load: Load) -> str:
    return (
        f"{sample.at_s / 60:.1f} min: workers {sample.workers_mb:.0f} MB, API {sample.api_mb:.0f} MB, "
        f"{sample.descriptors:.0f} descriptors, {sample.connections:.0f} connections, {sample.keys:.0f} keys; "
        f"{load.ended.total()} ended, {load.ended.total() - load.ended['success']} not well"
    )


def _table(growths: dict[str, Growth | None]) -> Table:
    table = Table(*COLUMNS)
    for series, growth in growths.items():
        table.add_row(series, *(_TOO_SHORT if growth is None else _cells(growth)))
    return table


_TOO_SHORT: Sequence[str] = ("", "", "", "", "[yellow]too short a time to say[/]")


def _cells(growth: Growth) -> Sequence[str]:
    verdict = "[red]grows[/]" if growth.grows else "[green]steady[/]"
    values = (f"{growth.level:.1f}", f"{growth.growth:+.1f}", f"{growth.allowed:.1f}")
    return (*values, f"{growth.over_s / 60:.1f} min", verdict)


if __name__ == "__main__":
    raise SystemExit(main())
