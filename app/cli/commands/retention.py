"""`opsconductor retention`: executions that are kept no longer."""

import dataclasses

import click

from app.automation.executions import retention as records
from app.automation.executions.retention import Forecast, Retention, Sweep
from app.cli.local import surroundings, with_database
from app.cli.output import json_option, moment, print_json, print_table, say


@click.group()
def retention() -> None:
    """Delete executions that are kept no longer."""


@retention.command()
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
@click.option("--days", type=click.IntRange(min=0), help="In place of EXECUTION_RETENTION_DAYS; 0 is no limit.")
@click.option("--count", type=click.IntRange(min=0), help="In place of EXECUTION_RETENTION_COUNT; 0 is no limit.")
@json_option
def run(*, dry_run: bool, days: int | None, count: int | None, as_json: bool) -> None:
    """Delete now what the workers would delete within ten minutes.

    Those are the executions that ended longer ago than EXECUTION_RETENTION_DAYS, those beyond the newest
    EXECUTION_RETENTION_COUNT of each workflow, and large outputs that no result refers to.
    """
    with surroundings() as settings:
        kept = Retention(
            days=settings.execution_retention_days if days is None else days,
            count=settings.execution_retention_count if count is None else count,
        )
        if dry_run:
            _tell(with_database(settings, lambda: records.forecast(kept)), as_json=as_json)
        else:
            _report(with_database(settings, lambda: records.sweep(kept)), as_json=as_json)


def _tell(forecast: Forecast, *, as_json: bool) -> None:
    if as_json:
        print_json(dataclasses.asdict(forecast))
        return
    print_table(
        ("workflow", "executions", "oldest", "newest"),
        [
            (row["workflow"], row["executions"], moment(row["oldest"].isoformat()), moment(row["newest"].isoformat()))
            for row in forecast.workflows
        ],
    )
    say(
        f"Would delete {forecast.executions} execution(s) with {forecast.results} result(s) and {forecast.events} "
        f"event(s), and {forecast.blobs} large output(s) of {forecast.blob_bytes} bytes."
    )


def _report(done: Sweep, *, as_json: bool) -> None:
    if as_json:
        print_json(dataclasses.asdict(done))
    else:
        say(f"Deleted {done.executions} execution(s), and {done.blobs} large output(s).")
