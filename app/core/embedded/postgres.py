"""A PostgreSQL of our own: on a UNIX socket only, by password only, never as root."""

import re
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode

from app.core.embedded import accounts, locks, sockets
from app.core.embedded.cluster import ADMINISTRATOR, APPLICATION, PORT, Cluster, open_cluster, read_passwords
from app.core.embedded.errors import AddressInUseError, EmbeddedError, StartError, StopError
from app.core.embedded.files import ServerFiles, open_state_folder, storage_faults
from app.core.embedded.server import PAUSE_S, START_TIMEOUT_S, STOP_TIMEOUT_S, RunningServer

DEFAULT_SETTINGS: Mapping[str, str] = {
    "shared_buffers": "64MB",
    "max_connections": "200",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_error_verbosity": "terse",  # no DETAIL: it quotes the values of rows
    "log_min_error_statement": "panic",  # nor statements, for the same reason
}
OUR_SETTINGS = frozenset(
    {
        "listen_addresses",
        "port",
        "unix_socket_directories",
        "unix_socket_permissions",
        "data_directory",
        "hba_file",
    }
)
READY_LINE = 7
"""Where postmaster.pid says how far the server is (LOCK_FILE_LINE_PM_STATUS in PostgreSQL's pidfile.h)."""
PG_CTL_GRACE_S = 30.0
ACCEPTING, REJECTING = 0, 1
"""Exit codes of pg_isready."""
UNLOGGED = "-c log_statement=none -c log_min_duration_statement=-1 -c log_min_error_statement=panic"
"""Keeps a new role's password out of the log, whatever the settings of the server say."""

BOOTSTRAP = r"""
SELECT format('CREATE ROLE %I LOGIN CREATEDB PASSWORD %L', :'role', :'password')
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
SELECT format('CREATE DATABASE %I OWNER %I', :'database', :'role')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
"""


