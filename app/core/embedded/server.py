"""A server of ours: found alive or launched, shared by the processes that use it, ended by the last."""

import os
import signal
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from app.core.embedded import locks
from app.core.embedded.accounts import Account, clean_environment
from app.core.embedded.errors import BinariesError, EmbeddedError, StartError, StopError
from app.core.embedded.files import ServerFiles, storage_faults
from app.core.embedded.sockets import forget_socket_folder

START_TIMEOUT_S = 300.0
"""Long, because recovery after a power loss reads the whole log since the last checkpoint."""
STOP_TIMEOUT_S = 300.0
LIFE_WAIT_S = 30.0
"""How long the children of a killed server may take to notice."""
PAUSE_S = 0.03
LOG_LIMIT_BYTES = 10_000_000
LOG_TAIL_LINES = 15


class RunningServer(ABC):
    """A server this process uses; ``attached`` when it was found alive, launched by some other process."""

    title: ClassVar[str]
    quit_signal: ClassVar[signal.Signals]

    def __init__(self, server: ServerFiles) -> None:
        self._server = server
        self._ownership = locks.Ownership(server.owners)
        self._child: subprocess.Popen[bytes] | None = None
        self._log_offset = 0
        self.attached = False

    @property
    def log(self) -> Path:
        """Where the server writes what it has to say."""
        return self._server.log

    @property
    @abstractmethod
    def pid(self) -> int | None:
        """The server's process, or None when it does not run."""

    def alive(self) -> bool:
        """Say whether the server listens."""
        if self._child is not None and self._child.poll() is not None:
            self._child = None
        return self._listens()

    def ensure_running(self) -> bool:
        """Start the server again if it has died, and say whether it had; raises EmbeddedError."""
        with storage_faults(self._server.state), locks.turn(self._server.turn):
            if self.alive() or not self._ownership.held:
                return False
            self._find_or_launch()
        return True

    def stop(self) -> bool:
        """End the server and say so, or leave it and return False when another process still uses it.

        Raises StopError when the server will not end; the share in it is kept then, to try again.
        """
        with storage_faults(self._server.state), locks.turn(self._server.turn):
            if not self._ownership.give_back():
                self._leave()
                return False
            try:
                self._end()
            except StopError:
                self._ownership.take()
                raise
            self._clear()
            forget_socket_folder(self._server.socket_note)
        return True

    def join(self) -> None:
        """Find or launch the server and take a share in it; call while holding the server's turn."""
        self._find_or_launch()
        self._ownership.take()

    def _find_or_launch(self) -> None:
        self.attached = self._find()
        if self.attached:
            self._prepare()
            return
        try:
            self._begin()
            self._await_ready()
            self._prepare()
        except (EmbeddedError, KeyboardInterrupt):
            if self._child is not None:
                self._child.send_signal(self.quit_signal)
                self._await_end()
            raise

    def _begin(self) -> None:
        life = locks.take_life(self._server.life, wait_s=LIFE_WAIT_S)
        if life is None:
            raise StartError(
                f"A {self.title} of this state folder still lives, but nothing answers at {self._address()}. "
                f"Find it with `fuser {self._server.life}`, end it with kill -INT, and start again."
            )
        try:
            self._clear()
            self._launch(life)
        finally:
            os.close(life)

    def _spawn(self, argv: Sequence[str | Path], *, life: int, account: Account | None = None) -> None:
        """Launch a program that Ctrl-C in our terminal does not reach and that holds its life."""
        self._leave()  # one that was killed may still be dying
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._log_offset = os.fstat(log).st_size
            self._child = subprocess.Popen(  # noqa: S603 — a program of the wheels, by full path and without a shell
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=clean_environment(),
                umask=0o077,
                start_new_session=True,
                pass_fds=(life,),
                user=account.popen_user() if account else None,
                group=account.popen_group() if account else None,
                extra_groups=account.popen_extra_groups() if account else None,
            )
        except OSError as error:
            raise BinariesError(f"{argv[0]} cannot be run: {error}. Is it made for this platform?") from error
        finally:
            os.close(log)

    def _await_ready(self) -> None:
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while not self._ready():
            if self._child is not None and self._child.poll() is not None:
                status, self._child = self._child.returncode, None
                raise StartError(f"{self.title} ended while starting (status {status}). {self._log_tail()}")
            if time.monotonic() > give_up_at:
                self._leave()
                raise StartError(
                    f"{self.title} is not ready after {START_TIMEOUT_S:.0f} s and goes on starting. "
                    f"Start again later to find it. {self._log_tail()}"
                )
            time.sleep(PAUSE_S)

    def _await_end(self) -> None:
        if locks.lives(self._server.life, wait_s=STOP_TIMEOUT_S):
            raise StopError(f"{self.title} has not ended after {STOP_TIMEOUT_S:.0f} s. {self._log_tail()}")
        if self._child is not None:
            self._child.wait()
            self._child = None

    def _leave(self) -> None:
        """Leave the server to others or to its end, with somebody to bury it should that come before this process'."""
        if self._child is not None:
            threading.Thread(target=self._child.wait, name=f"reap-{self._server.name}", daemon=True).start()
            self._child = None

    def _log_tail(self) -> str:
        """Quote what the server has logged since it was launched."""
        if not self.log.exists():
            return f"It wrote no log at {self.log}."
        with self.log.open("rb") as file:
            file.seek(self._log_offset)
            lines = file.read().decode(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "\n".join([f"The end of {self.log}:", *lines])

    @abstractmethod
    def _address(self) -> str:
        """Return where it listens, for messages: no password in it."""

    @abstractmethod
    def _listens(self) -> bool:
        """Say whether anything accepts connections at the address."""

    @abstractmethod
    def _find(self) -> bool:
        """Say whether our server is alive, waiting while it starts; raises AddressInUseError for another."""

    @abstractmethod
    def _launch(self, life: int) -> None:
        """Spawn the server with the life to hold."""

    @abstractmethod
    def _ready(self) -> bool:
        """Say whether the server just launched takes commands."""

    @abstractmethod
    def _prepare(self) -> None:
        """Bring a server that takes commands into the state its users expect."""

    @abstractmethod
    def _end(self) -> None:
        """Ask the server to end cleanly and wait for it; raises StopError."""

    @abstractmethod
    def _clear(self) -> None:
        """Remove the files by which a server that is no more would hinder the next."""
