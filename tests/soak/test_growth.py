import random

import pytest

from tests.soak.growth import ALLOWANCES, growth_of, slope
from tests.soak.samples import Sample

WHOLE_S = 1800.0


def samples(*, mb: float = 200.0, rising_mb: float = 0.0, scatter_mb: float = 0.0) -> list[Sample]:
    chance = random.Random(4)  # noqa: S311 — scatter that is the same every time
    return [
        Sample(
            at_s=at,
            workers_mb=mb + rising_mb * at / WHOLE_S + chance.uniform(-scatter_mb, scatter_mb),
            api_mb=100.0,
            redis_mb=5.0,
            processes=10,
            descriptors=120,
            connections=20,
            keys=300 + min(at, 600.0),
        )
        for at in (WHOLE_S * number / 120 for number in range(1, 121))
    ]


@pytest.mark.parametrize(
    ("rising_mb", "scatter_mb", "grows"),
    [(0.0, 0.0, False), (0.0, 60.0, False), (60.0, 0.0, True), (200.0, 60.0, True)],
)
def test_what_rises_grows_and_what_scatters_does_not(rising_mb: float, scatter_mb: float, grows: bool) -> None:
    growth = growth_of("workers_mb", samples(rising_mb=rising_mb, scatter_mb=scatter_mb), WHOLE_S)
    assert growth is not None
    assert growth.grows is grows


def test_what_is_kept_for_ten_minutes_may_pile_up_for_ten_minutes() -> None:
    growth = growth_of("keys", samples(), WHOLE_S)
    assert growth is not None
    assert (growth.growth, growth.grows) == (0.0, False)


def test_too_short_a_time_says_nothing() -> None:
    assert growth_of("keys", samples()[:30], WHOLE_S / 4) is None


def test_an_outlier_does_not_bend_the_line() -> None:
    assert slope([(0.0, 1.0), (1.0, 2.0), (2.0, 900.0), (3.0, 4.0), (4.0, 5.0)]) == 1.0


def test_every_series_of_a_sample_is_judged() -> None:
    assert set(ALLOWANCES) == set(Sample.__dataclass_fields__) - {"at_s"}
