"""What hosts and branches of one shard take turns at: a node's slots, and the right to change a device."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from app.automation.executions.engine.stopping import Stop
from tasks.errors import NodeError

LOOK_S = 0.25


class Slot:
    """A place among those that may be in a node at once; given back once, by whoever is the first to do so."""

    def __init__(self, slots: threading.Semaphore) -> None:
        self._slots, self._held = slots, [True]

    def free(self) -> None:
        """Give the slot back."""
        try:
            self._held.pop()
        except IndexError:
            return
        self._slots.release()


class Holds:
    """Slots of nodes that only so many hosts may be in at once, and one turn a host for changes."""

    def __init__(self, slots: Mapping[str, int] | None = None) -> None:
        self._slots = {node_id: threading.BoundedSemaphore(count) for node_id, count in (slots or {}).items()}
        self._turns: dict[str, threading.Lock] = defaultdict(threading.Lock)

    @contextmanager
    def slot(self, node_id: str, stop: Stop) -> Iterator[Callable[[], None]]:
        """Wait for a slot in a node, hold it, and hand over what gives it back early."""
        slots = self._slots.get(node_id)
        if slots is None:
            yield _nothing
            return
        while not slots.acquire(timeout=LOOK_S):
            if stop.is_set():
                raise NodeError("cancelled", "Nothing was sent.")
        slot = Slot(slots)
        try:
            yield slot.free
        finally:
            slot.free()

    def turn(self, host_key: str) -> threading.Lock:
        """Return what branches of one host hold while they change it."""
        return self._turns[host_key]


def _nothing() -> None:
    return None
