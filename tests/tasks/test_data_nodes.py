"""data:transform, data:set-variable, check:assert, trigger:manual and the two that log."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from tasks import context
from tasks.check import AssertParams, check_assert
from tasks.context import NodeContext
from tasks.data import SetVariableParams, TransformParams, data_set_variable, data_transform
from tasks.debug import DebugLogParams, debug_log
from tasks.errors import NodeError
from tasks.notify import NotifyLogParams, notify_log
from tasks.trigger import ManualTriggerParams, trigger_manual

PORTS = [
    {"port": "1", "oper": {"link": "up"}, "speed": 1000},
    {"port": "2", "oper": {"link": "down"}, "speed": 100},
]


def transformed(**params: Any) -> Any:
    return data_transform(msgspec.convert({"expression": PORTS, **params}, TransformParams)).result["result"]


def test_an_expression_is_the_result_itself() -> None:
    assert transformed(expression=3) == 3


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"transform_type": "map", "field": "port"}, ["1", "2"]),
        ({"transform_type": "map", "field": "oper.link"}, ["up", "down"]),
        ({"transform_type": "map", "expression": [1, 2]}, [1, 2]),
        (
            {"transform_type": "filter", "field": "oper.link", "condition_type": "equals", "compare_value": "up"},
            PORTS[:1],
        ),
        (
            {"transform_type": "filter", "field": "speed", "condition_type": "less_than", "compare_value": 500},
            PORTS[1:],
        ),
        ({"transform_type": "filter", "expression": [0, 1, None, "x"]}, [1, "x"]),
        ({"transform_type": "pick", "fields": ["port"]}, [{"port": "1"}, {"port": "2"}]),
        ({"transform_type": "pick", "expression": PORTS[0], "fields": ["speed", "port"]}, {"speed": 1000, "port": "1"}),
    ],
)
def test_values_are_shaped_field_by_field(params: dict[str, Any], expected: Any) -> None:
    assert transformed(**params) == expected


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"transform_type": "map", "field": "colour"}, "there is no 'colour'"),
        ({"transform_type": "map", "field": "port.deeper"}, "there is no 'deeper'"),
        ({"transform_type": "map", "expression": "text"}, "is no array"),
        ({"transform_type": "filter", "expression": {"a": 1}}, "is no array"),
        ({"transform_type": "pick"}, "fields is empty"),
        ({"transform_type": "pick", "fields": ["colour"]}, "there is no 'colour'"),
        ({"transform_type": "pick", "expression": 5, "fields": ["port"]}, "there is no 'port' in 5"),
    ],
)
def test_a_shape_that_does_not_fit_is_told(params: dict[str, Any], words: str) -> None:
    with pytest.raises(NodeError, match=words) as raised:
        transformed(**params)
    assert raised.value.error_class == "validation"


def test_a_transform_that_does_not_exist_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="transform_type"):
        transformed(transform_type="reduce")


def test_a_variable_is_the_nodes_output_under_its_name() -> None:
    params = SetVariableParams(variable_name="uplink_1", value_expression=[1])
    assert data_set_variable(params).result == {"uplink_1": [1]}


@pytest.mark.parametrize("name", ["", "_hidden", "1st", "a-b", "a.b", "a b", "ä", "a\n", "x" * 101])
def test_a_name_that_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"variable_name": name, "value_expression": 1}, SetVariableParams)


def test_what_holds_passes() -> None:
    assert check_assert(AssertParams(condition=7)).result == {"value": 7}


@pytest.mark.parametrize("value", [False, 0, "", None, []])
def test_what_does_not_hold_fails_with_its_message(value: Any) -> None:
    with pytest.raises(NodeError, match=r"Too old \(the condition gave") as raised:
        check_assert(AssertParams(condition=value, fail_message="Too old"))
    assert raised.value.error_class == "validation"


def test_what_need_not_stop_goes_on_by_fail() -> None:
    told = check_assert(AssertParams(condition=0, stop_on_fail=False))
    assert (told.branch, told.failed, told.result) == ("fail", False, {"value": 0})  # type: ignore[attr-defined]
    assert check_assert(AssertParams(condition=1, stop_on_fail=False)).branch == "success"  # type: ignore[attr-defined]


def test_a_long_value_is_shown_in_short() -> None:
    with pytest.raises(NodeError) as raised:
        data_transform(TransformParams(transform_type="map", expression="x" * 500))
    assert "…" in str(raised.value)
    assert len(str(raised.value)) < 200


def test_a_start_by_hand_has_nothing_to_give() -> None:
    assert trigger_manual(NodeContext(), ManualTriggerParams()).result == {}


@pytest.fixture
def running() -> Iterator[None]:
    """Run as a node of an execution does."""
    before = context.current()
    execution = {"id": "e1", "workflow": "nightly", "host": "sw1"}
    context.enter(NodeContext(execution=execution, node_id="n7"))
    yield
    context.enter(before)


def log_once(level: str, message: str, value: Any) -> Any:
    return notify_log(
        NodeContext(), msgspec.convert({"level": level, "message": message, "value": value}, NotifyLogParams)
    )


def log_debug(level: str, message: str, value: Any) -> Any:
    return debug_log(msgspec.convert({"level": level, "message": message, "value": value}, DebugLogParams))


@pytest.mark.parametrize("log", [log_once, log_debug])
@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_a_message_is_logged_with_where_it_came_from(
    log: Callable[[str, str, Any], Any], level: str, running: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="opsconductor.workflow")
    result = log(level, "100% done", {"ports": 2})
    (record,) = caplog.records
    assert record.getMessage() == "100% done"
    assert record.levelname == level.upper()
    known = {name: vars(record)[name] for name in ("execution", "workflow", "host", "node", "value")}
    assert known == {"execution": "e1", "workflow": "nightly", "host": "sw1", "node": "n7", "value": {"ports": 2}}
    assert result.result == {"message": "100% done", "value": {"ports": 2}}


def test_a_message_outside_any_execution_is_logged_plainly(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="opsconductor.workflow")
    log_debug("info", "hello", None)
    assert "execution" not in vars(caplog.records[0])


@pytest.mark.parametrize("log", [log_once, log_debug])
def test_a_level_that_does_not_exist_is_refused(log: Callable[[str, str, Any], Any]) -> None:
    with pytest.raises(msgspec.ValidationError, match="level"):
        log("loud", "hello", None)
