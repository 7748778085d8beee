"""The keys of an installation that was given none: made once, and kept in its state folder."""

import secrets
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from app.core.crypto import generate_key
from app.core.embedded import locks
from app.core.embedded.files import write_private

MASTER_KEY, SECRET_KEY, RETIRED_KEYS = "CREDENTIAL_MASTER_KEY", "SECRET_KEY", "CREDENTIAL_RETIRED_KEYS"
SECRET_BYTES = 48
NOTE = """\
# Keys of this installation, made by `opsconductor up`. Back this file up: without CREDENTIAL_MASTER_KEY
# no stored credential opens again. A variable of the same name in the environment goes before the one here.
"""


def keys_file(state_dir: Path) -> Path:
    """Return the file that keeps the keys."""
    return state_dir / "keys.env"


def kept_keys(state_dir: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the keys that are kept in a state folder and that the environment does not set."""
    kept = dotenv_values(keys_file(state_dir), interpolate=False)
    return {name: value for name, value in kept.items() if value and not environ.get(name)}


def make_missing_keys(state_dir: Path, environ: Mapping[str, str]) -> None:
    """Make and keep the keys that neither the environment nor the state folder has."""
    with locks.turn(state_dir / "keys.lock"):
        kept = {name: value for name, value in dotenv_values(keys_file(state_dir), interpolate=False).items() if value}
        makers = {SECRET_KEY: lambda: secrets.token_urlsafe(SECRET_BYTES), MASTER_KEY: generate_key}
        made = {name: make() for name, make in makers.items() if not environ.get(name) and name not in kept}
        if made:
            lines = [f"{name}={value}\n" for name, value in {**kept, **made}.items()]
            write_private(keys_file(state_dir), NOTE + "".join(lines))
