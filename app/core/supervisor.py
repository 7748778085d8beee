"""The supervisor: keeps a machine's worker processes and its reconciler alive, and drains them on SIGTERM."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import FrameType

from redis import Redis

from app.core import database, queue
from app.core.logging import get_logger
from app.core.settings import Settings
from app.core.worker_process import die_with, run_worker

RECONCILE_EVERY_S = 3.0
UPKEEP_EVERY_S = 600.0
LOOK_EVERY_S = 0.2
QUICK_DEATH_S = 5.0
PAUSE_S = 2.0
"""How long a child that died young has to wait for its successor, so that a broken one does not spin."""

log = get_logger(__name__)
Reconcile = Callable[[Redis], Awaitable[int]]
Upkeep = Callable[[], Awaitable[object]]


@dataclass
class Child:
    """A role in this machine's share, and the process that fills it now."""

    name: str
    run: Callable[[], None]
    pid: int = 0
    born: float = 0.0
    due: float = 0.0


class Supervisor:
    """Forks its children from a preloaded parent, which opens no connection and starts no thread itself."""

    def __init__(self, children: list[Child]) -> None:
        self.children = children
        self.stopping = 0

    def run(self) -> int:
        """Keep every child alive until told to stop, then drain; a second signal kills. Returns the exit code."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        while not self.stopping:
            self._start_missing()
            self._reap()
            time.sleep(LOOK_EVERY_S)
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

    def _start(self, child: Child) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            child.pid, child.born = pid, time.monotonic()
            return
        code = 1
        try:
            os.setpgid(0, 0)
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
        for child in self.children:
            if child.pid == 0:
                continue
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                young = time.monotonic() - child.born < QUICK_DEATH_S
                child.pid, child.due = 0, time.monotonic() + (PAUSE_S if young else 0.0)
                if not self.stopping:
                    log.warning("child process ended, starting another", child=child.name, status=status)

    def _signal_all(self, sig: signal.Signals) -> None:
        for child in self.children:
            if child.pid:
                os.kill(child.pid, sig)


def supervise(settings: Settings, reconcile: Reconcile, upkeep: Upkeep) -> int:
    """Run the workers and the reconciler that the settings ask for; returns the exit code.

    The reconciler's process also does the upkeep, now and then.
    """
    workers = [Child(f"worker-{number}", lambda: run_worker(settings)) for number in range(settings.workers)]
    reconciler = Child("reconciler", lambda: asyncio.run(_look_after(settings, reconcile, upkeep)))
    log.info("workers start", workers=settings.workers)
    return Supervisor([*workers, reconciler]).run()


async def _look_after(settings: Settings, reconcile: Reconcile, upkeep: Upkeep) -> None:
    redis = queue.connect(settings.require_redis())
    await database.patiently(lambda: database.open_pool(min_size=1, max_size=2), patience_s=float("inf"))
    await asyncio.gather(
        _forever("reconciling", lambda: reconcile(redis), RECONCILE_EVERY_S),
        _forever("upkeep", upkeep, UPKEEP_EVERY_S),
    )


async def _forever(title: str, work: Upkeep, every_s: float) -> None:
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 — the reconciler's door: it must outlive whatever it meets
            log.warning("work failed, trying again", work=title, error=str(error), kind=type(error).__name__)
        await asyncio.sleep(every_s)
