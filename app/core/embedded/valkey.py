"""A Valkey of our own: on a UNIX socket only, by password only, keeping what it was given on disk."""

import signal
import time
from pathlib import Path
from secrets import token_urlsafe
from urllib.parse import quote

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, RedisError
from redis.retry import Retry

from app.core.embedded import accounts, binaries, locks, sockets
from app.core.embedded.errors import AddressInUseError, StartError, StopError
from app.core.embedded.files import ServerFiles, open_state_folder, storage_faults, write_private
from app.core.embedded.server import PAUSE_S, START_TIMEOUT_S, STOP_TIMEOUT_S, RunningServer

SOCKET_NAME = "valkey.sock"
REPLY_TIMEOUT_S = 10.0


class RunningValkey(RunningServer):
    """A Valkey this process uses; made by :func:`start_valkey`."""

    title = "Valkey"
    quit_signal = signal.SIGTERM

    def __init__(self, server: ServerFiles, program: Path, socket: Path, password: str) -> None:
        super().__init__(server)
        self._program = program
        self._socket = socket
        self._password = password

    @property
    def url(self) -> str:
        """Return the address for redis-py and RQ, password included."""
        return f"unix://:{self._password}@{quote(str(self._socket))}"

    @property
    def pid(self) -> int | None:
        """The server's process, or None when it does not run."""
        if not self._listens():
            return None
        with self._client(timeout_s=REPLY_TIMEOUT_S) as client:
            return int(client.info("server")["process_id"])

    def _address(self) -> str:
        return str(self._socket)

    def _listens(self) -> bool:
        return sockets.answers(self._socket)

    def _find(self) -> bool:
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while self._listens():
            try:
                if self._takes_commands():
                    return True
            except RedisError as error:
                raise self._stranger(f"it refuses our password, {error}") from error
            if time.monotonic() > give_up_at:
                raise StartError(
                    f"The Valkey at {self._socket} is still loading its data after {START_TIMEOUT_S:.0f} s. "
                    f"Start again later. {self._log_tail()}"
                )
            time.sleep(PAUSE_S)
        return False

    def _launch(self, life: int) -> None:
        configuration = self._server.folder / "valkey.conf"
        write_private(configuration, self._configuration())
        self._spawn([self._program, configuration], life=life)

    def _ready(self) -> bool:
        if not self._listens():
            return False
        try:
            return self._takes_commands()
        except RedisError:
            return False

    def _prepare(self) -> None:
        """Nothing: a Valkey that takes commands is as its users expect it."""

    def _end(self) -> None:
        if self._listens():
            try:
                with self._client(timeout_s=STOP_TIMEOUT_S) as client:
                    client.shutdown()
            except RedisError as error:
                raise StopError(f"Valkey at {self._socket} cannot be ended: {error}. {self._log_tail()}") from error
        self._await_end()

    def _clear(self) -> None:
        if self._socket.exists() and not self._socket.is_socket():
            raise StartError(f"{self._socket} is not a socket. Move it away and start again.")
        self._socket.unlink(missing_ok=True)

    def _takes_commands(self) -> bool:
        """Say whether our Valkey takes commands, or False while it loads its data; raises for any other."""
        with self._client(timeout_s=REPLY_TIMEOUT_S) as client:
            try:
                client.ping()
                asked_for = client.config_get("requirepass")["requirepass"]
            except BusyLoadingError:
                return False
        if asked_for != self._password:
            raise self._stranger("it takes any password")
        return True

    def _stranger(self, evidence: str) -> AddressInUseError:
        return AddressInUseError(
            f"What answers at {self._socket} is not our Valkey: {evidence}. End it "
            f"(`fuser {self._socket}` names it), or set OPSCONDUCTOR_STATE_DIR to another folder."
        )

    def _client(self, *, timeout_s: float) -> Redis:
        return Redis.from_url(self.url, socket_timeout=timeout_s, retry=Retry(NoBackoff(), 0))

    def _configuration(self) -> str:
        lines = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "requirepass": self._password,
            "dir": str(self._server.folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "logfile": "",
            "loglevel": "notice",
        }
        return "".join(f"{name} {_quote(value)}\n" for name, value in lines.items())


def start_valkey(state_dir: Path) -> RunningValkey:
    """Start the Valkey of a state folder, or find it alive; raises EmbeddedError."""
    state = open_state_folder(state_dir)
    server = ServerFiles(state=state, name="valkey")
    own = accounts.own_account()
    with storage_faults(state), locks.turn(server.turn):
        if not server.folder.exists():
            accounts.give_folder(server.folder, 0o700)
        folder = sockets.socket_folder(server.folder, SOCKET_NAME, note=server.socket_note, account=own)
        running = RunningValkey(server, binaries.valkey_program(), folder / SOCKET_NAME, _password(server))
        running.join()
    return running


def _password(server: ServerFiles) -> str:
    if not server.secret.exists():
        write_private(server.secret, token_urlsafe(32))
    return server.secret.read_text(encoding="utf-8").strip()


def _quote(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
