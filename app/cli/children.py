"""The child processes of one terminal: started with an environment, started again when they die, drained at the end."""

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from app.core.errors import UnavailableError
from app.core.logging import get_logger

PARENT = "OPSCONDUCTOR_PARENT_PID"
"""Names the parent to a child, which then ends when the parent does."""
LOOK_EVERY_S = 0.1
KILL_AFTER_S = 10.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
MOST_DEATHS = 5
DEATHS_WITHIN_S = 120.0

log = get_logger(__name__)


class ChildFailedError(UnavailableError):
    """A child process ended, and it is of no use to start it again."""


def own_command(*words: str) -> list[str]:
    """Return how this program's own command line is called as another process."""
    return [sys.executable, "-m", "app.cli", *words]


class Child:
    """A part of the service in a process of its own."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environ: Mapping[str, str],
        log_folder: Path | None,
        *,
        descriptors: Sequence[int] = (),
    ) -> None:
        self.name = name
        self._descriptors = descriptors
        self.log = None if log_folder is None else log_folder / f"{name}.log"
        self._command = command
        self._environ = environ
        self._process: subprocess.Popen[bytes] | None = None
        self._deaths: deque[float] = deque(maxlen=MOST_DEATHS)
        self._due = 0.0

    @property
    def pid(self) -> int | None:
        """The process, while it lives."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def status(self) -> int | None:
        """How the process ended; None while it runs or was never started."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start the process: out of reach of the terminal's Ctrl-C, and ending with this one."""
        with self._output() as output:
            self._process = subprocess.Popen(  # noqa: S603 — this program's own command line, without a shell
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**self._environ, PARENT: str(os.getpid())},
                pass_fds=self._descriptors,
                start_new_session=True,
            )

    def keep_alive(self) -> None:
        """Start the process again when it has died, later after each death; raises ChildFailedError after too many."""
        if self.pid is not None:
            return
        if not self._due:
            self._note_death()
        elif time.monotonic() >= self._due:
            self._due = 0.0
            self.start()

    def stop(self, asked: Callable[[], int]) -> None:
        """Let the process finish what it has in hand; ``asked`` counts requests to stop, and another one hurries it."""
        self._signal(signal.SIGTERM)
        before, kill_at = asked(), float("inf")
        while self.pid is not None:
            if asked() > before:
                before, kill_at = asked(), min(kill_at, time.monotonic() + KILL_AFTER_S)
                self._signal(signal.SIGTERM)
            if time.monotonic() > kill_at:
                self._signal(signal.SIGKILL)
            time.sleep(LOOK_EVERY_S)

    def _note_death(self) -> None:
        at = time.monotonic()
        self._deaths.append(at)
        recent = sum(at - death < DEATHS_WITHIN_S for death in self._deaths)
        if recent >= MOST_DEATHS:
            raise ChildFailedError(
                f"The {self.name} died {recent} times within {DEATHS_WITHIN_S:.0f} s (status {self.status})."
            )
        pause_s = min(FIRST_PAUSE_S * 2 ** (recent - 1), LONGEST_PAUSE_S)
        self._due = at + pause_s
        log.warning("child process ended, starting it again", child=self.name, status=self.status, pause_s=pause_s)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    @contextmanager
    def _output(self) -> Iterator[IO[Any] | int]:
        """Give the process a log file, or stderr: stdout belongs to what the command itself has to say."""
        if self.log is None:
            yield sys.stderr.fileno()
            return
        with self.log.open("ab") as file:
            yield file


def end_with_parent() -> None:
    """End, by SIGTERM, when the parent that started this process as a child of its own ends."""
    parent = os.environ.get(PARENT)
    if parent is not None:
        from app.core.workers.processes import die_with  # noqa: PLC0415 — loads RQ, which few commands need

        die_with(int(parent), signal.SIGTERM)
