"""Where PostgreSQL's data lies and whose it is: decided at the first start, written down, and held to."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import msgspec

from app.core.embedded import accounts, files
from app.core.embedded.accounts import Account
from app.core.embedded.errors import AccountError, DataLostError, StateFolderError
from app.core.embedded.files import ServerFiles
from app.core.logging import get_logger

LASTING_ROOT = Path("/var/lib/opsconductor-postgres")
"""Where root keeps the data of another account: the state folder is closed to it."""
NOT_OURS = "is not a folder that only this account can write to"

logger = get_logger(__name__)


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """``home`` is a folder of ours, and ``home/data`` belongs to ``account``."""

    home: str
    account: str
    initialised: bool = False

    @property
    def data(self) -> Path:
        """PostgreSQL's data folder."""
        return Path(self.home) / "data"


def read_placement(server: ServerFiles) -> Placement | None:
    """Return what an earlier start wrote down, or None before the first."""
    if not server.record.exists():
        return None
    try:
        return msgspec.json.decode(server.record.read_bytes(), type=Placement)
    except msgspec.DecodeError as error:
        raise StateFolderError(
            f"{server.record}, which says where PostgreSQL's data lies, is damaged ({error}). Put it back "
            'from a backup, or write {"home": "<above data>", "account": "<its owner>", "initialised": true}.'
        ) from error


def write_placement(server: ServerFiles, placement: Placement) -> None:
    """Write down where the data lies."""
    files.write_private(server.record, msgspec.json.encode(placement).decode())


def place(server: ServerFiles, account: Account, data_root: Path | None) -> Placement:
    """Return where the data lies, choosing a home at the first start; raises DataLostError, AccountError."""
    placement = read_placement(server)
    if placement is None:
        placement = Placement(home=str(_choose_home(server, account, data_root)), account=account.name)
        _refuse_leftovers(server, placement)
        write_placement(server, placement)
    if placement.account != account.name:
        raise AccountError(
            f"PostgreSQL's data in {placement.home} belongs to the account {placement.account}, not to "
            f"{account.name}. Set OPSCONDUCTOR_OS_USER to {placement.account}, or run as that account."
        )
    if placement.initialised and not placement.data.exists():
        raise DataLostError(
            f"PostgreSQL's data was in {placement.data}, and is not there any more. Mount or restore it, "
            f"or give up the data and start with an empty database by deleting {server.record}."
        )
    home = Path(placement.home)
    if not home.exists():
        accounts.give_folder(home, _home_mode(account))
    if not files.is_own_folder(home, os.geteuid()):
        raise StateFolderError(f"{home}, where PostgreSQL's data lies, {NOT_OURS}. Restore its owner and mode.")
    return placement


def remove_home(server: ServerFiles) -> None:
    """Delete the data that an earlier start placed, if any; nothing may be running on it."""
    placement = read_placement(server)
    if placement is not None and Path(placement.home).exists():
        shutil.rmtree(placement.home)


def _choose_home(server: ServerFiles, account: Account, data_root: Path | None) -> Path:
    """Return a folder of ours that the server's account can enter, and that survives a reboot if it can."""
    if not account.lowered:
        candidates = [server.folder]
    else:
        label = hashlib.sha256(os.fsencode(server.state)).hexdigest()[:12]
        candidates = [(data_root or LASTING_ROOT) / label]
        if data_root is None:
            candidates.append(Path(tempfile.gettempdir()).resolve() / f"opsconductor-postgres-{label}")
    faults: list[str] = []
    for home in candidates:
        fault = _make_home(home, account)
        if fault is None:
            if faults:
                logger.warning("embedded_postgres_in_temporary_folder", folder=str(home), reason=faults[0])
            return home
        faults.append(f"{home}: {fault}")
    raise StateFolderError(
        f"PostgreSQL's data has no place that the account {account.name} can reach ({'; '.join(faults)}). "
        f"Open the way to {candidates[0].parent} for it, or {accounts.EXTERNAL_POSTGRES}."
    )


def _make_home(home: Path, account: Account) -> str | None:
    """Make a home, leaving every folder that exists as it is; return why it will not do, or None."""
    try:
        for folder in (home.parent, home):
            if not folder.exists():
                accounts.give_folder(folder, _home_mode(account))
    except OSError as error:
        return error.strerror or str(error)
    if not files.is_own_folder(home, os.geteuid()):
        return f"it {NOT_OURS}"
    return None if accounts.can_enter(account, home) else f"{account.name} cannot enter it"


def _home_mode(account: Account) -> int:
    return 0o711 if account.lowered else 0o700


def _refuse_leftovers(server: ServerFiles, placement: Placement) -> None:
    if placement.data.exists():
        raise DataLostError(
            f"{placement.home} holds the database of an earlier state folder at {server.state}, and its "
            f"passwords went with it. To start empty: mv {placement.home} {placement.home}.old. To keep it, "
            f"restore {server.record.name} and {server.secret.name} into {server.state}."
        )
