"""The lot: hosts of a shard that wait, until they are taken out of it, at most half a second later."""

import threading
from collections.abc import Callable, Sequence

from app.automation.executions import outputs, parking
from app.automation.executions.changes import Claim
from app.automation.executions.engine.stopping import Stop
from app.automation.executions.engine.walker import Walker
from app.automation.executions.masks import Masker
from app.automation.executions.parking import ParkedHost
from app.automation.workflows.graph import Plan
from app.core.database import DatabaseThread, patiently


class Lot:
    """Collects who waits and parks them together; what they recorded before is committed first."""

    def __init__(
        self, claim: Claim, plan: Plan, db: DatabaseThread, stop: Stop, masker: Masker, commit: Callable[[], None]
    ) -> None:
        self._claim, self._plan, self._db, self._stop = claim, plan, db, stop
        self._masker, self._commit = masker, commit
        self._lock = threading.Lock()
        self._waiting: list[ParkedHost] = []

    def add(self, walker: Walker) -> None:
        """Note that a walk goes no further for now."""
        with self._lock:
            self._waiting += [
                ParkedHost(
                    node_id=node_id,
                    host_key=walker.place.key,
                    host_name=walker.place.name,
                    iteration=iteration,
                    due_at=park.due_at,
                    body=self._masker.value(outputs.plain(dict(park.body))),
                )
                for node_id, iteration, park in walker.parked
            ]

    def flush(self) -> None:
        """Take those who wait out of the shard."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        try:
            self._commit()
            self._park(waiting)
        except BaseException:
            with self._lock:  # nobody is lost: the next flush takes them, and the last one tells why it cannot
                self._waiting = [*waiting, *self._waiting]
            raise

    def _park(self, waiting: Sequence[ParkedHost]) -> None:
        if not self._db.run(patiently(lambda: parking.park(self._claim, self._plan, waiting))):
            self._stop.set("taken_over")
