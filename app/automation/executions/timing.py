"""How long leases last, what may wait how long, and how long a shard may keep its worker; set once per process."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Timing:
    """The times that claims, heartbeats, turns and the reconciler go by, in seconds."""

    lease_s: float = 15.0
    """How long a shard and its change locks are a worker's without word from it."""
    margin_s: float = 2.0
    """How long before its lease runs out a worker that could not renew it stops sending changes."""
    turn_s: float = 5.0
    """How long a shard takes on hosts while work of others waits."""
    sent_s: float = 10.0
    """How long a shard may wait before anybody asks whether its queue job still exists."""
    started_s: float = 12.0
    """How long a queue job may be started without claiming its shard; to send it again is harmless."""

    @property
    def renew_s(self) -> float:
        """Return how often a lease is renewed."""
        return self.lease_s / 5


_timing = [Timing()]


def configure(timing: Timing) -> None:
    """Set the times for this process and those it forks; all workers of an installation go by the same."""
    _timing[:] = [timing]


def current() -> Timing:
    """Return the times that this process goes by."""
    return _timing[0]
