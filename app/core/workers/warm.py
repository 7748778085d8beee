"""A worker that keeps its work-horse between jobs: RQ's own, but for who does the work and how his end is noticed."""

import contextlib
import os
import random
import select
import signal
import sys
import threading
import time
from datetime import datetime
from multiprocessing.connection import Connection
from typing import Any, ClassVar

import msgspec
from redis.exceptions import RedisError
from rq import Worker
from rq.executions import Execution
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer
from rq.timeouts import JobTimeoutException
from rq.utils import now

from app.core import queue
from app.core.logging import get_logger
from app.core.settings import Settings
from app.core.workers import horse
from app.core.workers.horse import Assignment, Habits, Horse, Report
from app.core.workers.lanes import SPARE_STEALS_AFTER_S, STEAL_AFTER_S, LaneQueue, queues_of
from app.core.workers.processes import resident_bytes

WORKER_TTL_S = 20
MONITOR_S = 5
LEASE_S = 15
MAINTENANCE_S = 30
KILL_GRACE_S = 1.0
"""How long after its time a job may take to notice that it is over."""
TRIES = 3
FAREWELL_S = 10
"""How long a horse that is let go may take to close what it has open."""

log = get_logger(__name__)


class WarmWorker(Worker):
    """RQ's forking worker, with one horse for many jobs and a lease of 15 s on the job in hand."""

    habits: ClassVar[Habits]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._horse: Horse | None = None
        self._retired: list[Horse] = []
        self._overdue_job: str | None = None
        self._kill_asked, self._kill_wanted = os.pipe()
        os.set_blocking(self._kill_asked, False)

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

    def bootstrap(self, *arguments: Any, **options: Any) -> None:
        """Start the first horse before there is work, so that the first job does not wait for it."""
        super().bootstrap(*arguments, **options)
        self._living_horse()

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Let the horse do a job; another one stands ready when this one is spent."""
        super().execute_job(job, queue)
        self._bury()
        if not self._stop_requested:
            self._living_horse()

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        """Hand the job to the horse: it has not begun with it if it turns out to be dead."""
        execution = self.execution
        if execution is None:
            raise RuntimeError("RQ prepares an execution before a horse is asked for")
        assignment = Assignment(
            job_id=job.id,
            queue=queue.name,
            execution_id=execution.id,
            created_at=execution.created_at.timestamp(),
        )
        for _ in range(TRIES):
            if self._living_horse().hand(assignment):
                return
            self._retire(kill=True)
        raise RuntimeError(f"{TRIES} work-horses died before they were given anything")

    def monitor_work_horse(self, job: Job, queue: Queue, execution: Execution) -> None:
        """Wait for the end of a job; a horse that dies over it, or outlives its time, is killed with all it started."""
        job.started_at = now()
        report = self._await_report(job, execution)
        if report is not None:
            self.executions.pop(execution.id, None)
            self._horse_pid = 0
            if report.is_spent:
                self._retire()
            return
        dead = self._living_horse()
        dead.kill()
        self._horse_pid = dead.pid
        super().monitor_work_horse(job, queue, execution)  # reaps it, and says what became of the job
        self._horse = None
        dead.let_go()
        self._tell_dead(dead)

    def _await_report(self, job: Job, execution: Execution) -> Report | None:
        """Return the horse's report, or None when there will be none."""
        current, begin = self._living_horse(), time.monotonic()
        overdue_at = begin + job.timeout + KILL_GRACE_S if job.timeout and job.timeout > 0 else float("inf")
        beat_at = begin + self.job_monitoring_interval
        while True:
            current.wait(max(0.0, min(beat_at, overdue_at) - time.monotonic()), self._kill_asked)
            try:
                report = current.report()
            except EOFError:
                return None
            if report is not None:
                return report
            if self._is_to_be_killed(job):
                return None
            if time.monotonic() >= overdue_at:
                self._overdue_job = job.id
                return None
            if time.monotonic() >= beat_at:
                beat_at = time.monotonic() + self.job_monitoring_interval
                self.maintain_heartbeats(job, execution)

    def _is_to_be_killed(self, job: Job) -> bool:
        """Say whether somebody asked for the death of the horse while it did this job."""
        if not select.select([self._kill_asked], [], [], 0)[0]:
            return False
        asked = os.read(self._kill_asked, select.PIPE_BUF).decode().split()
        return job.id in asked

    def kill_horse(self, sig: signal.Signals = signal.SIGKILL) -> None:
        """Kill the horse, at a second SIGTERM; at a command, have whoever watches it do so if it is the same job still.

        RQ calls this from the thread that hears commands; by the time the signal came it might be another job's turn.
        """
        del sig
        if threading.current_thread() is threading.main_thread():
            if self._horse is not None:
                self._horse.kill()
            return
        job_id = self.get_current_job_id()
        if job_id is not None:
            os.write(self._kill_wanted, f"{job_id} ".encode())

    def wait_for_horse(self) -> Any:
        """Return how the horse ended: that it ended in the middle of a job is never a success."""
        pid, status, usage = super().wait_for_horse()
        return pid, status or signal.SIGKILL, usage

    def handle_job_failure(
        self,
        job: Job,
        queue: Queue,
        started_job_registry: Any = None,
        exc_string: str = "",
        execution: Execution | None = None,
    ) -> None:
        """Note a failed job, and say so where it failed because its time was over."""
        if self._overdue_job == job.id:
            self._overdue_job = None
            exc_string = f"{JobTimeoutException.__name__}: not over after {job.timeout} s; its work-horse was killed"
        super().handle_job_failure(job, queue, started_job_registry, exc_string, execution)

    def handle_warm_shutdown_request(self) -> None:
        """Let the job in hand come to its end, and begin nothing new within it."""
        super().handle_warm_shutdown_request()  # type: ignore[no-untyped-call]
        if self._horse is not None:
            self._horse.drain()

    def teardown(self) -> None:
        """Let the horse close what it has open, and leave."""
        self._retire()
        give_up_at = time.monotonic() + FAREWELL_S
        while self._retired and time.monotonic() < give_up_at:
            self._bury()
            time.sleep(0.01)
        for left in self._retired:
            left.kill()
        super().teardown()  # type: ignore[no-untyped-call]

    def _living_horse(self) -> Horse:
        if self._horse is None:
            self._horse = Horse(self._live)
        self._horse_pid = self._horse.pid
        return self._horse

    def _retire(self, *, kill: bool = False) -> None:
        """Let a horse go, or kill it at once; it is buried when it has ended."""
        if self._horse is None:
            return
        if kill:
            self._horse.kill()
            self.wait_for_horse()
        self._horse.let_go()
        self._retired.append(self._horse)
        self._horse, self._horse_pid = None, 0
        if kill:
            self._bury()

    def _bury(self) -> None:
        gone = [one for one in self._retired if one.is_gone()]
        self._retired = [one for one in self._retired if one not in gone]
        for one in gone:
            self._tell_dead(one)

    def _tell_dead(self, dead: Horse) -> None:
        try:
            self.habits.bury(self.connection, dead.generation)
        except RedisError as error:
            log.warning("what a dead horse held runs out by itself: Redis is away", error=str(error))

    def _live(self, generation: str, line: Connection) -> None:
        """Be a horse, from the fork to the end."""
        self._become_horse()
        self.habits.begin(generation)
        by_name = {one.name: one for one in self.queues}
        jobs = 0
        with contextlib.suppress(EOFError):  # the worker has let go
            while True:
                self._do(msgspec.json.decode(line.recv_bytes(), type=Assignment), by_name)
                jobs += 1
                is_spent = horse.is_spent() or jobs >= horse.MOST_JOBS or resident_bytes() >= horse.MOST_BYTES
                line.send_bytes(msgspec.json.encode(Report(is_spent=is_spent)))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(FAREWELL_S)
        self.habits.end()
        sys.stdout.flush()
        os._exit(0)

    def _become_horse(self) -> None:
        random.seed()
        self.setup_work_horse_signals()  # type: ignore[no-untyped-call]
        signal.signal(signal.SIGTERM, _leave_it_to_the_worker)
        signal.signal(signal.SIGUSR1, horse.begin_draining)
        self._is_horse, self._horse_pid = True, 0
        self.executions = {}
        os.environ["RQ_WORKER_ID"] = self.name
        self.push_exc_handler(_spend_after_timeout)  # type: ignore[no-untyped-call]

    def _do(self, assignment: Assignment, by_name: dict[str, Queue]) -> None:
        """Do a job as RQ does it: results, retries, callbacks and all."""
        os.environ["RQ_JOB_ID"] = assignment.job_id
        job = self.job_class.fetch(assignment.job_id, connection=self.connection, serializer=self.serializer)
        job.redis_server_version = self.get_redis_server_version()  # type: ignore[no-untyped-call]
        execution = Execution(assignment.execution_id, assignment.job_id, self.connection, self.name)
        execution.created_at = datetime.fromtimestamp(assignment.created_at, execution.created_at.tzinfo)
        execution._job = job  # noqa: SLF001 — what RQ's own fetch would read from Redis again
        self.executions = {execution.id: execution}
        self.perform_job(job, by_name[assignment.queue], execution)
        self.executions = {}


