"""UNIX sockets: who answers at one, and a folder for it whose path the kernel and the clients accept."""

import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path

from app.core.embedded.accounts import Account, can_enter, give_folder
from app.core.embedded.errors import StateFolderError
from app.core.embedded.files import is_own_folder, write_private

PATH_LIMIT_BYTES = 107 if sys.platform == "linux" else 103
"""sockaddr_un.sun_path without its closing NUL: unix(7) on Linux, unix(4) on the BSDs and macOS."""
CONNECT_TIMEOUT_S = 5.0


def answers(path: Path) -> bool:
    """Say whether any process listens on a UNIX socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(CONNECT_TIMEOUT_S)
        try:
            client.connect(os.fspath(path))
        except OSError:
            return False
    return True


def socket_folder(natural: Path, file_name: str, *, note: Path, account: Account) -> Path:
    """Return a 0700 folder of the account for a socket.

    That is ``natural``, or when its path is too long or holds a comma (to libpq the end of a host name), one
    under the temporary folder, remembered in ``note``.
    """
    if _fits(natural / file_name):
        if not natural.exists():
            give_folder(natural, 0o700, account)
        return natural
    remembered = _remembered(note)
    if remembered is not None and is_own_folder(remembered, account.uid) and _fits(remembered / file_name):
        return remembered
    folder = _short_folder(natural, file_name, account)
    write_private(note, str(folder))
    return folder


def forget_socket_folder(note: Path) -> None:
    """Remove the short folder that ``note`` remembers, if any."""
    remembered = _remembered(note)
    if remembered is not None:
        shutil.rmtree(remembered, ignore_errors=True)
    note.unlink(missing_ok=True)


def _remembered(note: Path) -> Path | None:
    return Path(note.read_text(encoding="utf-8")) if note.exists() else None


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= PATH_LIMIT_BYTES and "," not in str(path)


def _short_folder(natural: Path, file_name: str, account: Account) -> Path:
    for parent in dict.fromkeys((Path(tempfile.gettempdir()).resolve(), Path("/tmp").resolve())):  # noqa: S108 — mkdtemp makes a private folder in it
        if not parent.is_dir() or not can_enter(account, parent):
            continue
        folder = Path(tempfile.mkdtemp(prefix="opsc-", dir=parent))
        if _fits(folder / file_name):
            if account.lowered:
                os.chown(folder, account.uid, account.gid, follow_symlinks=False)
            return folder
        folder.rmdir()
    raise StateFolderError(
        f"The socket {natural / file_name} cannot be made: its path has more than {PATH_LIMIT_BYTES} bytes "
        f"or a comma, and no temporary folder will do. Set OPSCONDUCTOR_STATE_DIR to a shorter path."
    )
