"""How logins fare: three at once until one is let in, and nowhere any more after three refusals."""

from collections.abc import Callable

import pytest
from redis import Redis

from app.core import trials
from app.core.leases import connect_briefly
from app.core.trials import RedisTrials, forget
from inventory.records import Login
from tests.support.vaults import login

Stopped = list[tuple[str, int, str]]


@pytest.fixture
def stopped() -> Stopped:
    return []


@pytest.fixture
def counting(redis: Redis, stopped: Stopped) -> Callable[[], RedisTrials]:
    """Return what makes a process' own view of the count."""
    return lambda: RedisTrials(redis, lambda *which: stopped.append(which))


Counting = Callable[[], RedisTrials]
LAB = login("lab")


def refuse(count: RedisTrials, device: str, which: Login = LAB) -> None:
    assert count.begin(which, device) == "go"
    count.end(which, device, "refused")


def test_three_are_tried_at_once_until_one_is_let_in(counting: Counting) -> None:
    one, other = counting(), counting()
    assert [one.begin(LAB, "d1"), other.begin(LAB, "d2"), other.begin(LAB, "d3")] == ["go"] * 3
    assert [one.begin(LAB, "d4"), other.begin(LAB, "d5")] == ["wait"] * 2
    one.end(LAB, "d1", "accepted")
    assert [counting().begin(LAB, f"d{number}") for number in range(4, 14)] == ["go"] * 10


def test_a_trial_that_came_to_nothing_makes_room_and_counts_not(counting: Counting) -> None:
    count = counting()
    for number in range(10):
        assert count.begin(LAB, f"d{number}") == "go"
        count.end(LAB, f"d{number}", "unknown")


def test_after_three_refusals_a_login_is_tried_nowhere_any_more(counting: Counting, stopped: Stopped) -> None:
    for number in range(3):
        assert stopped == []
        refuse(counting(), f"d{number}")
    assert stopped == [("lab", 1, "lab")]
    with pytest.raises(LookupError, match="3 devices refused lab and none let it in"):
        counting().begin(LAB, "d9")


def test_no_more_than_three_can_be_refused_however_they_come(counting: Counting) -> None:
    count, refused = counting(), 0

    def is_tried(device: str) -> bool:
        try:
            return count.begin(LAB, device) == "go"
        except LookupError:
            return False

    for round_number in range(5):
        begun = [device for device in (f"d{round_number}-{number}" for number in range(20)) if is_tried(device)]
        for device in begun:
            count.end(LAB, device, "refused")
        refused += len(begun)
    assert refused == 3


def test_one_device_alone_does_not_stop_a_login(counting: Counting, stopped: Stopped) -> None:
    for _ in range(5):
        refuse(counting(), "d1")
    assert stopped == []


def test_a_login_with_a_new_secret_is_tried_again(counting: Counting) -> None:
    for number in range(3):
        refuse(counting(), f"d{number}")
    assert counting().begin(login("lab", version=2), "d1") == "go"


def test_a_login_that_is_forgotten_is_tried_again(counting: Counting, redis: Redis) -> None:
    for number in range(3):
        refuse(counting(), f"d{number}")
    forget(redis, "lab", 1)
    assert counting().begin(LAB, "d1") == "go"


def test_devices_that_refuse_a_proven_login_do_not_stop_it(counting: Counting, stopped: Stopped) -> None:
    count = counting()
    for number in range(5):
        assert count.begin(LAB, "good") == "go"
        count.end(LAB, "good", "accepted")
        refuse(counting(), f"d{number}")
    assert stopped == []


def test_a_login_that_worked_once_is_stopped_as_well_when_it_works_no_more(
    counting: Counting, stopped: Stopped
) -> None:
    count = counting()
    assert count.begin(LAB, "good") == "go"
    count.end(LAB, "good", "accepted")
    for number in range(6):
        refuse(counting(), f"d{number}")
    assert stopped == [("lab", 1, "lab")]


def test_without_redis_a_login_is_tried(stopped: Stopped, caplog: pytest.LogCaptureFixture) -> None:
    nowhere = connect_briefly("redis://127.0.0.1:1")
    count = RedisTrials(nowhere, lambda *which: stopped.append(which))
    for number in range(5):
        assert count.begin(LAB, f"d{number}") == "go"
        count.end(LAB, f"d{number}", "refused")
    assert stopped == []
    assert "Redis is away" in caplog.text


def test_a_trial_that_nobody_ended_is_over_after_a_while(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "TRIAL_S", 0)
    assert [counting().begin(LAB, f"d{number}") for number in range(5)] == ["go"] * 5
