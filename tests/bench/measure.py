"""What a bench reports, and how it is timed: in turns with its peer, and by medians."""

import math
import os
import statistics
import sys
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
    goal_ratio: float | None = None
    """What the figure may be at most, as so many times its peer."""

    @property
    def ratio(self) -> float | None:
        """How many times as much as its peer it takes."""
        return self.figure / self.peer if self.peer else None

    @property
    def met(self) -> bool | None:
        """Say whether the goals are met; None where none is set."""
        pairs = ((self.figure, self.goal), (self.ratio, self.goal_ratio))
        if any(value is None and goal is not None for value, goal in pairs):
            return False
        verdicts = [value <= goal for value, goal in pairs if value is not None and goal is not None]
        return all(verdicts) if verdicts else None

    @property
    def limit(self) -> float | None:
        """What the figure itself has to stay under, also where the goal is set on the ratio."""
        limits = [] if self.goal is None else [self.goal]
        if self.goal_ratio is not None and self.peer is not None:
            limits.append(self.goal_ratio * self.peer)
        return min(limits, default=None)

    def record(self, bench: str) -> dict[str, Any]:
        """Return the figure as it is written down, under the name of its bench."""
        return {
            "work": f"{bench}: {self.work}",
            "figure": rounded(self.figure),
            "unit": self.unit,
            "peer": None if self.peer is None else rounded(self.peer),
            "ratio": None if self.ratio is None else rounded(self.ratio),
            "goal": None if self.limit is None else rounded(self.limit),
            "met": self.met,
        }


@dataclass(frozen=True, kw_only=True)
class Omitted:
    """A figure that this machine, or the product as it stands, cannot give, and why."""

    work: str
    why: str


class CannotRun(Exception):
    """What a bench needs is not there; the message says what, and how to get it."""


def size(name: str, default: int) -> int:
    """Return how much of something to measure with: the variable of that name, behind BENCH_, if it is set."""
    return int(os.environ.get(f"BENCH_{name}", default))


def say(text: str) -> None:
    """Tell whoever waits how far a bench has come."""
    sys.stderr.write(f"  {text}\n")
    sys.stderr.flush()


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
