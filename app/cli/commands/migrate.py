"""`opsconductor migrate`: the database brought up to date."""

import click

from app.cli.local import surroundings, with_database
from app.cli.output import json_option, print_json, say
from app.core import migrations
from app.identity.service import seed_roles


@click.command()
@json_option
def migrate(*, as_json: bool) -> None:
    """Bring the database up to date.

    It gets the built-in roles too. This is safe at any time and from several machines at once; a database of a newer
    version is left alone.
    """
    with surroundings() as settings:
        applied = with_database(settings, migrations.migrate, current=False)
        with_database(settings, seed_roles)
    if as_json:
        print_json({"applied": applied})
    elif applied:
        say(f"Applied {len(applied)} migration(s): {', '.join(applied)}.")
    else:
        say("The database is up to date.")
