"""The right to change: a device's change lock, and the intent that is committed before the first byte goes out."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from app.automation.executions.changes import Intent
from app.automation.executions.engine.holds import Holds
from app.automation.executions.engine.lease import Lease
from app.automation.executions.engine.stopping import Stop
from app.automation.executions.recorder import Recorder
from app.automation.executions.records import Place
from app.automation.executions.writer import LockReleased, LockWanted, Writer
from tasks.errors import NodeError

LOCK_WAIT_S = 60.0
LOCK_POLL_S = 0.25
LEASE_WAIT_S = 60.0
"""How long a change waits for word from PostgreSQL that it is still this worker's to make."""
NOTHING_SENT = "Nothing was sent."


@dataclass(frozen=True, kw_only=True)
class Changing:
    """What a shard's nodes take before they change something; all of it goes through the writer's group commit."""

    writer: Writer
    recorder: Recorder
    stop: Stop
    lease: Lease
    holds: Holds

    @contextmanager
    def lock(self, host_key: str, host_name: str) -> Iterator[None]:
        """Hold a device's change lock; it is kept where a call lives on, and ends with this process' lease."""
        with self.holds.turn(host_key):
            self._take(host_key, host_name)
            try:
                yield
            finally:
                if host_key not in self.recorder.abandoned:
                    self.writer.put(LockReleased(host_key))  # committed with the result that follows

    def intend(
        self, node_id: str, place: Place, lines: Sequence[str], *, locked: bool, is_over: Callable[[], bool]
    ) -> None:
        """Record the intent to send lines; raises NodeError when the change is not, or no longer, ours to make.

        What is intended counts as begun while the commit is waited for: nobody can tell then whether it will be sent.
        """
        if is_over():
            raise NodeError("cancelled", NOTHING_SENT)
        self._wait_for_lease()
        is_first = self.recorder.note_intent(node_id, place)
        intent = Intent(node_id=node_id, host_key=place.key, iteration=place.iteration, lines=lines, locked=locked)
        stands = False
        try:
            stands = self.writer.ask(intent) and self.lease.holds() and not is_over()
        finally:
            if is_first and not stands:
                self.recorder.forget_intent(node_id, place)
        if not stands:
            message = f"{NOTHING_SENT} The execution was cancelled, or another worker took over."
            raise NodeError("cancelled", message)

    def _take(self, host_key: str, host_name: str) -> None:
        give_up_at = time.monotonic() + LOCK_WAIT_S
        while not self.writer.ask(LockWanted(host_key)):
            if self.stop.is_set():
                raise NodeError("cancelled", NOTHING_SENT)
            if time.monotonic() > give_up_at:
                raise NodeError(
                    "busy", f"Another change has held {host_name} for {LOCK_WAIT_S:.0f} s. Nothing was sent; try later."
                )
            self.stop.wait(LOCK_POLL_S)

    def _wait_for_lease(self) -> None:
        give_up_at = time.monotonic() + LEASE_WAIT_S
        while not self.lease.holds():
            if self.stop.wait(LOCK_POLL_S):
                raise NodeError("cancelled", NOTHING_SENT)
            if time.monotonic() > give_up_at:
                message = (
                    f"PostgreSQL has not said for {LEASE_WAIT_S:.0f} s that this is still this worker's to change."
                )
                raise NodeError("worker_lost", f"{message} {NOTHING_SENT}")
