"""A work-horse: a process that does one job after the other, keeps what it opens, and can be killed at any moment."""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.connection import Connection
from uuid import uuid4

import msgspec
from redis import Redis

from app.core.logging import get_logger
from app.core.workers.processes import die_with, end_group, lead_a_group

log = get_logger(__name__)

MOST_JOBS = 1000
MOST_BYTES = 512 * 1024 * 1024
"""After so many jobs, or with so much memory in use, a horse is let go and another takes its place."""


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """A job that a horse is handed, and the execution that RQ has made of it."""

    job_id: str
    queue: str
    execution_id: str
    created_at: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a horse says when a job is over."""

    is_spent: bool
    """Whether another horse is to do the next."""


@dataclass(frozen=True, kw_only=True)
class Habits:
    """What horses do beside their jobs: each once, the last in the worker, told which of them died."""

    begin: Callable[[str], None]
    end: Callable[[], None]
    bury: Callable[[Redis, str], None]


class Horse:
    """A worker's side of its horse: hands it jobs, hears of their ends, and ends it."""

    def __init__(self, live: Callable[[str, Connection], None]) -> None:
        self.generation = uuid4().hex
        self._line, theirs = connection.Pipe()
        worker = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            self._line.close()
            try:
                lead_a_group()
                die_with(worker, signal.SIGKILL)
                live(self.generation, theirs)
            except Exception:
                log.exception("a work-horse broke")
            finally:
                os._exit(1)
        theirs.close()
        lead_a_group(self.pid)
        self._death = os.pidfd_open(self.pid) if hasattr(os, "pidfd_open") else None

    def hand(self, assignment: Assignment) -> bool:
        """Hand it a job; False when it is dead."""
        try:
            self._line.send_bytes(msgspec.json.encode(assignment))
        except OSError:
            return False
        return True

    def wait(self, timeout_s: float, *others: int) -> bool:
        """Wait until it says something, ends, or one of other descriptors is ready; False after ``timeout_s``."""
        watched: list[Connection | int] = [self._line, *others]
        if self._death is not None:
            watched.append(self._death)
        return bool(connection.wait(watched, timeout_s))

    def report(self) -> Report | None:
        """Return what it has said, if anything; raises EOFError when it is dead and has said nothing."""
        try:
            if self._line.poll():
                return msgspec.json.decode(self._line.recv_bytes(), type=Report)
        except OSError as error:
            raise EOFError from error
        if self._death is not None and connection.wait([self._death], 0):
            raise EOFError
        return None

    def drain(self) -> None:
        """Ask it to begin nothing new within its job."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGUSR1)

    def let_go(self) -> None:
        """Let it close what it has open, and end; ``is_gone`` says when it has."""
        self._line.close()
        if self._death is not None:
            os.close(self._death)
            self._death = None

    def kill(self) -> None:
        """End it and all that it started, at once."""
        end_group(self.pid)

    def is_gone(self) -> bool:
        """Say whether it has ended, and take note of its end."""
        try:
            return os.waitpid(self.pid, os.WNOHANG)[0] != 0
        except ChildProcessError:
            return True


_draining = threading.Event()
_spent = threading.Event()


def begin_draining(*_: object) -> None:
    """Note that the worker is told to stop: what this horse has in hand is its last, and should be over soon."""
    _draining.set()


def is_draining() -> bool:
    """Say whether this process should begin nothing new."""
    return _draining.is_set()


def spend() -> None:
    """Note that this process should do no other job: something in it lives on that nobody can stop."""
    _spent.set()


def is_spent() -> bool:
    """Say whether this process should do no other job."""
    return _spent.is_set()
