"""`opsconductor workflow test`: the cases of a test file, tried out by the service with nothing real happening."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from app.cli.client import Api, open_api
from app.cli.failures import ExitCode
from app.cli.output import json_option, print_json, print_table, say
from app.cli.references import find
from app.cli.workflow_cases import CaseFile, read_cases

WORKFLOWS = "/automation/v1/workflows"
WAIT_S = 100


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--case", "names", multiple=True, help="Only the case of this name; may be given again.")
@json_option
@click.pass_context
def test(ctx: click.Context, *, file: Path, names: Sequence[str], as_json: bool) -> None:
    """Try out the cases of a test file; the exit code is 0 when all end as expected.

    Nodes are mocked and devices invented, so nothing real happens.
    """
    found = read_cases(file)
    for name in names:
        if name not in found.cases:
            raise click.BadParameter(
                f"there is no case {name!r}; there is {', '.join(found.cases)}", param_hint="--case"
            )
    with open_api() as api:
        workflow = _workflow(api, found)
        told = [_try_out(api, name, {**workflow, **found.cases[name]}) for name in names or found.cases]
    if as_json:
        print_json(told)
    else:
        _print(told)
    ctx.exit(ExitCode.OK if all(case["passed"] for case in told) else ExitCode.FAILED)


def _workflow(api: Api, found: CaseFile) -> dict[str, Any]:
    if found.workflow is not None:
        return {"workflow_id": find(api, WORKFLOWS, found.workflow, what="workflow")["id"]}
    return {"definition": found.definition}


def _try_out(api: Api, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return how a case went; one that expects nothing passes when its execution succeeds."""
    expect = body.get("expect") or {"execution": "success"}
    answer = api.post(f"{WORKFLOWS}/test", {**body, "expect": expect}, wait=WAIT_S)
    execution, messages = answer["execution"], [one["message"] for one in answer["differences"]]
    if answer["passed"] is None:
        messages = [f"The execution is still {execution['status']} after {WAIT_S} s"]
    return {
        "case": name,
        "passed": bool(answer["passed"]),
        "execution_id": execution["id"],
        "status": execution["status"],
        "differences": messages,
    }


def _print(told: Sequence[dict[str, Any]]) -> None:
    rows = [
        (
            case["case"],
            "ok" if case["passed"] else "failed",
            case["status"],
            len(case["differences"]),
            case["execution_id"],
        )
        for case in told
    ]
    print_table(("case", "test", "execution", "differences", "id"), rows)
    for case in told:
        for message in case["differences"]:
            say(f"{case['case']}: {message}")
    failed = sum(not case["passed"] for case in told)
    say(f"{len(told) - failed} passed, {failed} failed.")
