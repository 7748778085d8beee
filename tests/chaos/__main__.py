"""`python -m tests.chaos`: kills parts of the product in mid-push, counts on the devices, and exits 1 on a violation.

CHAOS_SEED makes a run repeatable; CHAOS_KILLS, CHAOS_DEVICES and CHAOS_WORKERS say how large it is, and CHAOS_KINDS
what is killed, if not everything.
"""

import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from app.demo.network.fleet import PASSWORD, USERNAME
from tests.bench.journal import DeviceLog
from tests.bench.network import counting, fleet_of
from tests.chaos.product import Product, log_of, put_devices, running_product, tell
from tests.chaos.push import Outcome, Push, counted, look_at, start_push, violations
from tests.chaos.victims import KINDS, kill_one
from tests.support.placement import REPOSITORY

SEED = int(os.environ.get("CHAOS_SEED", "1"))
KILLS = int(os.environ.get("CHAOS_KILLS", "50"))
DEVICES = int(os.environ.get("CHAOS_DEVICES", "200"))
WORKERS = int(os.environ.get("CHAOS_WORKERS", "4"))
CHOSEN = os.environ.get("CHAOS_KINDS", " ".join(KINDS)).split()
CLEAN_RUNS = 3
MOST_TRIES = 5
LATEST_MOMENT = 0.8
"""Of the time that a push takes: later it may be over. Earlier still, where that was too late already."""
RECOVERY_S = 30.0
STUCK_S = 180.0
LOOK_EVERY_S = 0.1
SLOW_ANSWER_S = 0.5
RESULTS = REPOSITORY / "build" / "chaos.json"
COLUMNS = ("#", "Killed", "At", "Ended", "Success", "Unknown", "Else", "Ready after", "Late by", "Violations")


@dataclass(kw_only=True)
class Round:
    """One push during which something was killed."""

    number: int
    kind: str
    moment_s: float
    in_push: bool = False
    """Whether something was killed before the push was over."""
    status: str = "stuck"
    success: int = 0
    unknown: int = 0
    other: int = 0
    ready_s: float = 0.0
    late_s: float = 0.0
    violations: list[str] = field(default_factory=list)


class Clean(NamedTuple):
    """What an undisturbed push takes, in seconds."""

    median_s: float
    shortest_s: float


def main() -> int:
    """Run it, show one table, and write build/chaos.json; returns 1 when anything was violated."""
    if unknown := set(CHOSEN) - set(KINDS):
        raise SystemExit(f"CHAOS_KINDS names {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}.")
    fleet = fleet_of(DEVICES, "chaos")
    names = [device.name for device in fleet]
    with (
        tempfile.TemporaryDirectory(prefix="opsconductor-chaos-") as folder,
        counting([fleet]) as (ports, log),
        running_product(Path(folder), WORKERS, log_of("chaos")) as product,
    ):
        put_devices(product, ports, USERNAME, PASSWORD)
        clean = _clean_runs(product, names, log)
        rounds = list(_rounds(product, names, log, clean))
        _look_again(rounds, names, log)
        starts = product.starts
    faults = [fault for one in rounds for fault in one.violations]
    Console(highlight=False, width=140).print(
        _table(rounds), *faults, _summary(rounds, clean.median_s, starts), sep="\n"
    )
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(rounds), indent=1) + b"\n")
    return 1 if faults else 0


def _clean_runs(product: Product, names: Sequence[str], log: DeviceLog) -> Clean:
    """Push without any disturbance and return how long that takes; raises when even that goes wrong."""
    times = []
    for number in range(CLEAN_RUNS):
        outcome, _ = _await_end(product, start_push(product, number, names))
        if outcome is None:
            raise SystemExit(f"Undisturbed push {number} has not ended after {STUCK_S:.0f} s.")
        faults = list(violations(names, outcome, number, counted(log, number)))
        if faults or outcome.status != "success":
            raise SystemExit(f"Undisturbed push {number} is {outcome.status}: {'; '.join(faults)}")
        times.append(outcome.took_s)
        tell(f"undisturbed push of {len(names)} devices: {outcome.took_s:.1f} s")
    return Clean(median_s=statistics.median(times), shortest_s=min(times))


