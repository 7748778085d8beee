from typing import Any, get_args

import pytest

from app.automation.workflows.handles import fits
from app.automation.workflows.validation import validate
from tasks.node import Handle, HandleType
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
    "trigger into a typed input": (
        workflow(DEVICE, step("b", "test:device", command="x"), edges=(*EDGE, "a.success -> b.count")),
        ("handle_type", "b", "edges.a.success -> b.count.targetHandle", "a.success carries no value"),
    ),
    "failure into a typed input": (
        workflow(DEVICE, step("b", "test:device", command="x"), edges=(*EDGE, "a.failure -> b.text")),
        ("handle_type", "b", "edges.a.failure -> b.text.targetHandle", "Lead it to the plain input"),
    ),
    "records into a text": (
        workflow(DEVICE, step("b", "test:device", command="x"), edges=(*EDGE, "a.records -> b.text")),
        ("handle_type", "b", "edges.a.records -> b.text.targetHandle", "a.records is records, and b.text takes string"),
    ),
    "edge without source": (
        {"nodes": [], "edges": [{"id": "e", "target": "a"}]},
        ("malformed", None, "edges[0]", "no source"),
    ),
    "edge without ends": ({"nodes": [], "edges": [{}]}, ("malformed", None, "edges[0]", "no source and no target")),
    "edges no array": ({"nodes": [], "edges": {}}, ("malformed", None, "edges", "edges is not an array")),
    "edge no object": ({"nodes": [], "edges": ["a -> b"]}, ("malformed", None, "edges[0]", "not an object")),
    "id no text": (
        {"nodes": [{"id": 7, "data": {"nodeType": "test:once"}}]},
        ("malformed", None, "nodes[0].id", "nodes[0] has no id"),
    ),
    "type no text": ({"nodes": [{"id": "x", "data": {"nodeType": 1}}]}, ("malformed", "x", "data.nodeType", "no node")),
    "data no object": ({"nodes": [{"id": "x", "data": []}]}, ("malformed", "x", "data.nodeType", "names no node type")),
    "no definition": (None, ("malformed", None, "", "not a JSON object")),
    "unknown node type like none": (
        workflow(step("a", "zzz:qqq"), edges=EDGE),
        ("unknown_node_type", "a", "data.nodeType", "There is no node type 'zzz:qqq'."),
    ),
    "each of no loop": (
        workflow(DEVICE, step("b", "test:once"), edges=(*EDGE, "a.each -> b")),
        ("unknown_handle", "a", "edges.a.each -> b.sourceHandle", "no output 'each'"),
    ),
    "default of an if": (
        workflow(step("i", "test:if"), step("o", "test:once"), edges=("start -> i", "i.default -> o")),
        ("unknown_handle", "i", "edges.i.default -> o.sourceHandle", "it has true, false, failure"),
    ),
    "case without a number": (
        workflow(step("s", "test:switch", cases=[{}]), DEVICE, edges=("start -> s", "s.case_x -> a")),
        ("unknown_handle", "s", "edges.s.case_x -> a.sourceHandle", "no output 'case_x'"),
    ),
    "input of a node without inputs": (
        workflow(step("o", "test:once"), edges=("start -> o.text",)),
        ("unknown_handle", "o", "edges.start -> o.text.targetHandle", "it has only its plain input"),
    ),
    "retries below none": (
        workflow(step("a", "test:device", command="x", options={"retries": -1}), edges=EDGE),
        ("bad_option", "a", "options.retries", "Expected `int` >= 0"),
    ),
    "too many retries": (
        workflow(step("a", "test:device", command="x", options={"retries": 11}), edges=EDGE),
        ("bad_option", "a", "options.retries", "Expected `int` <= 10"),
    ),
    "retries no number": (
        workflow(step("a", "test:device", command="x", options={"retries": "2"}), edges=EDGE),
        ("bad_option", "a", "options.retries", "Expected `int`, got `str`"),
    ),
    "negative delay": (
        workflow(step("a", "test:device", command="x", options={"retry_delay_s": -0.5}), edges=EDGE),
        ("bad_option", "a", "options.retry_delay_s", ">= 0"),
    ),
    "delay of a day": (
        workflow(step("a", "test:device", command="x", options={"retry_delay_s": 86400}), edges=EDGE),
        ("bad_option", "a", "options.retry_delay_s", "<= 3600"),
    ),
    "unknown backoff": (
        workflow(step("a", "test:device", command="x", options={"backoff": "random"}), edges=EDGE),
        ("bad_option", "a", "options.backoff", "Invalid enum value 'random'"),
    ),
    "disabled no truth": (
        workflow(step("a", "test:device", command="x", options={"disabled": "yes"}), edges=EDGE),
        ("bad_option", "a", "options.disabled", "Expected `bool`"),
    ),
    "unknown scope": (
        workflow(step("i", "test:if", options={"scope": "twice"}), edges=("start -> i",)),
        ("bad_option", "i", "options.scope", "Invalid enum value 'twice'"),
    ),
    "forced scope of a once node": (
        workflow(step("o", "test:once", options={"scope": "device"}), edges=("start -> o",)),
        ("bad_option", "o", "options.scope", "always runs in once scope"),
    ),
    "forced scope of a loop's body": (
        workflow(
            DEVICE,
            step("l", "logic:loop"),
            step("i", "test:set", options={"scope": "once"}),
            edges=(*EDGE, "a -> l", "l.each -> i"),
        ),
        ("loop_scope", "i", "options.scope", "i runs once, and the loop l per device"),
    ),
    "forced scope of a loop": (
        workflow(
            DEVICE,
            step("l", "logic:loop", options={"scope": "device"}),
            step("o", "test:once"),
            edges=(*EDGE, "a -> l", "l.each -> o"),
        ),
        ("loop_scope", "o", "options.scope", "o runs once, and the loop l per device"),
    ),
    "host where a forced node runs once": (
        workflow(
            DEVICE, step("i", "test:if", expression="host.name", options={"scope": "once"}), edges=(*EDGE, "a -> i")
        ),
        ("bad_reference", "i", "parameters.expression", "host is there only where a node runs per device"),
    ),
    "run_if that is broken": (
        workflow(step("a", "test:device", command="x", options={"run_if": "1 +"}), edges=EDGE),
        ("bad_expression", "a", "options.run_if", "not well formed"),
    ),
    "run_if that names nothing": (
        workflow(step("a", "test:device", command="x", options={"run_if": "hots.name == 'r1'"}), edges=EDGE),
        ("bad_reference", "a", "options.run_if", "'hots' is neither a node nor one of"),
    ),
    "run_if that names what comes later": (
        workflow(
            step("a", "test:device", command="x", options={"run_if": "nodes.b.status"}),
            step("b", "test:device", command="x"),
            edges=(*EDGE, "a -> b"),
        ),
        ("bad_reference", "a", "options.run_if", "does not run before"),
    ),
    "expression in a list": (
        workflow(step("s", "test:switch", cases=[{"value": "{{ nowhere.x }}"}]), edges=("start -> s",)),
        ("bad_reference", "s", "parameters.cases[0].value", "'nowhere' is neither"),
    ),
    "a statement that is not available": (
        workflow(step("a", "test:device", command="{% include 'x' %}"), edges=EDGE),
        ("bad_expression", "a", "parameters.command", "include is not available"),
    ),
    "a node named by a variable": (
        workflow(step("a", "test:device", command="{{ nodes[host.name].status }}"), edges=EDGE),
        ("bad_expression", "a", "parameters.command", "a node is named by a constant"),
    ),
    "nested too deeply": (
        workflow(step("a", "test:device", command="{{ " + "(" * 3000 + ")" * 3000 + " }}"), edges=EDGE),
        ("bad_expression", "a", "parameters.command", "nested too deeply"),
    ),
    "a node that waits for itself": (
        workflow(DEVICE, edges=(*EDGE, "a -> a")),
        ("cycle", "a", "edges", "wait for each other: a"),
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


def test_there_are_many_bad_definitions() -> None:
    assert len(BAD) >= 60


GOES: dict[str, set[str]] = {
    "trigger": {"trigger", "any"},
    "any": {"trigger", "any", "string", "number", "boolean", "object", "array", "records"},
    "string": {"any", "string"},
    "number": {"any", "number", "string"},
    "boolean": {"any", "boolean"},
    "object": {"any", "object"},
    "array": {"any", "array"},
    "records": {"any", "array", "records"},
}


@pytest.mark.parametrize("out", get_args(HandleType))
def test_a_handle_feeds_just_these(out: HandleType) -> None:
    fed = {into for into in get_args(HandleType) if fits(Handle("x", out), Handle("y", into))}
    assert fed == GOES[out]


def test_options_and_edges_without_effect_are_warnings() -> None:
    raw = workflow(
        step("a", "test:device", command="x", options={"on_error": "continue"}),
        step("o", "test:once"),
        edges=(*EDGE, "a.failure -> o", "a -> o"),
    )
    raw["nodes"][0]["data"]["options"] = {"disabled": True}
    verdict = validate(raw, CATALOGUE)
    assert verdict.valid
    assert [(fault["type"], fault["node_id"], fault["field"]) for fault in verdict.warnings] == [
        ("dead_option", "start", "options"),
        ("dead_edge", "a", "edges.a.failure -> o"),
    ]


def test_canvas_defaults_for_handles_mean_the_plain_ends() -> None:
    edge = {**line("start -> a"), "sourceHandle": "output", "targetHandle": "input"}
    assert validate({"nodes": workflow(DEVICE)["nodes"], "edges": [edge]}, CATALOGUE).valid
