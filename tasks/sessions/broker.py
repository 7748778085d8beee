"""The sessions that this process keeps between jobs: pools by device, and one thread that looks after them."""

import logging
import threading
import time
import weakref

from tasks.context import SessionTimeouts
from tasks.sessions.leases import FreeLeases, Leases
from tasks.sessions.pool import SessionPool

ATTEND_S = 0.2
"""How long the keeper listens at a stretch; sessions that others wait for are closed at once."""
REAP_EVERY_S = 1.0

log = logging.getLogger(__name__)


class Broker:
    """The pools of a process, by device; while any holds a session, a daemon thread keeps and ends them."""

    def __init__(self, leases: Leases, timeouts: SessionTimeouts) -> None:
        self.leases = leases
        self._timeouts = timeouts
        self._lock = threading.Lock()
        self._pools: weakref.WeakValueDictionary[str, SessionPool] = weakref.WeakValueDictionary()
        self._filled: dict[str, SessionPool] = {}
        self._keeper: threading.Thread | None = None

    def pool(self, device: str) -> SessionPool:
        """Return the pool of a device; it lives as long as somebody holds it, or it holds a session."""
        with self._lock:
            pool = self._pools.get(device)
            if pool is None:
                pool = SessionPool(leases=self.leases, on_filled=lambda filled: self._fill(device, filled))
                self._pools[device] = pool
            return pool

    def close_all(self) -> None:
        """Close every session and give all leases back."""
        with self._lock:
            pools = list(self._filled.values())
        for pool in pools:
            pool.close_all()
        self.leases.end()

    def _fill(self, device: str, pool: SessionPool) -> None:
        with self._lock:
            self._filled[device] = pool
            if self._keeper is None:
                self._keeper = threading.Thread(target=self._keep, name="sessions", daemon=True)
                self._keeper.start()

    def _keep(self) -> None:
        reap_at = 0.0
        while True:
            try:
                for device in self.leases.attend(ATTEND_S):
                    self._make_room(device)
                if time.monotonic() >= reap_at:
                    self._reap()
                    reap_at = time.monotonic() + REAP_EVERY_S
            except Exception:  # the keeper's door: what it keeps must not outlive it
                log.exception("looking after the sessions failed")
                time.sleep(ATTEND_S)
            with self._lock:
                if not self._filled:
                    self._keeper = None
                    return

    def _make_room(self, device: str) -> None:
        with self._lock:
            pool = self._filled.get(device)
        if pool is not None:
            pool.make_room()

    def _reap(self) -> None:
        with self._lock:
            pools = dict(self._filled)
        for device, pool in pools.items():
            if not pool.reap(self._timeouts.idle_s, self._timeouts.max_age_s):
                self._forget(device)

    def _forget(self, device: str) -> None:
        """Let go of a pool, unless it was filled again meanwhile."""
        with self._lock:
            if device in self._filled and not self._filled[device].is_filled:
                del self._filled[device]


_brokers: list[Broker] = []
_lock = threading.Lock()


def begin(leases: Leases | None = None, timeouts: SessionTimeouts | None = None) -> None:
    """Set what this process asks for leases, before its first session; sessions of an earlier beginning are closed."""
    with _lock:
        formers = list(_brokers)
        _brokers[:] = [Broker(leases or FreeLeases(), timeouts or SessionTimeouts())]
    for former in formers:
        former.close_all()


def broker() -> Broker:
    """Return this process' broker."""
    with _lock:
        if not _brokers:
            _brokers[:] = [Broker(FreeLeases(), SessionTimeouts())]
        return _brokers[0]


def close_all() -> None:
    """Close every session that this process keeps, and give the leases back."""
    broker().close_all()
