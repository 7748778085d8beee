"""Everything in one terminal: embedded servers, the schema, the API and the workers, started and stopped as one."""

import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
from click.exceptions import Exit

from app.cli.children import Child, ChildFailedError, own_command
from app.cli.keys import kept_keys, make_missing_keys
from app.cli.local import addresses
from app.cli.ports import DESCRIPTOR, listen
from app.cli.signals import StopSignals
from app.core.embedded import EmbeddedServices, start_embedded
from app.core.embedded.files import open_state_folder
from app.core.errors import UnavailableError
from app.core.logging import get_logger
from app.core.settings import load_settings

READY_WITHIN_S = 120.0
ANSWER_WITHIN_S = 3.0
"""A socket is there before the API is; who waits longer for an answer notices too late that the API has ended."""
LOOK_EVERY_S = 0.1
SERVERS_EVERY_S = 2.0
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 — compared with, not bound to

log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class StackPlan:
    """What a stack is started with: its environment, and what differs from an ordinary installation."""

    environ: Mapping[str, str]
    listener: socket.socket | None = None
    """What the API listens with, where that was chosen already."""
    log_folder: Path | None = None
    postgres_settings: Mapping[str, str] = field(default_factory=dict)
    first_command: Sequence[str] = ()
    """A command of our own to run once the schema is there, while API and workers start."""
    first_environ: Mapping[str, str] = field(default_factory=dict)
    """Further variables for that command."""


class Stack:
    """The whole service, for as long as the context lasts; raises what keeps it from starting, and leaves nothing."""

    def __init__(self, plan: StackPlan, signals: StopSignals) -> None:
        self.settings = load_settings(plan.environ)
        self.environ = dict(plan.environ)
        self._plan = plan
        self._signals = signals
        self._children: list[Child] = []
        self._servers = EmbeddedServices(postgres=None, valkey=None)
        self._undo = ExitStack()

    @property
    def url(self) -> str:
        """Where the API is, as a client on this machine reaches it."""
        host = ANY_ADDRESS.get(self.settings.api_host, self.settings.api_host)
        scheme = "https" if self.settings.api_tls_cert else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.settings.api_port}"

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            listener = self._plan.listener or listen(self.settings.api_host, self.settings.api_port)
            undo.callback(listener.close)
            self._start_servers(undo)
            self._run("migrate")
            self._start_children(undo, listener)
            if self._plan.first_command:
                self._run(*self._plan.first_command, more=self._plan.first_environ)
            self._await_ready()
            self._undo = undo.pop_all()
        self._signals.interrupting = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    def watch(self) -> None:
        """Keep everything alive until a signal asks to stop; raises ChildFailedError when that is of no use."""
        look_at_servers = time.monotonic() + SERVERS_EVERY_S
        while not self._signals.count:
            for child in self._children:
                child.keep_alive()
            if time.monotonic() >= look_at_servers:
                for title in self._servers.ensure_running():
                    log.warning("embedded server had died, started again", server=title)
                look_at_servers = time.monotonic() + SERVERS_EVERY_S
            time.sleep(LOOK_EVERY_S)

    def _run(self, *words: str, more: Mapping[str, str] = {}) -> None:
        """Run a command of our own in this stack's environment; raises Exit with its status when it fails."""
        finished = subprocess.run(  # noqa: S603 — this program's own command line, without a shell
            own_command(*words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**self.environ, **more},
            check=False,
        )
        if finished.returncode:
            raise Exit(finished.returncode)

    def _start_servers(self, undo: ExitStack) -> None:
        """Start what no setting names, and complete the environment with it and with the keys."""
        state = open_state_folder(self.settings.state_dir)
        make_missing_keys(state, self.environ)
        self.environ |= kept_keys(state, self.environ)
        with self._signals.held():
            self._servers = start_embedded(
                state,
                postgres=self.settings.postgres is None,
                valkey=self.settings.redis_url is None,
                os_user=self.settings.embedded_os_user,
                settings=self._plan.postgres_settings,
            )
            undo.callback(self._servers.stop)
        self.environ |= addresses(self._servers)
        self.settings = load_settings(self.environ)

    def _start_children(self, undo: ExitStack, listener: socket.socket) -> None:
        """Start API and workers; they are stopped in the opposite order, so that the API answers to the end.

        The API inherits its socket: nobody else gets the port meanwhile, and one that is started again is not missed.
        """
        undo.callback(listener.close)
        number, logs = listener.fileno(), self._plan.log_folder
        listening = {**self.environ, DESCRIPTOR: str(number)}
        self._children = [
            Child("api", own_command("api"), listening, logs, descriptors=[number]),
            Child("worker", own_command("worker"), self.environ, logs),
        ]
        for child in self._children:
            undo.callback(child.stop, self._asked)
            with self._signals.held():
                child.start()

    def _asked(self) -> int:
        return self._signals.count

    def _await_ready(self) -> None:
        """Wait until the API answers that everything it needs is there; raises when a part ends instead."""
        give_up_at = time.monotonic() + READY_WITHIN_S
        with httpx.Client(base_url=self.url, verify=False, trust_env=False, timeout=ANSWER_WITHIN_S) as client:  # noqa: S501 — our own process on this machine
            while not _is_ready(client):
                for child in self._children:
                    if child.status is not None:
                        where = f" {child.log} says why." if child.log else ""
                        raise ChildFailedError(f"The {child.name} ended while starting (status {child.status}).{where}")
                if time.monotonic() > give_up_at:
                    raise UnavailableError(f"{self.url}/ready does not answer 200 after {READY_WITHIN_S:.0f} s.")
                time.sleep(LOOK_EVERY_S)


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/ready").is_success
    except httpx.TransportError:
        return False
