"""`opsconductor demo`: the product shown on a simulated network."""

import os
import shlex
import sys
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import click

import app.demo
from app.cli.client import Api
from app.cli.demo_stage import ADMIN, Stage, demo_stage, log_in
from app.cli.failures import ExitCode
from app.cli.following import EXECUTIONS
from app.cli.outcomes import print_outcome, read_devices
from app.cli.output import json_option, print_json, say, warn
from app.cli.signals import StopSignals
from app.cli.watching import watch
from app.cli.workflow_files import read_workflow
from app.core.logging import configure_logging
from app.core.settings import read_environment
from app.demo.expectation import differences
from app.demo.seed import GROUP, VARIABLES, seed, start


@click.command()
@click.option("--once", is_flag=True, help="Stop everything after the run, and succeed when it came out as designed.")
@json_option
@click.pass_context
def demo(ctx: click.Context, *, once: bool, as_json: bool) -> None:
    """Show the product on a simulated network of twelve devices.

    Everything is real but the devices: PostgreSQL, Valkey, API, workers, SSH. One device refuses the password, one
    hangs after the login, one is down. Without --once it goes on serving until Ctrl-C. Nothing of an installation on
    this machine is touched.
    """
    configure_logging("WARNING")
    tell = warn if as_json else say
    with StopSignals() as signals, demo_stage(read_environment(), signals, tell) as stage:
        with log_in(stage) as api:
            signals.interrupting = True
            faults = _show(stage, api, as_json=as_json)
            signals.interrupting = False
            if not once:
                _tell_what_next(stage, api)
        if not once:
            stage.stack.watch()
    ctx.exit(ExitCode.FAILED if faults else ExitCode.OK)


def _show(stage: Stage, api: Api, *, as_json: bool) -> list[str]:
    """Run the workflow on the devices, print how it went, and return in what it was not as designed."""
    with as_file(files(app.demo) / "workflow.yaml") as file:
        workflow = read_workflow(file)
    workflow_id = seed(api, stage.fleet, stage.ports, workflow)
    execution = start(api, workflow_id, stage.receiver.url)
    if not as_json:
        say(f"Execution {execution['id']} of {workflow['name']!r} on {execution['counts']['devices']} devices")
    progress = watch(api, execution["id"], quiet=as_json, ask=False)
    execution = api.get(f"{EXECUTIONS}/{execution['id']}")
    devices = read_devices(api, execution["id"], progress)
    faults = differences(stage.fleet, execution, devices, stage.receiver.reports)
    report: dict[str, Any] = {"execution": execution, "devices": devices, "reports": stage.receiver.reports}
    if as_json:
        print_json({**report, "differences": faults})
    else:
        print_outcome(execution, devices)
        say(f"The webhook's report was received {len(stage.receiver.reports)} time(s).")
        say("All of it came out as designed." if not faults else "")
    for fault in faults:
        warn(f"Not as designed: {fault}")
    if faults:
        warn(f"The logs are in {stage.state}.")
    return faults


def _tell_what_next(stage: Stage, api: Api) -> None:
    url, program = stage.stack.url, _program()
    variables = " ".join(_option(name, value) for name, value in VARIABLES.items())
    warn(
        f"""
The demo serves until Ctrl-C.
  API page       {url}/schema
  rq-dashboard   {url}/rq
  Login page     {url}/login (user {ADMIN}, password {stage.admin_password})

In another terminal:
  export OPSCONDUCTOR_URL={url} OPSCONDUCTOR_TOKEN={api.tokens.current()}
  {program} devices list --site ber1
  {program} workflow export 'Fleet check' --output fleet-check.yaml
  {program} workflow run 'Fleet check' --group {GROUP} {variables} --var report_url={stage.receiver.url}
  {program} nodes show ssh:command
  curl -H "Authorization: Bearer $OPSCONDUCTOR_TOKEN" '{url}/automation/v1/executions?limit=1'
"""
    )


def _option(name: str, value: Any) -> str:
    """Return a variable as an option of `workflow run`, safe in a shell."""
    return f"--var {name}:={value}" if isinstance(value, int) else f"--var {shlex.quote(f'{name}={value}')}"


def _program() -> str:
    """Return this command line as it is called from here."""
    program = Path(sys.argv[0])
    if program.name != "opsconductor":
        return f"{os.path.relpath(sys.executable)} -m app.cli"
    return os.path.relpath(program) if program.is_relative_to(Path.cwd()) else str(program)
