"""`opsconductor nodes`: the node types there are, for whoever draws workflows or writes nodes."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import click

from app.cli.client import open_api
from app.cli.failures import ExitCode, Failure
from app.cli.output import json_option, print_json, print_table, say
from app.cli.schemas import parameter_rows
from app.core.errors import NotFoundError
from app.core.settings import load_settings
from app.palette import build_catalog
from tasks.catalog import Problem
from tasks.errors import UnknownNodeType

NODE_TYPES = "/automation/v1/node-types"
remote_option = click.option("--remote", is_flag=True, help="Ask the service instead of looking on this machine.")


@click.group()
def nodes() -> None:
    """List and show the node types workflows are made of.

    They are looked up on this machine, those of installed packages and of OPSCONDUCTOR_NODES_PATH among them, and no
    service need run.
    """


@nodes.command("list")
@click.option("--category", help="Only node types of this category.")
@remote_option
@json_option
def list_nodes(*, category: str | None, remote: bool, as_json: bool) -> None:
    """List the node types; what is wrong with files and packages of nodes is told too, and is exit code 1."""
    found, problems = _node_types(remote=remote)
    if category is not None:
        found = [one for one in found if one["category"].lower() == category.lower()]
    if as_json:
        print_json({"node_types": found, "problems": [asdict(problem) for problem in problems]})
    else:
        headings = ("id", "name", "category", "scope", "changes device", "description")
        keys = ("id", "name", "category", "scope", "changes_device", "description")
        print_table(headings, [[one[key] for key in keys] for one in found])
    _refuse(problems)


@nodes.command()
@click.argument("node_id", metavar="ID")
@remote_option
@json_option
def show(*, node_id: str, remote: bool, as_json: bool) -> None:
    """Show a node type: its parameters, what goes in, what comes out, and the JSON Schema."""
    found = _node_type(node_id, remote=remote)
    if as_json:
        print_json(found)
        return
    say(f"{found['id']} (version {found['version']}): {found['name']}")
    say(found["description"])
    traits = {
        "scope": found["scope"],
        "package": found["package"],
        "also called": found["aliases"],
        "platforms": found["platforms"] or "all",
        "needs": found["prerequisites"],
        "changes devices": found["changes_device"],
        "leads on by": [*found["triggers"], *([f"{found['open_triggers']}…"] if found["open_triggers"] else [])],
    }
    print_table(("", ""), [(name, value) for name, value in traits.items() if value not in ([], "")])
    for title in ("inputs", "outputs"):
        if found[title]:
            rows = [(handle["name"], handle["type"], handle["description"]) for handle in found[title]]
            print_table((title[:-1], "type", "description"), rows)
    print_table(("parameter", "type", "needed", "default", "description"), parameter_rows(found["parameters"]))
    say("JSON Schema of the parameters:")
    print_json(found["parameters"])


def _node_type(node_id: str, *, remote: bool) -> dict[str, Any]:
    if remote:
        with open_api() as api:
            found: dict[str, Any] = api.get(f"{NODE_TYPES}/{node_id}")
            return found
    with _unlogged():
        catalog = build_catalog(load_settings().nodes_path)
    try:
        node_type = catalog[node_id]
    except UnknownNodeType as error:
        listed = "".join(f" {problem.source}: {problem.message}" for problem in catalog.problems)
        raise NotFoundError(f"{error}{' Left out were:' + listed if listed else ''}") from error
    return next(one for one in catalog.describe() if one["id"] == node_type.id)


def _node_types(*, remote: bool) -> tuple[list[dict[str, Any]], Sequence[Problem]]:
    if remote:
        with open_api() as api:
            return api.get(NODE_TYPES), ()
    with _unlogged():
        catalog = build_catalog(load_settings().nodes_path)
    return catalog.describe(), catalog.problems


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        raise Failure(
            f"{len(problems)} source(s) of node types cannot be used.",
            ExitCode.FAILED,
            [f"{problem.source}: {problem.message}" for problem in problems],
        )


@contextmanager
def _unlogged() -> Iterator[None]:
    """Keep the catalogue's problems out of the log: this command tells them itself."""
    logger = logging.getLogger("opsconductor.catalog")

    def refuse(_: logging.LogRecord) -> bool:
        return False

    logger.addFilter(refuse)
    try:
        yield
    finally:
        logger.removeFilter(refuse)
