"""data:transform and transform:code with expressions of their own, in the sandbox that workflows have."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec
import pytest

from app.automation.workflows.parameters import evaluate_beside
from tasks import context, items
from tasks.context import NodeContext
from tasks.data import TransformParams, data_transform
from tasks.errors import NodeError
from tasks.evaluation import collected
from tasks.scripts import ScriptError, Statement, read_script
from tasks.transform_code import CodeParams, transform_code
from tasks.transform_fields import SetFieldsParams, transform_set_fields

PORTS: list[dict[str, Any]] = [
    {"name": "Gi0/1", "speed": 1000, "up": True},
    {"name": "Gi0/2", "speed": 100, "up": False},
]
SCOPE = {"variables": {"site": "ber", "least": 500}, "input": {"data": PORTS}}


@pytest.fixture(autouse=True)
def _in_a_workflow() -> Iterator[None]:
    """Run as a node of a workflow, whose expressions are evaluated beside its scope."""
    before = context.current()
    context.enter(NodeContext(evaluate=partial(evaluate_beside, SCOPE)))
    yield
    context.enter(before)


def transformed(**given: Any) -> Any:
    return data_transform(msgspec.convert({"expression": PORTS, **given}, TransformParams)).result["result"]


def coded(code: str, **given: Any) -> Any:
    return transform_code(msgspec.convert({"items": PORTS, "code": code, **given}, CodeParams)).result["items"]


@pytest.mark.parametrize(
    ("kind", "expression", "expected"),
    [
        ("map", "item.name ~ '@' ~ variables.site", ["Gi0/1@ber", "Gi0/2@ber"]),
        ("map", "{{ item.speed * 2 }}", [2000, 200]),
        ("map", "[index, items | length]", [[0, 2], [1, 2]]),
        ("filter", "item.speed >= variables.least", PORTS[:1]),
        ("filter", "not item.up", PORTS[1:]),
        ("filter", "false", []),
    ],
)  # fmt: skip
def test_an_expression_is_evaluated_for_each_item(kind: str, expression: str, expected: Any) -> None:
    assert transformed(transform_type=kind, item_expression=expression) == expected


@pytest.mark.parametrize(
    ("expression", "error_class", "words"),
    [
        ("item.duplex", "expression", r"items\[0\]: there is no 'duplex'"),
        ("nobody", "expression", "'nobody' is undefined"),
        ("item.name +", "expression", "not well formed"),
        ("item.__class__", "expression", "__class__"),
        ("'a' * 2000000", "expression", "Refused"),
    ],
)
def test_an_expression_that_fails_names_the_item(expression: str, error_class: str, words: str) -> None:
    with pytest.raises(NodeError, match=words) as raised:
        transformed(transform_type="map", item_expression=expression)
    assert raised.value.error_class == error_class


def fields_set(expression: str, **given: Any) -> Any:
    params = {"items": PORTS, "mode": "expression", "item_expression": expression, **given}
    return transform_set_fields(msgspec.convert(params, SetFieldsParams)).result["items"]


def test_fields_are_set_by_an_expression_for_each_item() -> None:
    expression = "{'label': item.name ~ '/' ~ index}"
    labels = [{"label": f"{port['name']}/{place}"} for place, port in enumerate(PORTS)]
    assert fields_set(expression, keep_only_set=True) == labels
    assert fields_set(expression) == [{**port, **label} for port, label in zip(PORTS, labels, strict=True)]
    assert fields_set(expression, items=PORTS[0]) == {**PORTS[0], **labels[0]}
    assert fields_set(expression, items=[]) == []


def test_what_sets_fields_has_to_be_an_object() -> None:
    with pytest.raises(NodeError, match=r"item_expression\[0\] is 'Gi0/1', which is no object"):
        fields_set("item.name")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("items | length", 2),
        ("fast = items | selectattr('speed', 'gt', 500) | list\nfast | map(attribute='name') | list", ["Gi0/1"]),
        ("# how many\n\ntotal = items | sum(attribute='speed')\nmean = total / (items | length)\nmean", 550.0),
        ("{'site': variables.site,\n  'ports': items | length}", {"site": "ber", "ports": 2}),
        ("answer = {{ items | length }} + 1", 3),
        ("items[0].up == true", True),
    ],
)
def test_code_sees_all_items_at_once(code: str, expected: Any) -> None:
    assert coded(code) == expected


def test_code_runs_for_each_item() -> None:
    code = "label = item.name ~ '/' ~ index\ndict(item, label=label)"
    expected = [{**port, "label": f"{port['name']}/{place}"} for place, port in enumerate(PORTS)]
    assert coded(code, mode="run_once_each_item") == expected
    assert coded("item", mode="run_once_each_item", items=[]) == []


@pytest.mark.parametrize(
    ("code", "mode", "error_class", "words"),
    [
        ("a = 1\na / 0", "run_once_all_items", "expression", "line 2: ZeroDivisionError"),
        ("item.name", "run_once_all_items", "expression", "line 1: 'item' is undefined"),
        ("item.nowhere", "run_once_each_item", "expression", r"items\[0\]: line 1: there is no 'nowhere'"),
        ("later\nlater = 1", "run_once_all_items", "expression", "'later' is undefined"),
        ("# nothing", "run_once_all_items", "validation", "nothing to do"),
        ("items = 5", "run_once_all_items", "validation", "would replace 'items'"),
        ("import os", "run_once_all_items", "expression", "not well formed"),
        ("().__class__.__mro__", "run_once_all_items", "expression", "__class__"),
    ],
)
def test_code_that_fails_names_the_line(code: str, mode: str, error_class: str, words: str) -> None:
    with pytest.raises(NodeError, match=words) as raised:
        coded(code, mode=mode)
    assert raised.value.error_class == error_class


@pytest.mark.parametrize("given", ["text", {"a": 1}, None])
def test_code_takes_an_array(given: Any) -> None:
    with pytest.raises(NodeError, match="is no array"):
        coded("items", items=given)


def test_what_is_collected_stops_as_soon_as_it_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.evaluation.HEAVIEST", 10)
    with pytest.raises(NodeError, match="hold more than 10"):
        list(collected(iter(["x" * 6] * 1000), "result"))
    assert list(collected(["x", "y"], "result")) == ["x", "y"]


def test_going_through_items_ends_in_time_and_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "LONGEST_S", -1)
    with pytest.raises(NodeError) as raised:
        coded("item", mode="run_once_each_item")
    assert raised.value.error_class == "timeout"
    context.enter(NodeContext(cancelled=lambda: True, evaluate=partial(evaluate_beside, SCOPE)))
    with pytest.raises(NodeError) as raised:
        transformed(transform_type="map", item_expression="item")
    assert raised.value.error_class == "cancelled"


def test_outside_a_workflow_nothing_is_evaluated() -> None:
    context.enter(NodeContext())
    with pytest.raises(NodeError, match="Nothing evaluates expressions here") as raised:
        transformed(transform_type="map", item_expression="item")
    assert raised.value.error_class == "unsupported"


def test_a_script_is_read_line_by_line() -> None:
    script = "# first\na = items |\n    length\n\nb == a\nc=a"
    assert read_script(script) == [
        Statement(2, "a", "items | length"),
        Statement(5, None, "b == a"),
        Statement(6, "c", "a"),
    ]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("", "nothing to do"),
        ("a =", "Line 1 gives 'a' no value"),
        ("1\nindex = 2", "Line 2"),
        ("1\n" * 101, "101 lines"),
    ],
)
def test_a_script_that_cannot_be_read_is_told(code: str, words: str) -> None:
    with pytest.raises(ScriptError, match=words):
        read_script(code)
