"""`opsconductor workflow`: workflows as files, checked, stored, and run with every device in sight."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from app.automation.workflows.differences import equal
from app.automation.workflows.settings import WorkflowSettings, read_settings
from app.cli.client import Api, open_api
from app.cli.commands.workflow_test import test
from app.cli.failures import ExitCode, Failure, fault_line
from app.cli.outcomes import code_of, see_through
from app.cli.output import json_option, moment, print_json, print_table, say
from app.cli.references import find
from app.cli.workflow_files import FIELDS, form_of, is_workflow_file, read_workflow
from app.core.errors import ConflictError

WORKFLOWS = "/automation/v1/workflows"


@click.group()
def workflow() -> None:
    """Validate, test, import, export and run workflows."""


workflow.add_command(test)


@workflow.command("list")
@click.option("--tag", help="Only workflows with this tag.")
@click.option("--search", "q", help="Text in the name.")
@json_option
def list_workflows(*, tag: str | None, q: str | None, as_json: bool) -> None:
    """List the workflows."""
    with open_api() as api:
        found = list(api.entries(WORKFLOWS, tag=tag, q=q))
    if as_json:
        print_json(found)
    else:
        rows = [(one["name"], one["version"], one["enabled"], one["tags"], moment(one["updated_at"])) for one in found]
        print_table(("name", "version", "enabled", "tags", "changed"), rows)


@workflow.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def validate(*, file: Path, as_json: bool) -> None:
    """Check a workflow file without storing it; every fault is told with its node and field."""
    content = read_workflow(file)
    with open_api() as api:
        checked = {name: content[name] for name in ("definition", "settings") if name in content}
        verdict = api.post(f"{WORKFLOWS}/validate", checked)
    if as_json:
        print_json(verdict)
    else:
        for warning in verdict["warnings"]:
            say(f"warning: {fault_line(warning)}")
    if not verdict["valid"]:
        count = len(verdict["errors"])
        lines = [fault_line(fault) for fault in verdict["errors"]]
        raise Failure(f"{file} has {count} fault(s).", ExitCode.INVALID, lines)
    if not as_json:
        stages = verdict["plan"]["stages"]
        say(f"{file} is valid: {sum(len(stage['nodes']) for stage in stages)} steps in {len(stages)} stage(s).")


@workflow.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Change the workflow of this name where there is one.")
@json_option
def import_workflow(*, file: Path, replace: bool, as_json: bool) -> None:
    """Store the workflow in a file; its name says which one it is."""
    with open_api() as api:
        stored, verb = _store(api, read_workflow(file), replace=replace)
    if as_json:
        print_json(stored)
    else:
        say(f"{stored['name']} is {verb}, version {stored['version']}.")


@workflow.command()
@click.argument("name")
@click.option("--output", type=click.Path(path_type=Path), help="The file to write; .json for JSON, else YAML.")
@json_option
def export(*, name: str, output: Path | None, as_json: bool) -> None:
    """Write a workflow, by name or id, as a file; to stdout unless --output names one."""
    with open_api() as api:
        found = find(api, WORKFLOWS, name, what="workflow")
        form = form_of(output) if output else "json" if as_json else "yaml"
        text = api.get_text(f"{WORKFLOWS}/{found['id']}/export", format=form)
    if output is None:
        click.echo(text, nl=False)
        return
    output.write_text(text, encoding="utf-8")
    if as_json:
        print_json({"name": found["name"], "version": found["version"], "file": str(output)})
    else:
        say(f"{found['name']}, version {found['version']}, is in {output}.")


@workflow.command()
@click.argument("name_or_file")
@click.option("--device", "devices", multiple=True, help="A device to run on, by name or id; may be given again.")
@click.option("--group", "groups", multiple=True, help="A group to run on, by name or id; may be given again.")
@click.option("--targets", help='Targets as JSON, such as {"all_of": [{"group": "core"}, {"except": …}]}.')
@click.option("--var", "variables", multiple=True, help="A variable: name=text, or name:=JSON; may be given again.")
@click.option("--dry-run", is_flag=True, help="Let nodes that change devices only say what they would change.")
@click.option("--replace", is_flag=True, help="With a FILE: change the stored workflow of its name.")
@json_option
@click.pass_context
def run(
    ctx: click.Context,
    *,
    name_or_file: str,
    devices: Sequence[str],
    groups: Sequence[str],
    targets: str | None,
    variables: Sequence[str],
    dry_run: bool,
    replace: bool,
    as_json: bool,
) -> None:
    """Run a workflow and watch every device to the end; the exit code is 0 when all succeed.

    A name with the ending .yaml, .yml or .json is a file: the workflow in it is stored first. Ctrl-C asks whether to
    cancel the execution, or to leave it to itself.
    """
    start = {
        "targets": _targets(devices, groups, targets),
        "variables": dict(_variable(text) for text in variables),
        "dry_run": dry_run,
    }
    with open_api() as api:
        found = _find_or_store(api, name_or_file, replace=replace)
        execution = api.post(f"{WORKFLOWS}/{found['id']}/execute", start)
        if not as_json:
            say(f"Execution {execution['id']} of {found['name']} on {execution['counts']['devices']} device(s)")
        execution = see_through(api, execution["id"], as_json=as_json)
    ctx.exit(code_of(execution))


def _find_or_store(api: Api, name_or_file: str, *, replace: bool) -> dict[str, Any]:
    if not is_workflow_file(name_or_file):
        return find(api, WORKFLOWS, name_or_file, what="workflow")
    stored, _ = _store(api, read_workflow(Path(name_or_file)), replace=replace)
    return stored


def _store(api: Api, content: Mapping[str, Any], *, replace: bool) -> tuple[dict[str, Any], str]:
    """Store a file's workflow and say what was done; raises ConflictError for another one of its name."""
    there = next(iter(api.entries(WORKFLOWS, name=content["name"], at_most=1)), None)
    if there is None:
        return api.post(f"{WORKFLOWS}/import", content), "stored"
    exported = msgspec.json.decode(api.get_text(f"{WORKFLOWS}/{there['id']}/export", format="json"))
    differing = [name for name in FIELDS if not _same(name, content, exported)]
    if not differing:
        return there, "stored already"
    if not replace:
        raise ConflictError(
            f"There is another workflow named {content['name']!r}: its {', '.join(differing)} differ(s). "
            "Give --replace to change it, or choose another name."
        )
    return api.post(f"{WORKFLOWS}/import", content, mode="upsert"), "changed"


