"""What expressions can see: the names in scope of a node, per host or once."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.automation.executions.walk import Course, Walk, is_visible
from app.core.clock import now

FAILURES = "failures"
"""What an error trigger runs for: handed to its function, and in sight of no expression, since it is no name of one."""
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(frozen=True)
class Background:
    """What is the same for every node of an execution: its own facts, the workflow's, trigger and variables."""

    execution: Mapping[str, Any]
    workflow: Mapping[str, Any]
    trigger: Mapping[str, Any]
    variables: Mapping[str, Any]


def referenced_nodes(course: Course, node_ids: Sequence[str]) -> set[str]:
    """Return the nodes whose outputs some nodes need.

    They are named in an expression, stand at the far end of a data edge, or end the body of a loop, which tells them.
    """
    wanted = {meant for node_id in node_ids for meant in course.named_in(node_id).values()}
    for node_id in node_ids:
        incoming = course.definition.incoming(node_id)
        wanted |= {edge.source for edge in incoming if edge.source_handle and not edge.watch}
    for body in (course.plan.loops.get(node_id, ()) for node_id in node_ids if not course.plan.is_staged(node_id)):
        wanted |= set(last_of(course, body))
    return wanted | set(course.setters)


def last_of(course: Course, body: Sequence[str]) -> list[str]:
    """Return the nodes of a loop's body that nothing in it follows."""
    followed = {edge.source for node_id in body for edge in course.definition.incoming(node_id)}
    return [node_id for node_id in body if node_id not in followed]


def watched_nodes(course: Course, node_ids: Sequence[str]) -> set[str]:
    """Return the nodes whose failures some error triggers among these watch."""
    return {edge.source for node_id in node_ids for edge in course.definition.incoming(node_id) if edge.watch}


def node_view(status: str, outputs: Mapping[str, Any] | None, error: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what an expression sees of a node that ran here: ``outputs``, ``status``, ``error``."""
    return {"status": status, "outputs": dict(outputs or {}), "error": error}


def views_of(course: Course, rows: Sequence[Mapping[str, Any]], here: str = "") -> dict[str, Any]:
    """Return the views of recorded results; of what ran in other rounds, only the variables set last are seen."""
    views: dict[str, Any] = {}
    for row in rows:
        node_id, sets = row["node_id"], row["node_id"] in course.setters
        if (is_visible(row["iteration"], here) and not (sets and node_id in views)) or (
            sets and row["status"] == "success"
        ):
            views[node_id] = node_view(row["status"], row["outputs"], row["error"])
    return views


def fleet_view(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what a once node sees of a device node: ``results``, ``succeeded`` and ``failed`` hosts."""
    return {
        "results": list(results),
        "succeeded": [result["host"] for result in results if result["status"] == "success"],
        "failed": [result["host"] for result in results if result["status"] in {"failed", "unknown"}],
    }


def scope_of(
    course: Course, walk: Walk, node_id: str, background: Background, views: Mapping[str, Any]
) -> dict[str, Any]:
    """Build the scope of a node; ``views`` are the nodes behind it, as ``node_view`` and ``fleet_view`` make them."""
    present = now()
    named = {name: views[meant] for name, meant in course.named_in(node_id).items() if meant in views}
    short = {name: view.get("outputs", view) for name, view in named.items() if _IDENTIFIER.match(name)}
    return {
        **short,
        "nodes": named,
        "input": _inputs(course, walk, node_id, background, views),
        "trigger": background.trigger,
        "variables": {**background.variables, **_set_variables(course, views)},
        "workflow": background.workflow,
        "execution": background.execution,
        "settings": {},
        **({FAILURES: failures_of(walk, node_id, views)} if watched_nodes(course, [node_id]) else {}),
        "now": present,
        "today": present.date(),
    }


def failures_of(walk: Walk, node_id: str, views: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the failures that an error trigger runs for, those of single hosts with their names."""
    told = []
    for edge in walk.taken(node_id):
        view = views.get(edge.source) if edge.watch else None
        for result in () if view is None else view.get("results", [view]):
            if result["status"] in {"failed", "unknown"}:
                where = {"host": result["host"]} if "host" in result else {}
                told.append({"node_id": edge.source, **(result["error"] or {}), **where})
    return told


def _set_variables(course: Course, views: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for node_id in course.setters:
        if node_id in views:
            values |= views[node_id].get("outputs", {})
    return values


def _inputs(
    course: Course, walk: Walk, node_id: str, background: Background, views: Mapping[str, Any]
) -> dict[str, Any]:
    """Collect ``input.<handle>`` from the data edges that were taken; behind a failure, ``input.error``."""
    collecting = {handle.name for handle in course.type_of(node_id).inputs if handle.many}
    inputs: dict[str, Any] = {name: [] for name in collecting}
    for edge in walk.taken(node_id):
        if edge.watch:
            continue
        view = views.get(edge.source, {})
        outputs = background.trigger if edge.source == course.plan.trigger else view.get("outputs", view)
        if edge.source_handle in outputs:
            name = edge.target_handle or edge.source_handle
            value = outputs[edge.source_handle]
            if name in collecting:
                inputs[name].append(value)
            else:
                inputs[name] = value
        elif view.get("status") == "failed":
            inputs["error"] = view.get("error")
    return inputs
