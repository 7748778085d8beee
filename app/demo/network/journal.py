"""Remembers what the devices of a simulated network were asked, by whom and when."""

import json
import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from app.demo.network.devices import SimulationError

REMEMBERED_ENTRIES = 200_000


def _check_writable(path: Path) -> None:
    try:
        path.touch()
    except OSError as error:
        raise SimulationError(f"The journal cannot be written to {path}: {error.strerror}.") from error


class EventKind(StrEnum):
    """What a journal entry tells of."""

    LOGIN = "login"
    LOGIN_FAILED = "login_failed"
    LOGOUT = "logout"
    COMMAND = "command"
    CONFIG = "config"


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One event; `text` is the line as typed, or the user's name, never a password."""

    time: str
    device: str
    kind: EventKind
    text: str
    connection: int


class Journal:
    """The events of a network, readable from any thread; also in a file of JSON lines if one is named."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        if path is not None:
            _check_writable(path)
        self._lock = threading.Lock()
        self._entries: deque[JournalEntry] = deque(maxlen=REMEMBERED_ENTRIES)
        self._open: Counter[str] = Counter()
        self._peaks: Counter[str] = Counter()
        self._peak_total = 0

    @property
    def entries(self) -> tuple[JournalEntry, ...]:
        """Return the remembered events, oldest first."""
        with self._lock:
            return tuple(self._entries)

    @property
    def open_sessions(self) -> Mapping[str, int]:
        """Return how many logged-in connections each device has now; devices without one are left out."""
        with self._lock:
            return +self._open

    @property
    def peak_sessions(self) -> Mapping[str, int]:
        """Return the most logged-in connections each device ever had at once."""
        with self._lock:
            return dict(self._peaks)

    @property
    def peak_total(self) -> int:
        """Return the most logged-in connections the whole network ever had at once."""
        with self._lock:
            return self._peak_total

    def select(self, kind: EventKind, device: str | None = None) -> tuple[JournalEntry, ...]:
        """Return the events of one kind, of one device or of all."""
        return tuple(entry for entry in self.entries if entry.kind is kind and device in {None, entry.device})

    def record(self, device: str, kind: EventKind, text: str, connection: int) -> None:
        """Add an event that happens now."""
        entry = JournalEntry(
            time=datetime.now(UTC).isoformat(), device=device, kind=kind, text=text, connection=connection
        )
        with self._lock:
            self._entries.append(entry)
            self._count(entry)
            if self._path is not None:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(entry)) + "\n")

    def _count(self, entry: JournalEntry) -> None:
        if entry.kind is EventKind.LOGOUT:
            self._open[entry.device] -= 1
        elif entry.kind is EventKind.LOGIN:
            self._open[entry.device] += 1
            self._peaks[entry.device] = max(self._peaks[entry.device], self._open[entry.device])
            self._peak_total = max(self._peak_total, self._open.total())
