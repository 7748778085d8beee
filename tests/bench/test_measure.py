import pytest

from tests.bench.measure import Figure, percentile, size


def figure(value: float, peer: float | None = None, goal: float | None = None, ratio: float | None = None) -> Figure:
    return Figure(work="work", figure=value, unit="s", peer=peer, goal=goal, goal_ratio=ratio)


@pytest.mark.parametrize(
    ("judged", "met"),
    [
        (figure(3.0), None),
        (figure(3.0, goal=3.0), True),
        (figure(3.1, goal=3.0), False),
        (figure(3.0, peer=4.0, ratio=0.75), True),
        (figure(3.1, peer=4.0, ratio=0.75), False),
        (figure(3.0, peer=4.0, goal=2.0, ratio=0.75), False),
        (figure(3.0, ratio=0.75), False),
    ],
)
def test_a_goal_is_on_the_figure_or_on_its_ratio(judged: Figure, met: bool | None) -> None:
    assert judged.met is met


def test_a_record_holds_the_goal_as_what_the_figure_may_be() -> None:
    assert figure(3.0, peer=4.0, ratio=0.5).record("bench") == {
        "work": "bench: work", "figure": 3.0, "unit": "s", "peer": 4.0, "ratio": 0.75, "goal": 2.0, "met": False,
    }  # fmt: skip


def test_the_99th_of_a_hundred_is_the_slowest_but_one() -> None:
    assert percentile([float(number) for number in range(1, 101)], 99) == 99.0


def test_a_size_is_what_the_environment_says_or_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_OF_TEST", "7")
    assert (size("OF_TEST", 500), size("OF_NOTHING", 500)) == (7, 500)
