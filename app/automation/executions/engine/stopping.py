"""Why and when a shard stops: cancelled by somebody, or taken over by another worker."""

import os
import threading
import time
from collections.abc import Callable
from typing import Literal, Self

from app.automation.executions import timing
from app.automation.executions.changes import Claim, renew_locks
from app.automation.executions.engine.lease import Lease
from app.automation.executions.standing import drop_shard
from app.core import database
from app.core.database import CONNECTION_ERRORS, DatabaseThread
from app.core.errors import UnavailableError
from app.core.logging import get_logger
from tasks import sessions

POLL_S = 0.5
ANSWER_S = 1.0
"""How long a heartbeat waits for PostgreSQL, so that it can cut what must be cut in time."""
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

    def is_taken_over(self) -> bool:
        """Say whether another worker has the shard by now."""
        return self.reason == "taken_over"

    def set(self, reason: Literal["cancelled", "taken_over"]) -> None:
        """Say stop."""
        self.reason = self.reason or reason
        self.is_closed = True
        self._event.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait until told to stop, for at most ``timeout_s`` seconds."""
        return self._event.wait(timeout_s)


class Heartbeat:
    """Renews a shard's lease and its locks and watches for a stop, in a thread of its own that nothing else holds up.

    ``cut_changes`` is called when the lease could not be renewed in time: before anybody else may take over.
    """

    def __init__(
        self, claim: Claim, db: DatabaseThread, stop: Stop, lease: Lease, cut_changes: Callable[[], None]
    ) -> None:
        self._claim, self._db, self._stop = claim, db, stop
        self._lease, self._cut_changes = lease, cut_changes
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
        held = True
        while not self._over.wait(POLL_S):
            if self._asked(renewing=time.monotonic() >= renew_at):
                renew_at = time.monotonic() + timing.current().renew_s
            if held and not self._lease.holds():
                log.warning("lease not renewed in time, changes stop", shard=str(self._claim.shard_id))
                self._cut_changes()
            held = self._lease.holds()
            if self._stop.is_set():
                stopped_at = min(stopped_at, time.monotonic())
            self._enforce(time.monotonic() - stopped_at)

    def _asked(self, *, renewing: bool) -> bool:
        """Renew the lease, or look whether to stop; True when it was renewed, or is another's."""
        try:
            if renewing:
                self._db.run(self._renew(time.monotonic()), ANSWER_S)
            elif not self._stop.is_set():
                self._db.run(self._look(), ANSWER_S)
        except (*CONNECTION_ERRORS, UnavailableError) as error:
            log.warning("heartbeat missed: PostgreSQL is away", shard=str(self._claim.shard_id), error=str(error))
            return False
        except Exception as error:  # noqa: BLE001 — the heart's door: the next beat tries again
            log.warning("heartbeat failed", shard=str(self._claim.shard_id), error=str(error))
            return False
        return renewing

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

    async def _renew(self, asked_at: float) -> None:
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
        self._lease.renewed(asked_at)
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
