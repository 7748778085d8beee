"""Why and when a shard stops: cancelled by somebody, or taken over by another worker."""

import os
import threading
import time
from collections.abc import Callable
from typing import Literal, Self

from app.automation.executions import timing
from app.automation.executions.changes import Claim, renew_locks
from app.automation.executions.standing import drop_shard
from app.core import database
from app.core.database import CONNECTION_ERRORS, DatabaseThread
from app.core.errors import UnavailableError
from app.core.logging import get_logger
from tasks import sessions

POLL_S = 0.5
GRACE_S = 1.5
"""How long after a cancellation a command may take to come to its end before its session is cut."""
KILL_AFTER_S = 4.0
"""How long after that a node may take that has no session to cut; then its process ends, and it with it."""

log = get_logger(__name__)


class LeaseLost(Exception):
    """Another worker has taken this shard over; nothing more may be written or sent."""


class Stop:
    """A flag that says stop, and why."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.is_closed = False
        """Nothing new is begun; what runs comes to its end."""
        self.reason: Literal["", "cancelled", "taken_over"] = ""

    def is_set(self) -> bool:
        """Say whether to stop."""
        return self._event.is_set()

    def is_cancelled(self) -> bool:
        """Say whether somebody cancelled the execution."""
        return self.reason == "cancelled"

    def set(self, reason: Literal["cancelled", "taken_over"]) -> None:
        """Say stop."""
        self.reason = self.reason or reason
        self.is_closed = True
        self._event.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait until told to stop, for at most ``timeout_s`` seconds."""
        return self._event.wait(timeout_s)


class Heartbeat:
    """Renews a shard's lease and its locks, parks who waits and watches for a stop, in a thread of its own."""

    def __init__(self, claim: Claim, db: DatabaseThread, stop: Stop, park_all: Callable[[], None]) -> None:
        self._claim, self._db, self._stop, self._park_all = claim, db, stop, park_all
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        renew_at = time.monotonic() + timing.current().renew_s
        stopped_at = float("inf")
        while not self._over.wait(POLL_S):
            try:
                if time.monotonic() >= renew_at:
                    self._db.run(self._renew())
                    renew_at = time.monotonic() + timing.current().renew_s
                elif not self._stop.is_set():
                    self._db.run(self._look())
                    self._park_all()
            except (*CONNECTION_ERRORS, UnavailableError) as error:
                log.warning("heartbeat missed: PostgreSQL is away", shard=str(self._claim.shard_id), error=str(error))
            except Exception as error:  # noqa: BLE001 — the heart's door: what cannot be parked is told at the end
                log.warning("heartbeat failed", shard=str(self._claim.shard_id), error=str(error))
            if self._stop.is_set():
                stopped_at = min(stopped_at, time.monotonic())
            self._enforce(time.monotonic() - stopped_at)

    def _enforce(self, stopped_for_s: float) -> None:
        """Cut what goes on after a stop: first the sessions, and in the end this process."""
        if stopped_for_s >= GRACE_S - POLL_S:
            sessions.interrupt_all()
        if stopped_for_s >= KILL_AFTER_S:
            log.warning("a node does not stop, its process ends", shard=str(self._claim.shard_id))
            try:
                if self._stop.is_cancelled():
                    self._db.run(drop_shard(self._claim.execution_id, self._claim.shard_id))
            finally:  # whoever finds the lease run out drops it
                os._exit(1)

    async def _renew(self) -> None:
        renewed = await database.execute(
            "UPDATE shards SET lease_until = now() + make_interval(secs => $3) "
            "WHERE id = $1 AND attempt = $2 AND status = 'running'",
            self._claim.shard_id,
            self._claim.attempt,
            timing.current().lease_s,
        )
        if renewed == 0:
            self._stop.set("taken_over")
            return
        await renew_locks(self._claim)
        await self._look()

    async def _look(self) -> None:
        row = await database.fetch_one(
            "SELECT cancel_requested_at IS NOT NULL AS cancelled, stop_reason FROM executions WHERE id = $1",
            self._claim.execution_id,
        )
        if row is None or row["cancelled"]:
            self._stop.set("cancelled")
        elif row["stop_reason"]:
            self._stop.is_closed = True
