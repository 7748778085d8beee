"""What the simulated devices counted: their journal, read from outside while they run."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from app.demo.network.journal import EventKind


@dataclass(frozen=True)
class Happening:
    """One event on a device."""

    at: datetime
    device: str
    kind: EventKind
    text: str

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Happening":
        """Read one line of the journal."""
        at, kind = datetime.fromisoformat(row["time"]), EventKind(row["kind"])
        return cls(at=at, device=row["device"], kind=kind, text=row["text"])


class DeviceLog:
    """A journal's events from some moment on; a mark is a place in the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def mark(self) -> int:
        """Return where the journal ends now."""
        return self.path.stat().st_size

    def since(self, mark: int = 0) -> list[Happening]:
        """Return what has happened behind a mark, oldest first."""
        with self.path.open("rb") as file:
            file.seek(mark)
            whole, _, _ = file.read().rpartition(b"\n")
        return [Happening.of(json.loads(line)) for line in whole.splitlines()]

    def count(self, kind: EventKind, mark: int = 0) -> int:
        """Return how many events of a kind there were behind a mark."""
        return sum(event.kind is kind for event in self.since(mark))

    def open_sessions(self) -> Counter[str]:
        """Return how many logins each device has now."""
        return self._sessions(lambda now, _: now)

    def peak_sessions(self) -> Counter[str]:
        """Return the most logins that each device has ever had at once."""
        return self._sessions(max)

    def _sessions(self, keep: Callable[[int, int], int]) -> Counter[str]:
        now: Counter[str] = Counter()
        kept: Counter[str] = Counter()
        steps = {EventKind.LOGIN: 1, EventKind.LOGOUT: -1}
        for event in self.since():
            if event.kind in steps:
                now[event.device] += steps[event.kind]
                kept[event.device] = keep(now[event.device], kept[event.device])
        return kept
