"""`python -m tests.bench [name …]`: runs the benches, shows one table, and writes build/bench.json."""

import importlib
import os
import pkgutil
import sys
import time
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from tests.bench import benches
from tests.bench.measure import CannotRun, Figure, Omitted, rounded
from tests.support.placement import REPOSITORY

RESULTS = REPOSITORY / "build" / "bench.json"
VERDICTS = {True: "[green]met[/]", False: "[red]missed[/]", None: ""}
WIDTH = 100
"""What the table needs, also where no terminal says how wide it is."""
COLUMNS = ("Bench", "What", "Figure", "Peer", "Ratio", "Goal", "")

Row = Figure | Omitted

console = Console(highlight=False, width=max(WIDTH, Console().width))


def main(names: Sequence[str]) -> int:
    """Run the benches of these names, or all; returns 1 when one could not be run, whatever its figures."""
    known = [found.name for found in pkgutil.iter_modules(benches.__path__)]
    unknown = sorted(set(names) - set(known))
    if unknown:
        console.print(f"There is no bench {', '.join(unknown)}; there are {', '.join(known)}.")
        return 2
    modules = [importlib.import_module(f"{benches.__name__}.{name}") for name in names or known]
    figures = {module: _run(module) for module in modules}
    console.print(_table(figures), _legend(modules), sep="\n")
    found = [(module, figure) for module, some in figures.items() for figure in some]
    _write([figure.record(_name(module)) for module, figure in found if isinstance(figure, Figure)])
    return 0 if all(figures.values()) else 1


def _run(module: ModuleType) -> list[Row]:
    """Run one bench; one that breaks has no figures, and the others still run."""
    begin = time.monotonic()
    console.print(f"{_name(module)} begins")
    try:
        figures: list[Row] = module.measure()
    except CannotRun as error:
        figures = [Omitted(work="all of it", why=str(error))]
    except Exception:  # noqa: BLE001 — the bench's door: the others have their own stacks and still run
        console.print_exception()
        figures = []
    console.print(f"{_name(module)}: {time.monotonic() - begin:.0f} s")
    return figures


def _table(figures: dict[ModuleType, list[Row]]) -> Table:
    table = Table(*COLUMNS)
    for module, found in figures.items():
        for figure in found:
            cells = [figure.work, *_omission(figure)] if isinstance(figure, Omitted) else _cells(figure)
            table.add_row(_name(module), *cells)
        if not found:
            table.add_row(_name(module), "[red]could not be run[/]")
    return table


def _omission(figure: Omitted) -> list[str]:
    return [f"left out: {figure.why}", "", "", "", "[yellow]left out[/]"]


def _cells(figure: Figure) -> list[str]:
    values = [f"{rounded(figure.figure):g} {figure.unit}"]
    values += ["" if value is None else f"{rounded(value):g}" for value in (figure.peer, figure.ratio, figure.limit)]
    return [figure.work, *values, VERDICTS[figure.met]]


def _legend(modules: Sequence[ModuleType]) -> str:
    lines = [f"{_name(module)}: {module.__doc__}" for module in modules]
    load = " ".join(f"{average:.1f}" for average in os.getloadavg())
    return "\n".join(
        [*lines, f"{os.cpu_count()} cores, load {load}. Machines differ and are shared: judge the ratios."]
    )


def _write(records: Sequence[dict[str, Any]]) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(records), indent=1) + b"\n")


def _name(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


if __name__ == "__main__":
    wanted = sys.argv[1:] or os.environ.get("BENCH", "").split()
    try:
        raise SystemExit(main(wanted))
    except KeyboardInterrupt:
        raise SystemExit("Stopped before the end; nothing was written.") from None
