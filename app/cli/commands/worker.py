"""`opsconductor worker`: this machine's workers."""

import dataclasses

import click

import worker as worker_entry
from app.cli.children import end_with_parent
from app.cli.local import surroundings
from app.cli.output import json_option


@click.command()
@json_option
@click.pass_context
def worker(ctx: click.Context, *, as_json: bool) -> None:
    """Run this machine's workers.

    They are WORKERS processes, and run until told to stop; work in hand is finished first.
    As many machines as you like may run this on the same PostgreSQL and Redis. With --json the log is JSON.
    """
    end_with_parent()
    with surroundings(redis=True) as settings:
        settings.require_postgres()
        settings.require_redis()
        ctx.exit(worker_entry.run(dataclasses.replace(settings, log_format="json") if as_json else settings))