@dataclass(frozen=True, kw_only=True)
class PostgresAddress:
    """How to reach a database; ``host`` is the folder of the socket, ``port`` only names it."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str

    @property
    def dsn(self) -> str:
        """Return the address as a URL for asyncpg or libpq, password included."""
        where = urlencode({"host": self.host, "port": self.port})
        return f"postgresql://{quote(self.user)}:{quote(self.password)}@/{quote(self.database)}?{where}"


class RunningPostgres(RunningServer):
    """A PostgreSQL this process uses; made by :func:`start_postgres`."""

    title = "PostgreSQL"
    quit_signal = signal.SIGINT  # a fast shutdown

    def __init__(self, server: ServerFiles, cluster: Cluster, *, database: str, settings: Mapping[str, str]) -> None:
        super().__init__(server)
        self._cluster = cluster
        self._settings = settings
        self.address = PostgresAddress(
            host=str(cluster.socket_folder),
            port=PORT,
            user=APPLICATION,
            password=read_passwords(server)[APPLICATION],
            database=database,
        )

    @property
    def data(self) -> Path:
        """PostgreSQL's data folder; it belongs to the account the server runs as."""
        return self._cluster.data

    @property
    def pid(self) -> int | None:
        """The server's process, or None when it does not run."""
        lines = _read_pid_file(self.data)
        return int(lines[0]) if lines and self._listens() else None

    @property
    def programs(self) -> Path:
        """The folder of psql, pg_dump and pg_restore; run them with PGPASSFILE set to ``passfile``."""
        return self._cluster.wheel / "bin"

    @property
    def passfile(self) -> Path:
        """The passwords in libpq's passfile form."""
        return self._server.secret

    def _address(self) -> str:
        return str(self._cluster.socket)

    def _listens(self) -> bool:
        return sockets.answers(self._cluster.socket)

    def _find(self) -> bool:
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while self._listens():
            state = self._ask_readiness()
            if state == ACCEPTING:
                return True
            if state != REJECTING:
                raise AddressInUseError(
                    f"Something that is not PostgreSQL answers at {self._cluster.socket}. End it (`fuser "
                    f"{self._cluster.socket}` names it), or set OPSCONDUCTOR_STATE_DIR to another folder."
                )
            if time.monotonic() > give_up_at:
                raise StartError(
                    f"The PostgreSQL at {self._cluster.socket} is still starting or ending after "
                    f"{START_TIMEOUT_S:.0f} s. Start again later. {self._log_tail()}"
                )
            time.sleep(PAUSE_S)
        return False

    def _launch(self, life: int) -> None:
        folder = str(self._cluster.socket_folder).replace('"', '""')
        settings = {
            **DEFAULT_SETTINGS,
            **self._settings,
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": f'"{folder}"',
            "unix_socket_permissions": "0700",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        program = self._cluster.installation / "bin" / "postgres"
        self._spawn([program, "-D", self.data, *options], life=life, account=self._cluster.account)

    def _ready(self) -> bool:
        lines = _read_pid_file(self.data)
        return (
            self._child is not None
            and len(lines) > READY_LINE
            and lines[0] == str(self._child.pid)
            and lines[READY_LINE].strip() == "ready"
        )

    def _prepare(self) -> None:
        """Make the application's role and database where they are missing."""
        psql = accounts.run_as(
            accounts.own_account(),
            [
                *(self.programs / "psql", "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1"),
                *(f"--host={self.address.host}", f"--port={PORT}", f"--username={ADMINISTRATOR}"),
                *(f"--set=role={self.address.user}", f"--set=database={self.address.database}", "postgres"),
            ],
            stdin=f"\\set password '{self.address.password}'\n{BOOTSTRAP}",
            environment={
                "PGPASSFILE": str(self.passfile),
                "PGOPTIONS": UNLOGGED,
            },
            timeout_s=START_TIMEOUT_S,
        )
        if "authentication failed" in psql.said:
            raise AddressInUseError(
                f"The PostgreSQL at {self._cluster.socket} refuses the passwords in {self.passfile}. "
                "Put back the passwords it was made with, or end it and start again."
            )
        if not psql.succeeded:
            raise StartError(f"PostgreSQL runs, but cannot be prepared. psql says: {psql.said}")

    def _end(self) -> None:
        if self._listens() or locks.lives(self._server.life):
            pg_ctl = accounts.run_as(
                self._cluster.account,
                [
                    *(self._cluster.installation / "bin" / "pg_ctl", "stop", "-D", self.data),
                    *("-m", "fast", "-w", "-s", "-t", f"{STOP_TIMEOUT_S:.0f}"),
                ],
                timeout_s=STOP_TIMEOUT_S + PG_CTL_GRACE_S,
            )
            if not pg_ctl.succeeded and self._listens():
                raise StopError(f"PostgreSQL cannot be ended. pg_ctl says: {pg_ctl.said}. {self._log_tail()}")
        self._await_end()

    def _clear(self) -> None:
        pid_file = self.data / "postmaster.pid"
        lines = _read_pid_file(self.data)
        if lines and _works_in(lines[0], self.data):
            raise StartError(
                f"Process {lines[0]} is a PostgreSQL on {self.data}, but nothing answers at "
                f"{self._cluster.socket}. End it with: kill -INT {lines[0]}"
            )
        socket = self._cluster.socket
        for leftover in (pid_file, socket, socket.with_name(f"{socket.name}.lock")):
            leftover.unlink(missing_ok=True)

    def _ask_readiness(self) -> int:
        return accounts.run_as(
            accounts.own_account(),
            [self.programs / "pg_isready", "-q", "-h", self.address.host, "-p", str(PORT), "-t", "10"],
        ).status


def start_postgres(
    state_dir: Path,
    *,
    database: str = "opsconductor",
    os_user: str | None = None,
    settings: Mapping[str, str] = {},
    data_root: Path | None = None,
) -> RunningPostgres:
    """Start the PostgreSQL of a state folder, or find it alive; raises EmbeddedError.

    As root it runs as ``os_user``, else ``nobody``, with its data below ``data_root``, else where it survives
    a reboot. ``settings`` are those of postgresql.conf and count when a server is launched.
    """
    _check_settings(settings)
    state = open_state_folder(state_dir)
    server = ServerFiles(state=state, name="postgres")
    account = accounts.server_account(os_user)
    with storage_faults(state), locks.turn(server.turn):
        cluster = open_cluster(server, account, data_root, durable=settings.get("fsync") != "off")
        running = RunningPostgres(server, cluster, database=database, settings=settings)
        running.join()
    return running


def _check_settings(settings: Mapping[str, str]) -> None:
    for name in settings:
        if name in OUR_SETTINGS or not re.fullmatch(r"[a-z_][a-z0-9_.]*", name):
            raise EmbeddedError(
                f"The setting {name!r} cannot be given to the embedded PostgreSQL. Give a name from "
                f"postgresql.conf other than {', '.join(sorted(OUR_SETTINGS))}."
            )


def _read_pid_file(folder: Path) -> list[str]:
    try:
        return (folder / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []


def _works_in(pid: str, folder: Path) -> bool:
    """Say whether a living process is a server of a data folder, which is then its working directory."""
    if Path("/proc/self/cwd").exists():
        try:
            return Path(f"/proc/{int(pid)}/cwd").readlink() == folder
        except (OSError, ValueError):
            return False
    return str(folder) in accounts.run_as(accounts.own_account(), ["/bin/ps", "-o", "command=", "-p", pid]).said
