"""A worker keeps its horse from job to job, and loses no job by whatever befalls it."""

from collections.abc import Callable, Iterator

import psutil
import pytest
from redis import Redis
from rq.command import send_command, send_stop_job_command
from rq.job import Job
from rq.serializers import JSONSerializer

from app.core.embedded import EmbeddedServices
from tests.support import horse_jobs
from tests.support.horse_jobs import give, life, outcome_of, wait_until_begun


@pytest.fixture(scope="module")
def worker(services: EmbeddedServices) -> Iterator[psutil.Process]:
    with horse_jobs.working() as process:
        yield psutil.Process(process.pid)


def stop(job: Job) -> None:
    send_stop_job_command(job.connection, job.id, JSONSerializer)


@pytest.mark.usefixtures("worker")
def test_jobs_one_after_the_other_are_done_by_the_same_process(redis: Redis) -> None:
    pids = {outcome_of(give(redis, horse_jobs.pid)) for _ in range(5)}
    assert len(pids) == 1


@pytest.mark.usefixtures("worker")
def test_a_job_that_fails_costs_no_horse(redis: Redis) -> None:
    before = outcome_of(give(redis, horse_jobs.pid))
    status, told = outcome_of(give(redis, horse_jobs.break_off))
    assert status == "failed"
    assert "it broke" in told
    assert outcome_of(give(redis, horse_jobs.pid)) == before


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("end", [horse_jobs.die, horse_jobs.leave])
def test_a_horse_that_ends_in_a_job_fails_it_and_another_does_the_next(end: Callable[[], None], redis: Redis) -> None:
    _, before = outcome_of(give(redis, horse_jobs.pid))
    status, told = outcome_of(give(redis, end))
    assert status == "failed"
    assert "terminated unexpectedly" in told
    status, after = outcome_of(give(redis, horse_jobs.pid))
    assert status == "successful"
    assert after != before
    assert [words[0] for words in life(redis)][-2:] == ["buried", "born"]


def test_a_horse_that_dies_between_jobs_costs_none(worker: psutil.Process, redis: Redis) -> None:
    _, before = outcome_of(give(redis, horse_jobs.pid))
    psutil.Process(before).kill()
    status, after = outcome_of(give(redis, horse_jobs.pid))
    assert status == "successful"
    assert after != before
    assert worker.is_running()


@pytest.mark.usefixtures("worker")
def test_a_job_can_be_stopped_in_the_middle(redis: Redis) -> None:
    job = give(redis, horse_jobs.sleep, 60)
    begun_by = wait_until_begun(redis)
    stop(job)
    status, told = outcome_of(job)
    assert (status, job.get_status()) == ("failed", "stopped")
    assert "stopped by user" in told
    assert not psutil.pid_exists(begun_by)
    assert outcome_of(give(redis, horse_jobs.pid))[0] == "successful"


@pytest.mark.usefixtures("worker")
def test_a_stop_that_comes_too_late_stops_nobody_elses_job(redis: Redis) -> None:
    first = give(redis, horse_jobs.pid)
    outcome_of(first)
    second = give(redis, horse_jobs.sleep, 1)
    wait_until_begun(redis)
    second.refresh()  # type: ignore[no-untyped-call]
    send_command(redis, str(second.worker_name), "stop-job", job_id=first.id)
    assert outcome_of(second)[0] == "successful"


@pytest.mark.usefixtures("worker")
def test_a_job_whose_time_is_over_is_ended_even_if_it_does_not_listen(redis: Redis) -> None:
    _, before = outcome_of(give(redis, horse_jobs.pid))
    status, told = outcome_of(give(redis, horse_jobs.swallow, 60, timeout=1))
    assert status == "failed"
    assert "JobTimeoutException" in told
    assert outcome_of(give(redis, horse_jobs.pid))[1] != before


@pytest.mark.usefixtures("worker")
def test_a_horse_that_heeds_its_timeout_is_still_not_used_again(redis: Redis) -> None:
    _, before = outcome_of(give(redis, horse_jobs.pid))
    assert outcome_of(give(redis, horse_jobs.sleep, 60, timeout=1))[0] == "failed"
    assert outcome_of(give(redis, horse_jobs.pid))[1] != before


@pytest.mark.usefixtures("worker")
def test_a_spent_horse_is_let_go_and_another_takes_its_place(redis: Redis) -> None:
    _, spent = outcome_of(give(redis, horse_jobs.spend))
    _, after = outcome_of(give(redis, horse_jobs.pid))
    assert after != spent
    outcome_of(give(redis, horse_jobs.pid))
    assert ["left", str(spent)] in life(redis)
