from typing import Any

import pytest

from app.automation.workflows.validation import validate
from tests.support.graphs import CATALOGUE, line, step, workflow

DEVICE = step("a", "test:device", command="show version")
EDGE = ("start -> a",)

BAD: dict[str, tuple[Any, tuple[str, str | None, str, str]]] = {
    "not an object": ([], ("malformed", None, "", "not a JSON object")),
    "foreign key": ({"nodes": [], "edges": [], "x": 1}, ("malformed", None, "x", "'x' is not part")),
    "nodes no array": ({"nodes": {}}, ("malformed", None, "nodes", "not an array")),
    "node no object": ({"nodes": [1]}, ("malformed", None, "nodes[0]", "not an object")),
    "node without id": ({"nodes": [{"data": {"nodeType": "test:once"}}]}, ("malformed", None, "nodes[0].id", "no id")),
    "node without type": ({"nodes": [{"id": "x", "data": {}}]}, ("malformed", "x", "data.nodeType", "no node type")),
    "parameters no object": (
        {"nodes": [{"id": "x", "data": {"nodeType": "test:once", "parameters": [1]}}]},
        ("malformed", "x", "parameters", "not an object"),
    ),
    "options no object": (
        {"nodes": [{"id": "x", "data": {"nodeType": "test:once", "options": "no"}}]},
        ("malformed", "x", "options", "not an object"),
    ),
    "edge without target": (
        {"nodes": [], "edges": [{"id": "e", "source": "a"}]},
        ("malformed", None, "edges[0]", "no target"),
    ),
    "no nodes": ({"nodes": [], "edges": []}, ("no_trigger", None, "nodes", "has no nodes")),
    "no trigger": ({"nodes": [DEVICE], "edges": []}, ("no_trigger", None, "nodes", "Add a trigger")),
    "same id twice": (workflow(DEVICE, DEVICE, edges=EDGE), ("duplicate_id", "a", "id", "Two nodes")),
    "unknown node type": (
        workflow(step("a", "test:devise"), edges=EDGE),
        ("unknown_node_type", "a", "data.nodeType", "Did you mean test:device"),
    ),
    "edge from nowhere": (workflow(DEVICE, edges=("b -> a",)), ("dangling_edge", None, "b -> a", "no 'b'")),
    "edge to nowhere": (workflow(DEVICE, edges=("a -> b",)), ("dangling_edge", None, "a -> b", "no 'b'")),
    "unknown output": (
        workflow(DEVICE, step("b", "test:once"), edges=(*EDGE, "a.color -> b")),
        ("unknown_handle", "a", "edges.a.color -> b.sourceHandle", "it has success, failure, text, records"),
    ),
    "unknown input": (
        workflow(DEVICE, edges=("start -> a.color",)),
        ("unknown_handle", "a", "edges.start -> a.color.targetHandle", "it has count, text"),
    ),
    "ill-typed edge": (
        workflow(DEVICE, step("b", "test:device", command="x"), edges=(*EDGE, "a.text -> b.count")),
        ("handle_type", "b", "edges.a.text -> b.count.targetHandle", "a.text is string, and b.count takes number"),
    ),
    "edge into a trigger": (
        workflow(DEVICE, edges=(*EDGE, "a -> start")),
        ("edge_into_trigger", "start", "edges.a -> start.target", "Nothing leads to a trigger"),
    ),
    "case that is not there": (
        workflow(step("s", "test:switch", cases=[{}]), DEVICE, edges=("start -> s", "s.case_1 -> a")),
        ("unknown_handle", "s", "edges.s.case_1 -> a.sourceHandle", "no output 'case_1'"),
    ),
    "missing parameter": (
        workflow(step("a", "test:device"), edges=EDGE),
        ("missing_parameter", "a", "parameters.command", "needs command"),
    ),
    "unknown parameter": (
        workflow(step("a", "test:device", command="x", speed=1), edges=EDGE),
        ("unknown_parameter", "a", "parameters.speed", "there is command, repeat, template"),
    ),
    "ill-typed parameter": (
        workflow(step("a", "test:device", command="x", repeat="many"), edges=EDGE),
        ("bad_parameter", "a", "parameters.repeat", "Expected `int`"),
    ),
    "unknown option": (
        workflow(step("a", "test:device", command="x", options={"speed": 1}), edges=EDGE),
        ("bad_option", "a", "options.speed", "unknown field `speed`"),
    ),
    "bad option": (
        workflow(step("a", "test:device", command="x", options={"on_error": "cry"}), edges=EDGE),
        ("bad_option", "a", "options.on_error", "Invalid enum value 'cry'"),
    ),
    "forced scope of a device node": (
        workflow(step("a", "test:device", command="x", options={"scope": "once"}), edges=EDGE),
        ("bad_option", "a", "options.scope", "always runs in device scope"),
    ),
    "broken expression": (
        workflow(step("a", "test:device", command="{{ 1 + }}"), edges=EDGE),
        ("bad_expression", "a", "parameters.command", "not well formed"),
    ),
    "unknown filter": (
        workflow(step("a", "test:device", command="{{ 1 | nosuch }}"), edges=EDGE),
        ("bad_expression", "a", "parameters.command", "there is no filter 'nosuch'"),
    ),
    "unknown name": (
        workflow(step("a", "test:device", command="{{ hots.name }}"), edges=EDGE),
        ("bad_reference", "a", "parameters.command", "'hots' is neither a node nor one of"),
    ),
    "reference to no ancestor": (
        workflow(
            step("a", "test:device", command="{{ nodes.b.outputs.text }}"),
            step("b", "test:device", command="x"),
            edges=(*EDGE, "start -> b"),
        ),
        ("bad_reference", "a", "parameters.command", "does not run before"),
    ),
    "reference to itself": (
        workflow(step("a", "test:device", command="{{ nodes.a.status }}"), edges=EDGE),
        ("bad_reference", "a", "parameters.command", "refer to itself"),
    ),
    "host in once scope": (
        workflow(step("i", "test:if", expression="host.name"), DEVICE, edges=("start -> i", "i.true -> a")),
        ("bad_reference", "i", "parameters.expression", "host is there only where a node runs per device"),
    ),
    "cycle": (
        workflow(DEVICE, step("b", "test:device", command="x"), edges=(*EDGE, "a -> b", "b -> a")),
        ("cycle", "a", "edges", "wait for each other: a, b"),
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_definition_names_node_field_and_what_is_wrong(case: str) -> None:
    raw, (kind, node_id, field, part) = BAD[case]
    found = [fault for fault in validate(raw, CATALOGUE).errors if fault["type"] == kind]
    assert [(fault["node_id"], fault["field"]) for fault in found] == [(node_id, field)]
    assert part in found[0]["message"]


def test_all_faults_are_listed_at_once() -> None:
    raw = workflow(step("a", "test:device", speed=1, repeat="x"), step("b", "no:such"), edges=("start -> a", "a -> c"))
    assert {fault["type"] for fault in validate(raw, CATALOGUE).errors} == {
        "missing_parameter", "unknown_parameter", "bad_parameter", "unknown_node_type", "dangling_edge",
    }  # fmt: skip


def test_a_good_definition_has_no_faults() -> None:
    raw = workflow(
        step("a", "test:device", "Ask", command="show {{ host.platform }}", template="{{ not evaluated"),
        step("i", "test:if", expression="nodes.Ask.outputs.records | length > 0 and a.text"),
        step("o", "test:once"),
        edges=(*EDGE, "a.records -> i.value", "i.true -> o", "a.failure -> o"),
    )
    verdict = validate(raw, CATALOGUE)
    assert (verdict.errors, verdict.warnings) == ([], [])
    assert verdict.valid


def test_what_is_odd_but_not_wrong_is_a_warning() -> None:
    raw = workflow(step("lost", "test:once"), step("second", "trigger:manual"), DEVICE, edges=EDGE)
    verdict = validate(raw, CATALOGUE)
    assert verdict.valid
    assert [(fault["type"], fault["node_id"]) for fault in verdict.warnings] == [
        ("unconnected", "lost"),
        ("several_triggers", None),
    ]


def test_canvas_defaults_for_handles_mean_the_plain_ends() -> None:
    edge = {**line("start -> a"), "sourceHandle": "output", "targetHandle": "input"}
    assert validate({"nodes": workflow(DEVICE)["nodes"], "edges": [edge]}, CATALOGUE).valid
