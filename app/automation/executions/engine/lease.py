"""The lease as this process sees it: until when a shard, and the right to change its devices, are surely its own."""

import time

from app.automation.executions import timing


class Lease:
    """Goes by this process' own clock, and ends a margin before PostgreSQL would let another worker have the shard."""

    def __init__(self, claimed_at: float) -> None:
        self._asked_at = claimed_at

    def renewed(self, asked_at: float) -> None:
        """Note that a renewal asked for at a moment was granted."""
        self._asked_at = asked_at

    def holds(self) -> bool:
        """Say whether nobody else can have taken over."""
        times = timing.current()
        return time.monotonic() < self._asked_at + times.lease_s - times.margin_s
