"""The writer: one thread that commits, batch by batch, what a shard's other threads have to write, and answers them."""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from app.automation.executions import batches
from app.automation.executions.batches import Batch, Granted, Row
from app.automation.executions.changes import Claim, Intent
from app.automation.executions.records import NodeRecord
from app.core.database import DatabaseThread, patiently

BATCH_ROWS = 500
BATCH_BYTES = 8 * 1024 * 1024
BATCH_WAIT_S = 0.1
"""How long rows are gathered that nobody waits for; for others as long as the commit before theirs takes."""
BACKLOG_ROWS = 5000
BACKLOG_BYTES = 32 * 1024 * 1024
"""How much may wait to be written before the devices' threads are made to wait too."""
LOOK_S = 0.1


class RecorderFailed(Exception):
    """Results could not be written; the shard is left to whoever claims it next."""


@dataclass(frozen=True, slots=True)
class LockWanted:
    """The wish for a host's change lock."""

    host_key: str


@dataclass(frozen=True, slots=True)
class LockReleased:
    """A host's change lock is given back."""

    host_key: str


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody waits for the commit: of a wish of his, or of all that came before (None); and how it was answered."""

    wish: Intent | LockWanted | None
    done: threading.Event = field(default_factory=threading.Event)
    granted: list[bool] = field(default_factory=list)

    def answer(self, granted: Granted) -> None:
        """Say whether the wish was granted."""
        if isinstance(self.wish, Intent):
            self.granted.append(self.wish.id in granted.intents)
        elif isinstance(self.wish, LockWanted):
            self.granted.append(self.wish.host_key in granted.locks)
        self.done.set()


Item = Row | LockReleased | Asked | None


class Writer:
    """Writes what is put into it, in order; left as a context, everything is committed."""

    def __init__(self, claim: Claim, database: DatabaseThread, on_commit: Callable[[list[Row]], None]) -> None:
        self._claim, self._database, self._on_commit = claim, database, on_commit
        self._backlog: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._hurry = threading.Event()
        self._room = threading.Condition()
        self._bytes = 0
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._write_batches, name="writer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._backlog.put(None)
        self._hurry.set()
        self._thread.join()
        self._raise_failure()

    def put(self, item: Row | LockReleased) -> None:
        """Have something written; waits while as much as may is waiting already. Raises RecorderFailed."""
        weight = _weight(item)
        self._raise_failure()
        if weight or self._backlog.qsize() >= BACKLOG_ROWS:
            self._wait_for_room(weight)
        self._backlog.put(item)
        if isinstance(item, LockReleased):  # a change that is over is told at once: until then nobody can answer for it
            self._hurry.set()

    def ask(self, wish: Intent | LockWanted) -> bool:
        """Have a wish committed and return whether it was granted; raises RecorderFailed."""
        asked = Asked(wish)
        self._wait_for(asked)
        return asked.granted == [True]

    def flush(self) -> None:
        """Return when everything put so far is committed; raises RecorderFailed."""
        self._wait_for(Asked(None))

    def _wait_for(self, asked: Asked) -> None:
        self._raise_failure()
        self._backlog.put(asked)
        self._hurry.set()
        while not asked.done.wait(LOOK_S):
            self._raise_failure()

    def _wait_for_room(self, weight: int) -> None:
        with self._room:
            while self._backlog.qsize() >= BACKLOG_ROWS or (self._bytes and self._bytes + weight > BACKLOG_BYTES):
                self._hurry.set()
                self._room.wait(LOOK_S)
                self._raise_failure()
            self._bytes += weight

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise RecorderFailed(f"Results could not be written: {self._failure}") from self._failure

    def _write_batches(self) -> None:
        open_ended = True
        while open_ended:
            items, open_ended = self._next_items()
            if self._failure is None:
                self._write(items)
            with self._room:
                self._bytes -= sum(map(_weight, items))
                self._room.notify_all()

    def _write(self, items: list[Item]) -> None:
        batch, waiting = _batch_of(items)
        try:
            granted = Granted(intents=set(), locks=set())
            if batch:
                granted = self._database.run(patiently(lambda: batches.write(self._claim, batch)))
                self._on_commit(batch.rows)
        except Exception as error:  # noqa: BLE001 — the writer's door: kept, and raised in the shard's threads
            self._failure = error
            return
        for asked in waiting:
            asked.answer(granted)

    def _next_items(self) -> tuple[list[Item], bool]:
        """Return what has come together in a moment: the writer is not woken for every row, unless somebody waits."""
        item = self._backlog.get()
        if self._backlog.qsize() < BATCH_ROWS:
            self._hurry.wait(BATCH_WAIT_S)
        self._hurry.clear()
        items: list[Item] = []
        weight = 0
        while item is not None:
            items.append(item)
            weight += _weight(item)
            if len(items) >= BATCH_ROWS or weight >= BATCH_BYTES:
                return items, True
            try:
                item = self._backlog.get_nowait()
            except queue.Empty:
                return items, True
        return items, False


def _weight(item: Item) -> int:
    return item.stored.weight if isinstance(item, NodeRecord) else 0


def _batch_of(items: list[Item]) -> tuple[Batch, list[Asked]]:
    batch, waiting = Batch(), []
    for item in items:
        if isinstance(item, Asked):
            waiting.append(item)
            if isinstance(item.wish, Intent):
                batch.intents.append(item.wish)
            elif item.wish is not None:
                batch.wanted.add(item.wish.host_key)
        elif isinstance(item, LockReleased):
            batch.released.add(item.host_key)
        elif item is not None:
            batch.rows.append(item)
    return batch, waiting