def _rounds(product: Product, names: Sequence[str], log: DeviceLog, clean: Clean) -> Iterator[Round]:
    """Play a round for every kill; one whose kill came too late is played again with another moment."""
    chance = random.Random(SEED)  # noqa: S311 — to be repeatable, not to be secret
    kinds = [CHOSEN[number % len(CHOSEN)] for number in range(KILLS)]
    chance.shuffle(kinds)
    numbers = count(CLEAN_RUNS)
    for place, kind in enumerate(kinds, 1):
        own = random.Random(chance.random())  # noqa: S311 — as above; how often one is played concerns no other
        for tried in range(MOST_TRIES):
            latest_s = clean.shortest_s * LATEST_MOMENT ** (2 * tried + 1)
            one = Round(number=next(numbers), kind=kind, moment_s=own.uniform(0, latest_s))
            _play(product, names, log, one, own, clean)
            tell(
                f"{place}/{KILLS} {kind} at {one.moment_s:.1f} s{'' if one.in_push else ', which was too late'}: "
                f"{one.status}, {one.unknown} unknown, late by {one.late_s:.1f} s, {len(one.violations)} violations"
            )
            if not one.in_push and tried == MOST_TRIES - 1:
                one.violations.append(f"push {one.number}: no {kind} could be killed in mid-push")
            if one.in_push or one.violations:
                yield one
            if one.in_push:
                break


def _play(
    product: Product, names: Sequence[str], log: DeviceLog, one: Round, chance: random.Random, clean: Clean
) -> None:
    """Start a push, kill, and wait for the end; then compare what is reported with what the devices counted."""
    product.await_ready()
    push = start_push(product, one.number, names)
    begin = time.monotonic()
    time.sleep(one.moment_s)
    killed = False
    while not killed and time.monotonic() - begin < clean.median_s:
        killed = kill_one(product, one.kind, chance) is not None
    killed_at = time.monotonic()
    one.moment_s = killed_at - begin
    outcome, unready_at = _await_end(product, push)
    one.ready_s = max(0.0, unready_at - killed_at)
    if outcome is None:
        one.violations.append(f"push {one.number} is stuck: it has not ended {STUCK_S:.0f} s after the kill")
        return
    one.in_push = killed and one.moment_s < outcome.took_s
    _judge(one, outcome, clean.median_s)
    one.violations += violations(names, outcome, one.number, counted(log, one.number))


def _judge(one: Round, outcome: Outcome, clean_s: float) -> None:
    one.status, one.success, one.unknown = outcome.status, outcome.count("success"), outcome.count("unknown")
    one.other = len(outcome.devices) - one.success - one.unknown
    one.late_s = max(0.0, outcome.took_s - max(clean_s, one.moment_s))
    if one.late_s > RECOVERY_S:
        one.violations.append(f"push {one.number} ended {one.late_s:.1f} s late, {RECOVERY_S:.0f} s is the most")


def _await_end(product: Product, push: Push) -> tuple[Outcome | None, float]:
    """Return how a push ended, None when it does not, and when the product was last seen unable to take work."""
    give_up_at, unready_at = time.monotonic() + STUCK_S, 0.0
    outcome = None
    while outcome is None and time.monotonic() < give_up_at:
        asked_at, ready = time.monotonic(), product.is_ready()
        if not ready or time.monotonic() - asked_at > SLOW_ANSWER_S:  # the socket of a dead API waits for the next one
            unready_at = time.monotonic()
        if ready:
            outcome = look_at(product, push)
        time.sleep(LOOK_EVERY_S)
    return outcome, unready_at


def _look_again(rounds: Sequence[Round], names: Sequence[str], log: DeviceLog) -> None:
    """Count once more at the very end: nothing may have been sent after a push was over."""
    for one in rounds:
        for device, got in counted(log, one.number).items():
            fault = f"{device} got {dict(got)}"
            if device in names and any(times > 1 for times in got.values()) and fault not in one.violations:
                one.violations.append(f"{fault}, after the push was over")


def _table(rounds: Sequence[Round]) -> Table:
    table = Table(*COLUMNS)
    for one in rounds:
        times = (f"{one.moment_s:.1f} s", f"{one.ready_s:.1f} s", f"{one.late_s:.1f} s")
        counts = [str(count) for count in (one.success, one.unknown, one.other)]
        bad = f"[red]{len(one.violations)}[/]" if one.violations else "0"
        table.add_row(str(one.number), one.kind, times[0], one.status, *counts, *times[1:], bad)
    return table


def _summary(rounds: Sequence[Round], clean_s: float, starts: int) -> str:
    bad = sum(len(one.violations) for one in rounds)
    kinds = ", ".join(f"{kind} {sum(one.kind == kind and one.in_push for one in rounds)}" for kind in KINDS)
    return (
        f"Seed {SEED}: {len(rounds)} kills ({kinds}) in pushes to {DEVICES} devices, {clean_s:.1f} s undisturbed; "
        f"`up` was started {starts} times. Slowest recovery {max((one.late_s for one in rounds), default=0):.1f} s, "
        f"{sum(one.unknown for one in rounds)} devices unknown, {bad} violations."
    )


if __name__ == "__main__":
    raise SystemExit(main())
