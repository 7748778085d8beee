"""The right to hold one more session to a device, across all processes; by itself, a process asks nobody."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol
from uuid import uuid4


class Occupant(NamedTuple):
    """What a session is used for: an execution and a node of it, as ids; nothing in a plain script."""

    execution: str
    node_id: str


@dataclass(eq=False, kw_only=True)
class Lease:
    """One session's right to be open: to a device, of which ``most`` sessions may be open at once."""

    device: str
    name: str
    most: int
    occupant: Occupant
    is_idle: bool = False
    since: float = field(default_factory=time.time)
    id: str = field(default_factory=lambda: uuid4().hex)


class Waiting(NamedTuple):
    """A lease is not to be had yet: who holds those there are, in words, and how many wait before."""

    holders: Sequence[str]
    ahead: int


class Leases(Protocol):
    """Who may hold a session; first come, first served. Nothing here fails for want of the ledger: work goes on."""

    def ask(self, lease: Lease) -> Waiting | None:
        """Take a lease, or keep one's place in the queue for it; who waits asks several times a second."""

    def drop(self, lease: Lease) -> None:
        """Give a lease back, or one's place in the queue."""

    def attend(self, seconds: float) -> Sequence[str]:
        """Keep what this process holds, for so long; return the devices, sooner, whose sessions others wait for."""

    def end(self) -> None:
        """Give everything back."""


class FreeLeases:
    """What a process has that shares its devices with no other: the pools' own limits are all there is."""

    def ask(self, lease: Lease) -> Waiting | None:
        """Grant it."""
        del lease
        return None

    def drop(self, lease: Lease) -> None:
        """Forget it."""

    def attend(self, seconds: float) -> Sequence[str]:
        """Wait."""
        time.sleep(seconds)
        return ()

    def end(self) -> None:
        """Forget everything."""
