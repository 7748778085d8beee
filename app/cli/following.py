"""The live events of an execution, read to their end across cuts and restarts of the service."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from app.cli.client import Api
from app.core.errors import UnavailableError, UpstreamError

EXECUTIONS = "/automation/v1/executions"
FINISHED = "execution.finished"
SILENCE_S = 30.0
"""After so long without an event the stream is opened again: a dead connection is silent too."""
PATIENCE_S = 60.0
PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in an execution; ``number`` is its place among the execution's events."""

    kind: str
    body: dict[str, Any]
    number: str = ""


@dataclass
class Following:
    """One reading of an execution's events; it can be left and taken up again where it was."""

    api: Api
    execution_id: str
    sleep: Callable[[float], None] = time.sleep
    last: str | None = field(default=None, init=False)
    _lost_at: float | None = field(default=None, init=False)

    def events(self) -> Iterator[Event]:
        """Yield the events until the execution has ended; raises UnavailableError when the service stays away."""
        while True:
            try:
                for event in self._stream():
                    self.last = event.number or self.last
                    yield event
                    if event.kind == FINISHED:
                        return
                if self._has_ended():
                    return
            except (UnavailableError, UpstreamError):
                self._lost_at = self._lost_at or time.monotonic()
                if time.monotonic() - self._lost_at > PATIENCE_S:
                    raise
            self.sleep(PAUSE_S)

    def _stream(self) -> Iterator[Event]:
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": self.last} if self.last else {})}
        path = f"{EXECUTIONS}/{self.execution_id}/events"
        with self.api.stream(path, headers=headers, read_s=SILENCE_S) as response:
            self._lost_at = None  # a stream that falls silent later is opened again, however long that goes on
            yield from read_events(response.iter_lines())

    def _has_ended(self) -> bool:
        return self.api.get(f"{EXECUTIONS}/{self.execution_id}")["finished_at"] is not None


def read_events(lines: Iterable[str]) -> Iterator[Event]:
    """Read a text/event-stream (WHATWG HTML, 9.2): fields up to an empty line are an event; what is cut off is not."""
    number, kind, content = "", "", list[str]()
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if content:
                yield Event(kind, msgspec.json.decode("\n".join(content)), number)
            kind, content = "", []
        elif name == "id":
            number = value
        elif name == "event":
            kind = value
        elif name == "data":
            content.append(value)
