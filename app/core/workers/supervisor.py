"""The supervisor: keeps a machine's workers and its reconciler alive, adds spare ones, and drains them on SIGTERM."""

import asyncio
import gc
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from types import FrameType

from app.core.logging import get_logger
from app.core.settings import Settings
from app.core.workers.bell import Bell
from app.core.workers.duties import Duty, keep_on
from app.core.workers.horse import Habits
from app.core.workers.processes import die_with, lead_a_group
from app.core.workers.warm import run_worker

LOOK_EVERY_S = 0.2
QUICK_DEATH_S = 5.0
PAUSE_S = 2.0
"""How long a child that died young has to wait for its successor, so that a broken one does not spin."""
SPARE = -1
"""The number of a worker that has no lane of its own."""
MOST_FACTOR = 4
"""How many times as many workers there may be as there usually are, where WORKERS_MAX does not say."""
SPARE_IDLE_S = 30
"""How long a spare worker stays without work."""

log = get_logger(__name__)


@dataclass
class Child:
    """A role in this machine's share, and the process that fills it now."""

    name: str
    run: Callable[[], None]
    pid: int = 0
    born: float = 0.0
    due: float = 0.0
    is_spare: bool = False
    """It is not missed when it ends."""


class Supervisor:
    """Forks its children from a preloaded parent, which opens no connection and starts no thread itself."""

    def __init__(self, children: list[Child], bell: Bell, spare: Callable[[], None], most_spares: int) -> None:
        self.children = children
        self.stopping = 0
        self._bell = bell
        self._spare = spare
        self._most_spares = most_spares

    def run(self) -> int:
        """Keep every child alive until told to stop, then drain; a second signal kills. Returns the exit code."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        gc.freeze()  # what is loaded is nobody's garbage: no child is to copy it page by page when it collects
        while not self.stopping:
            self._start_missing()
            self._reap()
            self._add_spares(self._bell.heard(LOOK_EVERY_S))
        self._signal_all(signal.SIGTERM)
        asked = 1
        while any(child.pid for child in self.children):
            if self.stopping > asked:
                asked = self.stopping
                self._signal_all(signal.SIGKILL)
            self._reap()
            time.sleep(LOOK_EVERY_S / 4)
        return 0

    def _stop(self, _: int, __: FrameType | None) -> None:
        self.stopping += 1

    def _start_missing(self) -> None:
        for child in self.children:
            if child.pid == 0 and time.monotonic() >= child.due:
                self._start(child)

    def _add_spares(self, asked: int) -> None:
        spares = sum(child.is_spare for child in self.children)
        for _ in range(min(asked, self._most_spares - spares)):
            spare = Child("spare worker", self._spare, is_spare=True)
            self.children.append(spare)
            self._start(spare)

    def _start(self, child: Child) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            child.pid, child.born = pid, time.monotonic()
            return
        code = 1
        try:
            lead_a_group()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            die_with(parent, signal.SIGTERM)
            child.run()
            code = 0
        except Exception:
            log.exception("child process failed", child=child.name)
        finally:
            os._exit(code)

    def _reap(self) -> None:
        for child in list(self.children):
            if child.pid == 0:
                continue
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                young = time.monotonic() - child.born < QUICK_DEATH_S
                child.pid, child.due = 0, time.monotonic() + (PAUSE_S if young else 0.0)
                if child.is_spare:
                    self.children.remove(child)
                elif not self.stopping:
                    log.warning("child process ended, starting another", child=child.name, status=status)

    def _signal_all(self, sig: signal.Signals) -> None:
        for child in self.children:
            if child.pid:
                os.kill(child.pid, sig)


def supervise(settings: Settings, duties: Sequence[Duty], habits: Habits, bell: Bell) -> int:
    """Run the workers and the reconciler that the settings ask for; returns the exit code."""
    workers = [
        Child(f"worker-{number}", partial(run_worker, settings, number, habits)) for number in range(settings.workers)
    ]
    reconciler = Child("reconciler", lambda: asyncio.run(keep_on(settings, duties)))
    most = settings.workers_max or MOST_FACTOR * settings.workers
    log.info("workers start", workers=settings.workers)
    return Supervisor(
        [*workers, reconciler],
        bell,
        partial(run_worker, settings, SPARE, habits, idle_s=SPARE_IDLE_S),
        most - settings.workers,
    ).run()
