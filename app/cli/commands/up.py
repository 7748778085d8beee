"""`opsconductor up`: everything in one terminal."""

import shlex

import click

from app.cli.output import json_option, print_json, say
from app.cli.signals import StopSignals
from app.cli.stack import Stack, StackPlan
from app.core.logging import configure_logging
from app.core.settings import Settings, load_settings, read_environment


@click.command()
@json_option
def up(*, as_json: bool) -> None:
    """Run everything in this terminal: servers, API and workers.

    PostgreSQL and Valkey are started in the state folder where PG_HOST or DATABASE_URL, REDIS_HOST or REDIS_URL are
    not set; SECRET_KEY and CREDENTIAL_MASTER_KEY are made and kept there where they are not set. Ctrl-C lets running
    work finish and stops everything; a second one stops it at once.
    """
    environ = read_environment()
    settings = load_settings(environ)
    configure_logging(settings.log_level, settings.log_format)
    with StopSignals() as signals, Stack(StackPlan(environ=environ), signals) as stack:
        (_announce_as_json if as_json else _announce)(stack)
        stack.watch()
        if not as_json:
            say("Stopping; running work may finish. Press Ctrl-C again to stop at once.")


def places(url: str) -> dict[str, str]:
    """Return the addresses worth knowing of a running service."""
    return {"api": url, "documentation": f"{url}/schema", "queues": f"{url}/rq", "login": f"{url}/login"}


def _announce(stack: Stack) -> None:
    where = places(stack.url)
    say(f"OpsConductor runs at {where['api']}; Ctrl-C stops it.")
    say(f"  API documentation        {where['documentation']}")
    say(f"  Queues (rq-dashboard)    {where['queues']}")
    say(f"  State folder             {stack.settings.state_dir}")
    say("The first administrator, if there is none yet, is made in another terminal:")
    elsewhere = stack.settings.state_dir != Settings().state_dir
    where_it_is = f"OPSCONDUCTOR_STATE_DIR={shlex.quote(str(stack.settings.state_dir))} " if elsewhere else ""
    say(f"  {where_it_is}opsconductor user create-admin --username admin")


def _announce_as_json(stack: Stack) -> None:
    print_json({**places(stack.url), "state_dir": str(stack.settings.state_dir)})