def _same(name: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Say whether two files mean the same by a field; one that is left out is as good as an empty one."""
    if name == "settings":
        return _settings(one) == _settings(other)
    return equal(one.get(name) or None, other.get(name) or None)


def _settings(content: Mapping[str, Any]) -> WorkflowSettings | None:
    """Return a file's settings, or None where they are wrong: the service says in what."""
    try:
        return read_settings(content.get("settings", {}))
    except msgspec.ValidationError:
        return None


def _targets(devices: Sequence[str], groups: Sequence[str], text: str | None) -> dict[str, Any] | None:
    """Return the targets that the options name together, or None."""
    parts: list[Any] = [{"devices": list(devices)}] if devices else []
    parts += [{"group": group} for group in groups]
    if text is not None:
        parts.append(_json(text, "--targets"))
    if len(parts) > 1:
        return {"any_of": parts}
    return parts[0] if parts else None


def _variable(text: str) -> tuple[str, Any]:
    name, mark, value = text.partition("=")
    if not mark or not name.rstrip(":"):
        raise click.BadParameter(f"{text!r} is neither name=text nor name:=JSON", param_hint="--var")
    if name.endswith(":"):
        return name[:-1], _json(value, f"--var {name[:-1]}")
    return name, value


def _json(text: str, option: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise click.BadParameter(f"{text!r} is not JSON ({error})", param_hint=option) from error
