"""The state folder and the small files in it: checked folders, durable writes, the names each server uses."""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.core.embedded.errors import StateFolderError

OTHERS = stat.S_IRWXG | stat.S_IRWXO
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, kw_only=True)
class ServerFiles:
    """Where one server keeps what belongs to it in the state folder."""

    state: Path
    name: str

    @property
    def folder(self) -> Path:
        """Its data, when the data lives in the state folder."""
        return self.state / self.name

    @property
    def log(self) -> Path:
        """What the server wrote to stdout and stderr."""
        return self.state / f"{self.name}.log"

    @property
    def secret(self) -> Path:
        """Its passwords, mode 0600."""
        return self.state / f"{self.name}.secret"

    @property
    def record(self) -> Path:
        """What was decided at the first start and must stay so."""
        return self.state / f"{self.name}.json"

    @property
    def socket_note(self) -> Path:
        """Names the short folder of the socket when the state folder's path is too long for one."""
        return self.state / f"{self.name}.socket-folder"

    @property
    def turn(self) -> Path:
        """Locked by whoever is starting or ending the server just now."""
        return self.state / f"{self.name}.turn.lock"

    @property
    def life(self) -> Path:
        """Locked by the server itself for as long as it, or a child of it, lives."""
        return self.state / f"{self.name}.life.lock"

    @property
    def owners(self) -> Path:
        """Locked, shared, by every process that uses the server."""
        return self.state / f"{self.name}.owners.lock"

    def remove(self) -> None:
        """Delete all of it but the locks, which others may be waiting at."""
        if self.folder.exists():
            shutil.rmtree(self.folder)
        for path in (self.log, self.secret, self.record, self.socket_note):
            path.unlink(missing_ok=True)


def open_state_folder(path: Path) -> Path:
    """Create the state folder with mode 0700, or check that it is one; raises StateFolderError."""
    folder = path.expanduser().resolve()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        _check_private(folder, status)
        probe = folder / f".probe-{os.getpid()}"
        write_private(probe, "")
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise StateFolderError(
            f"The state folder {folder} cannot be used: {error.strerror}. "
            "Set OPSCONDUCTOR_STATE_DIR to a folder this account can create or write to."
        ) from error
    return folder


@contextmanager
def storage_faults(state: Path) -> Iterator[None]:
    """Report a full disk, a lost permission and the like as StateFolderError."""
    try:
        yield
    except OSError as error:
        raise StateFolderError(
            f"The embedded servers of {state} cannot keep their files: {error}. "
            "Make room or repair the permissions, and start again."
        ) from error


def _check_private(folder: Path, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise StateFolderError(
            f"The state folder {folder} belongs to uid {status.st_uid}, and this runs as uid {os.geteuid()}. "
            "Run as its owner, or set OPSCONDUCTOR_STATE_DIR to a folder of this account."
        )
    if status.st_mode & OTHERS:
        raise StateFolderError(
            f"The state folder {folder} is open to other accounts (mode {stat.S_IMODE(status.st_mode):04o}), "
            f"and passwords are kept in it. Close it with: chmod 700 {folder}"
        )


def is_own_folder(path: Path, uid: int) -> bool:
    """Say whether a path is a real folder of an account that nobody else can write to."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == uid and not status.st_mode & OTHERS_WRITE


def write_private(path: Path, text: str) -> None:
    """Write a file with mode 0600, wholly or not at all, and have it survive a power loss."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
