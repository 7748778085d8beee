"""`opsconductor executions`: runs of workflows from the command line."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlencode

import click

from app.cli.client import READ_S, given, open_api
from app.cli.commands.execution_acts import COMMANDS
from app.cli.following import EXECUTIONS
from app.cli.outcomes import code_of, print_nodes, print_outcome, print_outcome_json, read_devices, see_through
from app.cli.output import json_option, moment, print_json, print_table, say

FORMATS = ("csv", "json", "jsonl")


@click.group()
def executions() -> None:
    """List, show, follow, rerun, decide, resume, compare, export, cancel and delete executions."""


for command in COMMANDS:
    executions.add_command(command)


@executions.command("list")
@click.option("--status", help="Only those that stand so, such as running or partial.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many.")
@json_option
def list_executions(*, status: str | None, limit: int, as_json: bool) -> None:
    """List the executions, the newest first."""
    with open_api() as api:
        found = list(api.entries(EXECUTIONS, at_most=limit, status=status))
    if as_json:
        print_json(found)
        return
    print_table(
        ("id", "workflow", "status", "devices", "failed", "by", "created"),
        [
            (
                one["id"],
                one["workflow_name"],
                one["status"],
                one["counts"]["devices"],
                one["counts"]["failed"],
                one["requested_by"],
                moment(one["created_at"]),
            )
            for one in found
        ],
    )


@executions.command()
@click.argument("execution_id", metavar="ID", type=click.UUID)
@json_option
def show(*, execution_id: object, as_json: bool) -> None:
    """Show an execution: its nodes, and how each device fared."""
    with open_api() as api:
        execution = api.get(f"{EXECUTIONS}/{execution_id}")
        devices = read_devices(api, str(execution_id))
    if as_json:
        print_outcome_json(execution, devices)
        return
    say(f"{execution['workflow_name']}, version {execution['workflow_version']}, by {execution['requested_by']}")
    print_nodes(execution)
    say("")
    print_outcome(execution, devices)


@executions.command()
@click.argument("execution_id", metavar="ID", type=click.UUID)
@json_option
@click.pass_context
def follow(ctx: click.Context, *, execution_id: object, as_json: bool) -> None:
    """Watch an execution to its end; the exit code is 0 when it succeeds."""
    with open_api() as api:
        api.get(f"{EXECUTIONS}/{execution_id}")
        execution = see_through(api, str(execution_id), as_json=as_json)
    ctx.exit(code_of(execution))


@executions.command()
@click.argument("execution_id", metavar="ID", type=click.UUID)
@click.option("--format", "form", type=click.Choice(FORMATS), default="csv", show_default=True, help="What to write.")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="The file to write, in place of stdout."
)
@click.option("--columns", help="For csv: fields and paths such as outputs.stdout, separated by commas.")
@click.option("--node", help="Only the results of this node.")
@click.option("--device", help="Only those of this device, by name or id.")
@click.option("--status", help="Only those that stand so, such as failed.")
@click.option("--error-class", help="Only those that failed so, such as auth.")
@json_option
def export(
    *, execution_id: object, form: str, output: Path | None, columns: str | None, as_json: bool, **filters: str | None
) -> None:
    """Export an execution's results with their whole outputs, as JSON, JSON Lines or CSV."""
    asked = {"format": "json" if as_json else form, "columns": columns, **filters}
    path = f"{EXECUTIONS}/{execution_id}/results/export?{urlencode(given(asked))}"
    with open_api() as api, api.stream(path, headers={}, read_s=READ_S) as answer, _target(output) as file:
        for piece in answer.iter_bytes():
            file.write(piece)


@contextmanager
def _target(output: Path | None) -> Iterator[BinaryIO]:
    """Yield stdout, or a file that gets its name once it is whole."""
    if output is None:
        yield sys.stdout.buffer
        return
    part = output.with_name(f"{output.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)


@executions.command()
@click.argument("execution_id", metavar="ID", type=click.UUID)
@json_option
def cancel(*, execution_id: object, as_json: bool) -> None:
    """Cancel an execution: no new command starts, and what is under way is cut within seconds."""
    with open_api() as api:
        execution = api.post(f"{EXECUTIONS}/{execution_id}/cancel")
    if as_json:
        print_json(execution)
    else:
        say(f"Execution {execution_id} is being cancelled.")
