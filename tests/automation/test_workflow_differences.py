"""What two versions are said to differ in: nodes, edges, settings, and apart from them what was moved."""

from copy import deepcopy
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from app.automation.workflows.differences import compare, equal
from tests.support.graphs import step, workflow

NOTHING: dict[str, Any] = {
    "nodes": {"added": [], "removed": [], "changed": []},
    "edges": {"added": [], "removed": []},
    "settings": [],
    "moved": [],
}
BASE = workflow(
    step("a", "ssh:command", "Read", command="show version", options={"retries": 1}),
    step("b", "logic:switch", cases=[{"value": 1}, {"value": 2}]),
    edges=("start -> a", "a.failure -> b"),
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats(0, 1) | st.sampled_from(["", "a", "b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=8,
)


def told(old: dict[str, Any], new: dict[str, Any], *settings: dict[str, Any]) -> dict[str, Any]:
    """Compare two definitions, perhaps with settings each, and return the answer as JSON has it."""
    old_settings, new_settings = settings or ({}, {})
    before, after = {"definition": old, "settings": old_settings}, {"definition": new, "settings": new_settings}
    answer: dict[str, Any] = msgspec.to_builtins(compare(before, after))
    return answer


def parameters(value: Any) -> dict[str, Any]:
    """Return a definition of one node with a value among its parameters."""
    return workflow(step("a", "flow:noop", value=value, other=1))


def paths(changes: dict[str, Any]) -> set[str]:
    """Return the paths of all changed fields."""
    return {field["path"] for node in changes["nodes"]["changed"] for field in node["fields"]}


def test_the_same_twice_differs_in_nothing() -> None:
    assert told(BASE, deepcopy(BASE)) == NOTHING


def test_a_moved_node_is_no_change() -> None:
    moved = deepcopy(BASE)
    moved["nodes"][1]["position"] = {"x": 5, "y": 7}
    moved["nodes"][2]["width"] = 120
    moved["viewport"] = {"x": 1, "y": 2, "zoom": 3}
    assert told(BASE, moved) == {**NOTHING, "moved": [{"id": "a", "old": {"x": 0, "y": 0}, "new": {"x": 5, "y": 7}}]}


def test_changed_fields_are_told_by_their_paths_with_old_and_new() -> None:
    changed = deepcopy(BASE)
    one, switch = changed["nodes"][1]["data"], changed["nodes"][2]["data"]
    one["parameters"] = {"command": "show clock", "timeout": 5}
    one["options"] = {}
    one["label"] = "Look"
    switch["parameters"]["cases"] = [{"value": 1}, {"value": True}, {"value": 3}]
    changes = told(BASE, changed)["nodes"]["changed"]
    assert [change["id"] for change in changes] == ["a", "b"]
    assert sorted(changes[0]["fields"], key=lambda field: str(field["path"])) == [
        {"path": "label", "old": "Read", "new": "Look"},
        {"path": "options", "old": {"retries": 1}},
        {"path": "parameters.command", "old": "show version", "new": "show clock"},
        {"path": "parameters.timeout", "new": 5},
    ]
    assert changes[1]["fields"] == [
        {"path": "parameters.cases[1].value", "old": 2, "new": True},
        {"path": "parameters.cases[2]", "new": {"value": 3}},
    ]


def test_nodes_and_edges_come_and_go() -> None:
    fewer = workflow(BASE["nodes"][1], edges=("start -> a",))
    assert told(BASE, fewer) == {
        **NOTHING,
        "nodes": {"added": [], "removed": [{"id": "b", "node_type": "logic:switch", "label": ""}], "changed": []},
        "edges": {
            "added": [],
            "removed": [{"source": "a", "source_handle": "failure", "target": "b", "target_handle": ""}],
        },
    }
    assert told(fewer, BASE)["nodes"]["added"] == [{"id": "b", "node_type": "logic:switch", "label": ""}]
    assert [edge["target"] for edge in told(fewer, BASE)["edges"]["added"]] == ["b"]


def test_an_edge_is_the_same_whatever_its_id_and_however_the_plain_handles_are_called() -> None:
    renamed = deepcopy(BASE)
    renamed["edges"][0] |= {"id": "another", "sourceHandle": "trigger", "targetHandle": "input"}
    assert told(BASE, renamed) == NOTHING


def test_settings_are_compared_with_their_defaults() -> None:
    changes = told(BASE, BASE, {"waves": [1], "max_failed": 2}, {"waves": [1, "rest"], "concurrency": None})
    assert changes["settings"] == [
        {"path": "max_failed", "old": 2, "new": None},
        {"path": "waves[1]", "new": "rest"},
    ]


@given(old=values, new=values)
def test_no_difference_is_told_exactly_where_there_is_none(old: Any, new: Any) -> None:
    changes = told(parameters(old), parameters(new))
    assert (changes == NOTHING) == equal(old, new)
    back = told(parameters(new), parameters(old))
    assert paths(changes) == paths(back)


def test_true_is_not_one_and_one_is_one_point_zero() -> None:
    assert equal({"a": [1, "x", None]}, {"a": [1.0, "x", None]})
    assert not equal([1], [True])
    assert not equal({"a": 0}, {"a": False})
    assert not equal({"a": None}, {})
