"""What a bench reports, and how it is timed: in turns with its peer, and by medians."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

RUNS = 3
DIGITS = 4

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure, smaller being better: what it measures, and what its peer took for the same in the same run."""

    work: str
    figure: float
    unit: str
    peer: float | None = None
    goal: float | None = None
    """What the figure itself may be at most."""

    @property
    def ratio(self) -> float | None:
        """How many times as much as its peer it takes."""
        return self.figure / self.peer if self.peer else None

    @property
    def met(self) -> bool | None:
        """Say whether the goal is met; None where none is set."""
        return None if self.goal is None else self.figure <= self.goal

    def record(self, bench: str) -> dict[str, Any]:
        """Return the figure as it is written down, under the name of its bench."""
        return {
            "work": f"{bench}: {self.work}",
            "figure": rounded(self.figure),
            "unit": self.unit,
            "peer": None if self.peer is None else rounded(self.peer),
            "ratio": None if self.ratio is None else rounded(self.ratio),
            "goal": self.goal,
            "met": self.met,
        }


def in_turns(ours: Callable[[], T], peer: Callable[[], T], runs: int = RUNS) -> tuple[list[T], list[T]]:
    """Measure both that often, one right after the other, and change who begins, so that both meet the same noise."""
    mine: list[T] = []
    theirs: list[T] = []
    both = ((ours, mine), (peer, theirs))
    for turn in range(runs):
        for measure, results in both if turn % 2 == 0 else reversed(both):
            results.append(measure())
    return mine, theirs


def medians(ours: Callable[[], float], peer: Callable[[], float], runs: int = RUNS) -> tuple[float, float]:
    """Measure both in turns and return the median of each."""
    mine, theirs = in_turns(ours, peer, runs)
    return statistics.median(mine), statistics.median(theirs)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least that many percent of the values do not exceed."""
    return sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1]


def rounded(value: float) -> float:
    """Return a value with as many digits as a measurement deserves."""
    return float(f"{value:.{DIGITS}g}")
