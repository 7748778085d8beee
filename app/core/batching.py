"""Does the like work of many threads at once: whoever comes while it is done waits, and is served with the others."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Batches(Generic[T]):
    """Gathers what threads put in while a batch is under way, and does all of it as the next one."""

    def __init__(self, do: Callable[[Sequence[T]], object]) -> None:
        self._do = do
        self._waiting: list[tuple[T, Future[None]]] = []
        self._lock = threading.Lock()
        self._under_way = False

    def put(self, item: T) -> None:
        """Return when the item is done; raises what its batch raised."""
        done: Future[None] = Future()
        with self._lock:
            self._waiting.append((item, done))
            leads, self._under_way = not self._under_way, True
        while leads and (batch := self._next()):
            _settle(batch, self._do)
        done.result()

    def _next(self) -> list[tuple[T, Future[None]]]:
        with self._lock:
            batch, self._waiting = self._waiting, []
            self._under_way = bool(batch)
        return batch


def _settle(batch: Sequence[tuple[T, "Future[None]"]], do: Callable[[Sequence[T]], object]) -> None:
    try:
        do([item for item, _ in batch])
    except BaseException as error:  # noqa: BLE001 — everybody in the batch raises it
        for _, done in batch:
            done.set_exception(error)
    else:
        for _, done in batch:
            done.set_result(None)
