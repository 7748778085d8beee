"""One worker process: an RQ worker that forks a work-horse for each job, and whose death is noticed within seconds."""

import ctypes
import os
import signal
import sys
from typing import Any

from redis.exceptions import RedisError
from rq import Worker
from rq.executions import Execution
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer

from app.core import queue
from app.core.logging import get_logger
from app.core.settings import Settings

WORKER_TTL_S = 20
MONITOR_S = 5
LEASE_S = 15
MAINTENANCE_S = 30
PR_SET_PDEATHSIG = 1

log = get_logger(__name__)


class ForkingWorker(Worker):
    """RQ's forking worker with a lease of 15 s on the job in hand, and horses that die with their worker."""

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        """Return how long a job is ours without a heartbeat; upstream's minute would hide a dead worker."""
        del job, working_time
        return LEASE_S

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        """Send the heartbeats; when Redis is away the work goes on, because PostgreSQL holds the real lease."""
        try:
            super().maintain_heartbeats(job, execution)
        except RedisError as error:
            log.warning("heartbeat missed: Redis is away", job=job.id, error=str(error))

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        """Do one job in the forked process."""
        die_with(os.getppid(), signal.SIGKILL)
        super().main_work_horse(job, queue)


def run_worker(settings: Settings) -> None:
    """Take work from all queues until told to stop."""
    redis = queue.connect(settings.require_redis())
    worker: Any = ForkingWorker(
        list(queue.QUEUES),
        connection=redis,
        serializer=JSONSerializer,
        worker_ttl=WORKER_TTL_S,
        job_monitoring_interval=MONITOR_S,
        maintenance_interval=MAINTENANCE_S,
        log_job_description=False,
    )
    worker.work(logging_level="WARNING")


def die_with(parent: int, sig: signal.Signals) -> None:
    """Have the kernel send ``sig`` when the parent dies (Linux); elsewhere a lost parent is found by its lease.

    The signal comes when the thread that forked ends, so fork from main threads only (prctl(2)).
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, sig)
    if os.getppid() != parent:
        os.kill(os.getpid(), sig)
