"""A change of more than five minutes, and another one on the same device: how long both are under way; no peer."""

import tempfile
import time
from pathlib import Path

from tests.bench.measure import Figure, say, size
from tests.bench.shapes import chain
from tests.bench.stack import running

SECONDS = size("LONG_CHANGE_SECONDS", 310)
SOON_S = 2.0
MORE_S = 120
DEVICE = "locked"


def measure() -> list[Figure]:
    """Return the seconds for which both changes were under way; one run is enough, it holds or it does not."""
    with tempfile.TemporaryDirectory() as folder, running() as stack:
        stack.add_devices([{"name": DEVICE, "address": "127.0.0.1", "platform": "cisco_ios"}])
        journals = [Path(folder) / name for name in ("first", "second")]
        started = []
        for journal, seconds in zip(journals, (float(SECONDS), 0.1), strict=True):
            definition = chain("bench:change", 1, seconds=seconds, journal=str(journal))
            started.append(stack.start(stack.add_workflow(journal.name, definition), [DEVICE]))
            time.sleep(SOON_S)
        say(f"the first change takes {SECONDS} s")
        ends = [stack.wait_for_end(execution["id"], SECONDS + MORE_S)["status"] for execution in started]
        (first_begin, first_end), second = _span(journals[0]), _span(journals[1])
    if ends[0] != "success":
        raise RuntimeError(f"the long change is {ends[0]}")
    overlap_s = max(0.0, min(first_end, second[1]) - max(first_begin, second[0])) if second else 0.0
    say(f"the second change is {ends[1]}")
    return [Figure(work=f"two changes of a device, one of {SECONDS} s, overlap", figure=overlap_s, unit="s", goal=0.0)]


def _span(journal: Path) -> tuple[float, ...]:
    """Return when a change began and ended, or nothing where it never was made."""
    lines = journal.read_text().splitlines() if journal.exists() else []
    return tuple(float(line.split()[0]) for line in lines) if len(lines) == len(("begin", "end")) else ()