def run_worker(settings: Settings, number: int, habits: Habits, *, idle_s: int | None = None) -> None:
    """Take work until told to stop, or until there was none for ``idle_s`` seconds."""
    mine, others = queues_of(number, settings.workers)
    redis = queue.connect(settings.require_redis())
    LaneQueue.own = len(mine)
    LaneQueue.steal_after_s = STEAL_AFTER_S if 0 <= number < settings.workers else SPARE_STEALS_AFTER_S
    WarmWorker.habits = habits
    worker: Any = WarmWorker(
        [LaneQueue(name, connection=redis, serializer=JSONSerializer) for name in (*mine, *others)],
        connection=redis,
        queue_class=LaneQueue,
        serializer=JSONSerializer,
        worker_ttl=WORKER_TTL_S,
        job_monitoring_interval=MONITOR_S,
        maintenance_interval=MAINTENANCE_S,
        log_job_description=False,
    )
    worker.work(logging_level="WARNING", max_idle_time=idle_s)


def _leave_it_to_the_worker(*_: object) -> None:
    """Do nothing at a signal that is meant for the whole service: the worker decides when its horse ends.

    A handler and not SIG_IGN, which programs started here would inherit.
    """


def _spend_after_timeout(job: Job, kind: type[BaseException], *_: object) -> bool:
    """Note that a job's time was over: its threads may live on, so this horse does no other."""
    del job
    if issubclass(kind, JobTimeoutException):
        horse.spend()
    return True
