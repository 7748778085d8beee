"""Both embedded servers as one: started together, watched together, ended together."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from app.core.embedded import locks
from app.core.embedded.errors import StateFolderError
from app.core.embedded.files import ServerFiles, open_state_folder, storage_faults
from app.core.embedded.placement import remove_home
from app.core.embedded.postgres import RunningPostgres, start_postgres
from app.core.embedded.server import RunningServer
from app.core.embedded.sockets import forget_socket_folder
from app.core.embedded.valkey import RunningValkey, start_valkey


@dataclass(frozen=True, kw_only=True)
class EmbeddedServices:
    """The servers that were asked for; ends them when used as a context."""

    postgres: RunningPostgres | None
    valkey: RunningValkey | None

    def ensure_running(self) -> tuple[str, ...]:
        """Start again what has died, and return its titles; raises EmbeddedError when one will not start."""
        return tuple(server.title for server in self._servers() if server.ensure_running())

    def stop(self) -> bool:
        """End the servers nobody else uses, and say whether that was all of them; raises StopError."""
        ended: list[bool] = []
        with ExitStack() as stack:
            for server in self._servers():
                stack.callback(_stop_into, ended, server)
        return all(ended)

    def _servers(self) -> list[RunningServer]:
        return [server for server in (self.postgres, self.valkey) if server is not None]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _stop_into(ended: list[bool], server: RunningServer) -> None:
    ended.append(server.stop())


def start_embedded(
    state_dir: Path,
    *,
    postgres: bool = True,
    valkey: bool = True,
    database: str = "opsconductor",
    os_user: str | None = None,
    settings: Mapping[str, str] = {},
    data_root: Path | None = None,
) -> EmbeddedServices:
    """Start the servers of a state folder, all or none; raises EmbeddedError."""
    with ExitStack() as undo:
        started_valkey = start_valkey(state_dir) if valkey else None
        if started_valkey is not None:
            undo.callback(started_valkey.stop)
        started_postgres = (
            start_postgres(state_dir, database=database, os_user=os_user, settings=settings, data_root=data_root)
            if postgres
            else None
        )
        undo.pop_all()
    return EmbeddedServices(postgres=started_postgres, valkey=started_valkey)


def erase_embedded(state_dir: Path) -> None:
    """Delete the database and queue of a state folder for good; raises StateFolderError while either runs."""
    state = open_state_folder(state_dir)
    servers = [ServerFiles(state=state, name=name) for name in ("postgres", "valkey")]
    with storage_faults(state), ExitStack() as turns:
        for server in servers:
            turns.enter_context(locks.turn(server.turn))
            if locks.lives(server.life):
                raise StateFolderError(f"{server.name} still runs on {state}. Stop what uses it, then erase.")
        for server in servers:
            remove_home(server)
            forget_socket_folder(server.socket_note)
            server.remove()
