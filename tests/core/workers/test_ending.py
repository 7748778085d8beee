"""How a worker ends: with its job done, at once when it is told twice, and never without its horse."""

import os
import signal
import time
from collections.abc import Iterator

import psutil
import pytest
from redis import Redis

from tests.support import horse_jobs
from tests.support.horse_jobs import PATIENCE_S, give, life, outcome_of, wait_until_begun


@pytest.fixture
def worker(redis: Redis) -> Iterator[psutil.Process]:
    """Run a worker that a test may stop."""
    with horse_jobs.working() as process:
        yield psutil.Process(process.pid)


def test_a_worker_that_is_told_to_stop_ends_its_job_first(worker: psutil.Process, redis: Redis) -> None:
    job = give(redis, horse_jobs.wait_for_draining)
    begun_by = wait_until_begun(redis)
    worker.terminate()
    assert outcome_of(job) == ("successful", True)
    worker.wait(PATIENCE_S)
    assert ["left", str(begun_by)] in life(redis)


def test_a_worker_that_is_told_to_stop_twice_ends_at_once(worker: psutil.Process, redis: Redis) -> None:
    give(redis, horse_jobs.sleep, 60)
    child = psutil.Process(wait_until_begun(redis))
    worker.terminate()
    time.sleep(1.2)  # within a second RQ takes the second signal for the first
    worker.terminate()
    assert psutil.wait_procs([child, worker], PATIENCE_S)[1] == []


def test_a_signal_meant_for_all_leaves_the_job_alone(worker: psutil.Process, redis: Redis) -> None:
    job = give(redis, horse_jobs.sleep, 1)
    os.kill(wait_until_begun(redis), signal.SIGTERM)
    worker.terminate()
    assert outcome_of(job)[0] == "successful"


def test_horses_end_with_their_worker(worker: psutil.Process, redis: Redis) -> None:
    give(redis, horse_jobs.sleep, 60)
    child = psutil.Process(wait_until_begun(redis))
    worker.kill()
    assert psutil.wait_procs([child], PATIENCE_S)[1] == []
