"""`opsconductor executions …`: what can be done with an execution from the command line, beyond looking at it."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import click
import msgspec

from app.cli.client import Api, open_api
from app.cli.failures import ExitCode, Failure
from app.cli.following import EXECUTIONS
from app.cli.outcomes import code_of, see_through
from app.cli.output import json_option, print_json, print_table, say

APPROVALS = "/automation/v1/approvals"
execution_argument = click.argument("execution_id", metavar="ID", type=click.UUID)
comment_option = click.option("--comment", default="", help="Why; the workflow and the audit trail keep it.")
round_option = click.option("--iteration", help="The rounds of the loops around the node, as results show them.")


@click.command()
@execution_argument
@click.option("--failed", is_flag=True, help="Only the devices that failed, are unknown, or were cancelled.")
@click.option("--error-class", help="Only the devices that failed so, such as auth.")
@click.option("--from-node", metavar="NODE", help="Run this node and what follows it; keep the results before it.")
@json_option
@click.pass_context
def rerun(
    ctx: click.Context,
    *,
    execution_id: object,
    failed: bool,
    error_class: str | None,
    from_node: str | None,
    as_json: bool,
) -> None:
    """Run an execution that has ended once more, and watch it to its end; the exit code is 0 when it succeeds.

    Changes whose effect is unknown are sent again: look at the devices first.
    """
    asked = {"only": "failed" if failed else None, "error_class": error_class, "from_node": from_node}
    with open_api() as api:
        execution = api.post(f"{EXECUTIONS}/{execution_id}/rerun", asked)
        if not as_json:
            say(f"Execution {execution['id']} on {execution['counts']['devices']} device(s)")
        execution = see_through(api, execution["id"], as_json=as_json)
    ctx.exit(code_of(execution))


@click.command()
@execution_argument
@click.argument("node", required=False)
@comment_option
@round_option
@json_option
def approve(*, execution_id: object, node: str | None, comment: str, iteration: str | None, as_json: bool) -> None:
    """Approve what an execution asks at NODE, or the only thing that it asks."""
    _decide(execution_id, node, "approve", comment, iteration, as_json=as_json)


@click.command()
@execution_argument
@click.argument("node", required=False)
@comment_option
@round_option
@json_option
def reject(*, execution_id: object, node: str | None, comment: str, iteration: str | None, as_json: bool) -> None:
    """Reject what an execution asks at NODE, or the only thing that it asks."""
    _decide(execution_id, node, "reject", comment, iteration, as_json=as_json)


@click.command()
@execution_argument
@click.argument("node")
@click.option("--device", help="Only this device, by name or id; without it, wherever the node waits.")
@click.option("--data", default="{}", help="A JSON object that becomes the node's output data.")
@round_option
@json_option
def resume(
    *, execution_id: object, node: str, device: str | None, data: str, iteration: str | None, as_json: bool
) -> None:
    """Let an execution go on that waits in NODE to be resumed, or pauses there."""
    with open_api() as api:
        path = f"{EXECUTIONS}/{execution_id}/resume/{quote(node, safe='')}"
        resumed = api.post(path, _object(data), device=device, iteration=iteration)
    if as_json:
        print_json(resumed)
    elif resumed["resumed"]:
        say(f"{node} goes on, {resumed['resumed']} time(s).")
    else:
        say(f"{node} was resumed like this before; nothing happened again.")


@click.command()
@execution_argument
@click.argument("other", metavar="OTHER", type=click.UUID)
@click.option("--device", help="Only this device, by name or id.")
@click.option("--node", help="Only this node.")
@click.option("--all", "same_too", is_flag=True, help="Also what is the same.")
@json_option
def diff(
    *, execution_id: object, other: object, device: str | None, node: str | None, same_too: bool, as_json: bool
) -> None:
    """Compare an execution (before) with OTHER (after): what came out otherwise, device by device."""
    with open_api() as api:
        path, asked = f"{EXECUTIONS}/{execution_id}/diff/{other}", {"all": same_too or None}
        found = list(api.entries(path, at_most=None, device=device, node=node, **asked))
    if as_json:
        print_json(found)
        return
    rows = [_node_row(entry, compared) for entry in found for compared in entry["nodes"]]
    if not rows:
        say("Nothing differs.")
        return
    print_table(("device", "node", "before", "after", "what differs"), rows)


@click.command()
@execution_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def delete(*, execution_id: object, yes: bool, as_json: bool) -> None:
    """Delete an execution that has ended, with its results, events and files."""
    if not yes:
        click.confirm(f"Delete execution {execution_id} with all its results?", abort=True, err=True)
    with open_api() as api:
        api.delete(f"{EXECUTIONS}/{execution_id}")
    if as_json:
        print_json({"id": str(execution_id), "deleted": True})
    else:
        say(f"Execution {execution_id} is deleted.")


COMMANDS: Sequence[click.Command] = (rerun, approve, reject, resume, diff, delete)


def _decide(
    execution_id: object, node: str | None, decision: str, comment: str, iteration: str | None, *, as_json: bool
) -> None:
    with open_api() as api:
        asked = {"node_id": node, "iteration": iteration or ""} if node else _only_question(api, str(execution_id))
        path = f"{EXECUTIONS}/{execution_id}/approvals/{quote(asked['node_id'], safe='')}"
        given = {"decision": decision, "comment": comment, "iteration": asked["iteration"]}
        approval = api.post(path, given)
    if as_json:
        print_json(approval)
        return
    approvals = sum(said["decision"] == "approve" for said in approval["decisions"])
    say(f"{approval['node_id']}: {approval['status']}, {approvals} of {approval['needed']} approved.")


def _only_question(api: Api, execution_id: str) -> dict[str, Any]:
    """Return the only thing that an execution asks just now."""
    found = list(api.entries(APPROVALS, execution_id=execution_id, status="open"))
    if len(found) == 1:
        return found[0]
    if not found:
        raise Failure(f"Execution {execution_id} asks nothing just now.", ExitCode.INVALID)
    lines = [f"{one['node_id']} {one['iteration']}".strip() for one in found]
    raise Failure("It asks several things; say at which NODE, and --iteration in a loop.", ExitCode.INVALID, lines)


def _node_row(entry: Mapping[str, Any], compared: Mapping[str, Any]) -> tuple[object, ...]:
    device = entry["device"]["name"] if entry["device"] else "-"
    where = f"{compared['node_id']} {compared['iteration']}".strip()
    paths = [".".join(map(str, change["path"])) or "all" for change in (*compared["outputs"], *compared["diff"])]
    more = ["…"] if compared["truncated"] else []
    return device, where, _side(compared["before"]), _side(compared["after"]), [*paths, *more]


def _side(side: Mapping[str, Any] | None) -> str:
    if side is None:
        return "-"
    error = f" ({side['error']['class']})" if side["error"] else ""
    return f"{side['status']}{error}"


def _object(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise click.BadParameter(f"{text!r} is not a JSON object ({error})", param_hint="--data") from error
