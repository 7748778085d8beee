"""Lanes: a worker serves its own devices first, and others' when it has nothing else to do."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from app.core.queue import DEVICES, LANES, QUEUES, lane_of
from app.core.workers.lanes import queues_of
from tests.support import horse_jobs
from tests.support.horse_jobs import give, outcome_of


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 7, 16])
def test_every_lane_belongs_to_one_worker_and_every_worker_sees_all_queues(workers: int) -> None:
    waited_on = Counter(name for number in range(workers) for name in queues_of(number, workers)[0])
    assert [waited_on[name] for name in DEVICES] == [1] * LANES
    for number in range(workers):
        own, others = queues_of(number, workers)
        assert sorted(own + others) == sorted(QUEUES)


@pytest.mark.parametrize(("number", "workers"), [(-1, 4), (16, 20)])
def test_a_worker_without_lanes_looks_at_all(number: int, workers: int) -> None:
    own, others = queues_of(number, workers)
    assert (set(own), others) == (set(QUEUES) - set(DEVICES), list(DEVICES))


@given(st.text())
def test_a_device_has_one_lane(key: str) -> None:
    assert lane_of(key) == lane_of(key)
    assert 0 <= lane_of(key) < LANES


def test_an_idle_worker_takes_over_from_others(redis: Redis) -> None:
    own, others = queues_of(0, 2)
    with horse_jobs.working(0, 2):
        for lane in (own[2], others[0], others[-1]):
            assert outcome_of(give(redis, horse_jobs.pid, lane=lane))[0] == "successful"


def test_a_worker_does_its_own_work_before_that_of_others(redis: Redis) -> None:
    own, others = queues_of(0, 2)
    foreign = give(redis, horse_jobs.sleep, 0, lane=others[0])
    mine = [give(redis, horse_jobs.sleep, 0, lane=own[2]) for _ in range(3)]
    with horse_jobs.working(0, 2):
        outcome_of(foreign)
    assert all(job.get_status() == "finished" for job in mine)
