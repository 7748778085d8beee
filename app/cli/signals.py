"""Ctrl-C and the signals that ask a process to end: an interruption at first, and later only counted."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """Counts the signals that ask to stop; while ``interrupting``, the first one raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self.count = 0
        self.interrupting = True
        self._held = False
        self._before: dict[signal.Signals, signal._HANDLER] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in ASKING}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let a step that must not be torn come to its end before the first signal interrupts; the second one does."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self.count:
            self._interrupt()

    def _note(self, _: int, __: FrameType | None) -> None:
        self.count += 1
        if not self._held or self.count > 1:
            self._interrupt()

    def _interrupt(self) -> None:
        if self.interrupting:
            self.interrupting = False
            raise KeyboardInterrupt
