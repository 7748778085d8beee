"""Yielding: when a shard takes on no further hosts, and what becomes of those that have not begun."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from app.automation.executions import timing
from app.automation.executions.engine.runner import WindowRunner
from app.core import database
from app.core.database import CONNECTION_ERRORS, DatabaseThread
from app.core.errors import UnavailableError

ASK_EVERY_S = 1.0
QUIET_S = 30.0
"""How long a full window may see no host end before the others are left to whoever has room."""
WAITS_S = 0.25
"""How long a shard must have been in the queue: one that a free worker is about to take waits for nobody."""
OTHERS_WAIT = """
SELECT EXISTS (
    SELECT 1 FROM shards WHERE status = 'queued' AND execution <> $1 AND sent_at < now() - make_interval(secs => $2)
) AS waits
"""


@dataclass(kw_only=True)
class Turn:
    """A shard's time with its worker.

    ``threads`` is the share of the execution's concurrency that the shard has (0: no limit); with ``slots`` the
    shard's nodes have limits of their own, of which it could not give a part away while hosts are under way.
    """

    hand_over: Callable[[Sequence[str], int], None]
    others_wait: Callable[[], bool]
    is_draining: Callable[[], bool]
    threads: int = 0
    slots: bool = False
    begun_at: float = field(default_factory=time.monotonic)
    asked_at: float = 0.0
    is_over: bool = False

    def look(self, runner: WindowRunner) -> None:
        """End the turn when it is time, and hand the hosts over that have not begun."""
        if not runner.waiting:
            return
        self.is_over = self.is_over or self._must_end(runner)
        if not self.is_over:
            return
        if not self.threads and not self.slots:
            self.hand_over(runner.take_rest(), 0)
            return
        runner.close()
        under_way = runner.in_flight
        if under_way == 0:
            self.hand_over(runner.take_rest(), self.threads)
        elif under_way < self.threads and not self.slots and runner.quiet_s > timing.current().turn_s:
            self.hand_over(runner.take_rest(), self.threads - under_way)

    def _must_end(self, runner: WindowRunner) -> bool:
        if self.is_draining():
            return True
        if self.slots:
            return False
        if not self.threads and runner.quiet_s > QUIET_S and runner.in_flight == runner.size:
            return True
        moment = time.monotonic()
        if moment - self.begun_at < timing.current().turn_s or moment - self.asked_at < ASK_EVERY_S:
            return False
        self.asked_at = moment
        return self.others_wait()


def others_wait(db: DatabaseThread, execution_id: UUID) -> bool:
    """Say whether work of other executions waits for a worker; shards of one execution do not push each other aside."""
    try:
        row = db.run(database.fetch_one(OTHERS_WAIT, execution_id, WAITS_S))
    except (*CONNECTION_ERRORS, UnavailableError):
        return False
    return bool(row and row["waits"])
