"""Whether something grows: a line is fitted to what was seen after the warm-up, by the median of all slopes."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from app.core.queue import RESULT_TTL_S
from tests.soak.samples import Sample

WARM_UP = 0.2
"""Of the whole time: caches fill, pools open."""
FEWEST_SAMPLES = 6
NORMAL = 1.4826
"""The standard deviation of what is spread normally, over its median absolute deviation."""


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """What a series may grow by within the time looked at without being said to grow."""

    share: float
    floor: float
    settles_after_s: float = 0.0
    """Before that it must grow: what is kept for a while piles up for as long."""


ALLOWANCES: Mapping[str, Allowance] = {
    "workers_mb": Allowance(share=0.05, floor=10),
    "api_mb": Allowance(share=0.05, floor=5),
    "redis_mb": Allowance(share=0.1, floor=2, settles_after_s=RESULT_TTL_S),
    "processes": Allowance(share=0.0, floor=2),
    "descriptors": Allowance(share=0.05, floor=10),
    "connections": Allowance(share=0.0, floor=3),
    "keys": Allowance(share=0.05, floor=50, settles_after_s=RESULT_TTL_S),
}


@dataclass(frozen=True, kw_only=True)
class Growth:
    """What the line through a series says: how much it grew, and how much it may."""

    series: str
    level: float
    growth: float
    allowed: float
    over_s: float

    @property
    def grows(self) -> bool:
        """Say whether it grew by more than it may."""
        return self.growth > self.allowed


def growth_of(series: str, samples: Sequence[Sample], whole_s: float) -> Growth | None:
    """Fit a line to a series, or return None when there is too little of it to say anything."""
    allowance = ALLOWANCES[series]
    since_s = max(WARM_UP * whole_s, allowance.settles_after_s)
    points = [(one.at_s, float(getattr(one, series))) for one in samples if one.at_s >= since_s]
    if len(points) < FEWEST_SAMPLES:
        return None
    level, over_s = statistics.median(value for _, value in points), points[-1][0] - points[0][0]
    steepness = slope(points)
    return Growth(
        series=series,
        level=level,
        growth=steepness * over_s,
        allowed=max(allowance.floor, allowance.share * level) + _noise(points, steepness),
        over_s=over_s,
    )


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the median of the slopes between all points (Theil and Sen): a few outliers do not bend it."""
    return statistics.median(
        (later - earlier) / (end - begin) for (begin, earlier), (end, later) in combinations(points, 2) if end > begin
    )


def _noise(points: Sequence[tuple[float, float]], steepness: float) -> float:
    """Return what a line through that many values that scatter so may rise by without meaning anything.

    It is three times the standard error of the rise, where the deviations are taken from their median.
    """
    levels = [value - steepness * at for at, value in points]
    middle = statistics.median(levels)
    deviation = NORMAL * statistics.median(abs(level - middle) for level in levels)
    return 3 * deviation * math.sqrt(12 / len(points))
