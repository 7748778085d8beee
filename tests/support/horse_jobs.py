"""Jobs that a work-horse is given in tests, and how a worker that is to do them is started."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from redis import Redis
from rq.job import Job
from rq.results import Result
from rq.utils import as_text

from app.core.queue import connect, queue
from app.core.settings import load_settings
from app.core.workers import horse
from app.core.workers.horse import Habits
from app.core.workers.warm import run_worker
from tests.support.placement import REPOSITORY

PATIENCE_S = 30
LIFE = "horses"
"""The Redis list in which horses write down what becomes of them."""


def pid() -> int:
    """Return the process that does the job."""
    return os.getpid()


def sleep(seconds: float) -> int:
    """Take a while, in small steps, and say so first."""
    _redis().rpush("begun", os.getpid())
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.02)
    return os.getpid()


def swallow(seconds: float) -> None:
    """Take a while, whatever RQ raises meanwhile."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(Exception):
            time.sleep(0.05)


def leave() -> None:
    """End the process as if all were well."""
    os._exit(0)


def die() -> None:
    """Die as by the kernel's hand."""
    os.kill(os.getpid(), signal.SIGKILL)


def break_off() -> None:
    """Fail."""
    raise ValueError("it broke")


def spend() -> int:
    """Ask that this process does no other job."""
    horse.spend()
    return os.getpid()


def wait_for_draining() -> bool:
    """Return whether the worker was told to stop within the job's time."""
    _redis().rpush("begun", os.getpid())
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and not horse.is_draining():
        time.sleep(0.02)
    return horse.is_draining()


def give(redis: Redis, job: Callable[..., Any], *arguments: Any, lane: str = "high", timeout: int = 60) -> Job:
    """Put a job into a queue."""
    return queue(lane, redis).enqueue_call(f"{job.__module__}.{job.__name__}", args=arguments, timeout=timeout)


def outcome_of(job: Job) -> tuple[str, Any]:
    """Wait for the end of a job; return how it ended, and what it returned or the text of its failure."""
    result = job.latest_result(timeout=PATIENCE_S)
    assert result is not None, f"the job is {job.get_status()}"
    is_well = result.type is Result.Type.SUCCESSFUL
    return result.type.name.lower(), result.return_value if is_well else result.exc_string


def life(redis: Redis) -> list[list[str]]:
    """Return what became of horses, in words."""
    return [as_text(line).split() for line in redis.lrange(LIFE, 0, -1)]


def wait_until_begun(redis: Redis) -> int:
    """Wait for a job that says so when it begins, and return its process."""
    begun = redis.blpop(["begun"], PATIENCE_S)
    assert begun is not None
    return int(begun[1])


@contextmanager
def working(number: int = 0, workers: int = 1) -> Iterator[subprocess.Popen[bytes]]:
    """Run one worker in a process of its own; a worker that was told to stop is waited for."""
    environ = {**os.environ, "WORKERS": str(workers)}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.horse_jobs", str(number)], cwd=REPOSITORY, env=environ
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(PATIENCE_S)


def _redis() -> Redis:
    return connect(load_settings().require_redis())


def _main(number: int) -> None:
    def write(what: str) -> None:
        _redis().rpush(LIFE, what)

    habits = Habits(
        begin=lambda generation: write(f"born {generation} {os.getpid()}"),
        end=lambda: write(f"left {os.getpid()}"),
        bury=lambda _, generation: write(f"buried {generation}"),
    )
    run_worker(load_settings(), number, habits)


if __name__ == "__main__":
    _main(int(sys.argv[1]))
