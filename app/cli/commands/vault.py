"""`opsconductor vault`: the master key that seals credentials."""

import click

from app.cli.failures import ExitCode, Failure
from app.cli.local import surroundings, with_database
from app.cli.output import json_option, print_json, say
from app.core.crypto import generate_key as make_key
from app.credentials import vault as credential_vault


@click.group()
def vault() -> None:
    """Make and rotate the key that seals credentials."""


@vault.command("generate-key")
@json_option
def generate_key(*, as_json: bool) -> None:
    """Print a new master key, for CREDENTIAL_MASTER_KEY."""
    key = make_key()
    if as_json:
        print_json({"key": key})
    else:
        say(key)


@vault.command()
@json_option
def rotate(*, as_json: bool) -> None:
    """Seal every credential anew with CREDENTIAL_MASTER_KEY.

    To rotate: make a new key, set it as CREDENTIAL_MASTER_KEY and the old one as CREDENTIAL_RETIRED_KEYS (in the
    environment, or in keys.env of the state folder where `up` keeps them), restart everything, and run this. Then the
    retired key may go. It may be run at any time, and again after it was cut off.
    """
    with surroundings() as settings:
        credential_vault.configure(settings.require_keyring())
        done = with_database(settings, credential_vault.rotate_master_key)
    if as_json:
        print_json({"resealed": done.resealed, "current": done.current, "unreadable": done.unreadable})
    else:
        say(f"{done.resealed} credential(s) sealed anew, {done.current} were current already.")
    if done.unreadable:
        raise Failure(
            f"{len(done.unreadable)} credential(s) open with none of the configured keys. "
            "Add the key they were sealed with to CREDENTIAL_RETIRED_KEYS, and run this again.",
            ExitCode.FAILED,
            [str(credential_id) for credential_id in done.unreadable],
        )
