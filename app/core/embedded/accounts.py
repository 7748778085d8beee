"""The account PostgreSQL runs as: this one, or an existing unprivileged one when this is root."""

import os
import pwd
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from app.core.embedded.errors import AccountError

ROOT = 0
DEFAULT_ACCOUNT = "nobody"
COMMAND_TIMEOUT_S = 120.0
NEVER_ENDED = -1
EXTERNAL_POSTGRES = "set PG_HOST or DATABASE_URL to use a PostgreSQL of your own"


@dataclass(frozen=True, kw_only=True)
class Account:
    """An existing account; ``lowered`` when it is not the one this process runs as."""

    name: str
    uid: int
    gid: int
    lowered: bool

    def popen_user(self) -> int | None:
        """Return ``user=`` for subprocess."""
        return self.uid if self.lowered else None

    def popen_group(self) -> int | None:
        """Return ``group=`` for subprocess."""
        return self.gid if self.lowered else None

    def popen_extra_groups(self) -> Sequence[int] | None:
        """Return ``extra_groups=`` for subprocess: none of root's."""
        return () if self.lowered else None


class Finished(NamedTuple):
    """How a program ended: its exit status, or NEVER_ENDED, and what it wrote to stdout and stderr."""

    status: int
    said: str

    @property
    def succeeded(self) -> bool:
        """Say whether it ran and was content."""
        return self.status == 0


def own_account() -> Account:
    """Return the account this process runs as; it may lack a name."""
    uid = os.geteuid()
    return Account(name=f"uid {uid}", uid=uid, gid=os.getegid(), lowered=False)


def server_account(os_user: str | None) -> Account:
    """Return the account to run PostgreSQL as; raises AccountError when there is none that may."""
    own_uid = os.geteuid()
    if own_uid == ROOT:
        return _lowered_account(os_user or DEFAULT_ACCOUNT)
    try:
        own = pwd.getpwuid(own_uid)
    except KeyError as error:
        raise AccountError(
            f"Uid {own_uid} has no entry in the passwd database, and PostgreSQL does not run without one. "
            f"Run as an account that has a name, or {EXTERNAL_POSTGRES}."
        ) from error
    if os_user not in {None, own.pw_name}:
        raise AccountError(
            f"Only root can run PostgreSQL as another account: this runs as {own.pw_name}, not as {os_user}. "
            f"Unset OPSCONDUCTOR_OS_USER, or {EXTERNAL_POSTGRES}."
        )
    return Account(name=own.pw_name, uid=own.pw_uid, gid=own.pw_gid, lowered=False)


def _lowered_account(name: str) -> Account:
    remedy = f"Set OPSCONDUCTOR_OS_USER to an existing unprivileged account, or {EXTERNAL_POSTGRES}."
    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        raise AccountError(f"There is no account {name!r} to run PostgreSQL as. {remedy}") from error
    if entry.pw_uid == ROOT:
        raise AccountError(f"The account {name!r} is root, and PostgreSQL refuses to run as root. {remedy}")
    return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid, lowered=True)


def clean_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment in which no PG* variable or locale of the caller's reaches a program."""
    return {"PATH": os.defpath, "LC_ALL": "C", **(more or {})}


def run_as(
    account: Account,
    argv: Sequence[str | Path],
    *,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
    timeout_s: float = COMMAND_TIMEOUT_S,
) -> Finished:
    """Run a program to its end as an account; when that is cut short, end what it started as well."""
    try:
        with subprocess.Popen(  # noqa: S603 — programs of the wheels, by full path and without a shell
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
            env=clean_environment(environment),
            umask=0o077,
            start_new_session=True,
            user=account.popen_user(),
            group=account.popen_group(),
            extra_groups=account.popen_extra_groups(),
        ) as program:
            try:
                said, _ = program.communicate(stdin, timeout=timeout_s)
            except BaseException:
                with suppress(ProcessLookupError):  # it ended meanwhile, and nothing of it is left
                    os.killpg(program.pid, signal.SIGKILL)
                raise
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finished(status=NEVER_ENDED, said=str(error))
    return Finished(status=program.returncode, said=said.strip())


def can_enter(account: Account, folder: Path) -> bool:
    """Say whether an account can really reach a folder, by trying."""
    return run_as(account, ["/bin/sh", "-c", 'cd "$1"', "sh", folder]).succeeded


def give_folder(folder: Path, mode: int, account: Account | None = None) -> None:
    """Make a new folder with exactly this mode, owned by the account; raises FileExistsError."""
    folder.mkdir(mode=0o700)
    folder.chmod(mode)
    if account is not None and account.lowered:
        os.chown(folder, account.uid, account.gid, follow_symlinks=False)
