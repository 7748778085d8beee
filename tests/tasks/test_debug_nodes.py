"""data:debug, debug:comment, debug:get-variable and debug:execution-data."""

import logging
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given

from tasks import context
from tasks.context import NodeContext
from tasks.debug import data_debug, debug_comment, debug_execution_data, debug_get_variable
from tests.support.node_values import ANYTHING, assert_survives, outputs, refusal, run

EXECUTION = {"id": "e1", "started_by": "ada", "dry_run": False, "created_at": "2026-01-02T03:04:05Z"}
WORKFLOW = {"id": "w1", "name": "nightly", "version": 3}


@pytest.fixture
def running() -> Iterator[None]:
    """Run as a node of an execution on a host does."""
    before = context.current()
    context.enter(NodeContext(execution={"id": "e1", "host": "sw1"}, node_id="n7"))
    yield
    context.enter(before)


def facts(*names: str, **places: Any) -> Any:
    include = {"include": list(names)} if names else {}
    given = {"execution": EXECUTION, "workflow": WORKFLOW, "trigger": {"body": 1}, **include, **places}
    return outputs(debug_execution_data, **given)["execution"]


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_a_value_is_shown_and_handed_on(level: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="opsconductor.workflow")
    value = {"ports": [1]}
    assert outputs(data_debug, data=value, label="After 100%", level=level) == {"data": value, "label": "After 100%"}
    (record,) = caplog.records
    assert (record.getMessage(), record.levelname, vars(record)["value"]) == ("After 100%", level.upper(), value)


def test_a_value_may_be_kept_out_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="opsconductor.workflow")
    assert outputs(data_debug, data=5, log_to_console=False) == {"data": 5, "label": "Debug Point"}
    assert caplog.records == []


def test_a_comment_does_nothing() -> None:
    result = run(debug_comment, title="Why", content="Because", color="red")
    assert (result.result, result.failed, result.changed) == ({}, False, False)
    with pytest.raises(msgspec.ValidationError, match="color"):
        run(debug_comment, color="plaid")


def test_a_variable_is_taken_by_its_name() -> None:
    variables = {"site": "A", "nothing": None}
    for name, value in variables.items():
        given = outputs(debug_get_variable, variable_name=name, variables=variables, optional=True, default_value=9)
        assert given == {"value": value, "is_set": True}


def test_a_variable_that_is_not_set_fails_unless_it_is_optional() -> None:
    error_class, message = refusal(debug_get_variable, variable_name="sight", variables={"site": "A", "b": 1})
    assert error_class == "validation"
    assert message.startswith("There is no variable 'sight'; there is b, site.")
    assert "there is none" in refusal(debug_get_variable, variable_name="sight", variables={})[1]
    given = outputs(debug_get_variable, variable_name="sight", variables={}, optional=True, default_value=[1])
    assert given == {"value": [1], "is_set": False}


def test_variables_are_an_object_with_names() -> None:
    assert "variables gave [1], which is no object" in refusal(debug_get_variable, variable_name="a", variables=[1])[1]
    with pytest.raises(msgspec.ValidationError, match="variable_name"):
        run(debug_get_variable, variable_name="", variables={})


def test_an_execution_tells_its_facts(running: None) -> None:
    assert facts() == {"execution_id": "e1", "workflow_id": "w1", "started_at": "2026-01-02T03:04:05Z"}
    assert facts("workflow_name", "workflow_version", "started_by", "dry_run", "current_node", "host", "trigger") == {
        "workflow_name": "nightly",
        "workflow_version": 3,
        "started_by": "ada",
        "dry_run": False,
        "current_node": "n7",
        "host": "sw1",
        "trigger": {"body": 1},
    }


def test_facts_that_are_not_known_are_null() -> None:
    assert facts("execution_id", "host", "current_node", execution={}) == {
        "execution_id": None,
        "host": None,
        "current_node": None,
    }


@pytest.mark.parametrize("include", [[], ["password"], ["host"] * 21])
def test_facts_that_are_none_are_refused(include: list[str]) -> None:
    with pytest.raises(msgspec.ValidationError, match="include"):
        run(debug_execution_data, include=include, execution={}, workflow={}, trigger={})


@pytest.mark.parametrize("parameter", ["execution", "workflow"])
def test_facts_are_looked_for_in_objects(parameter: str) -> None:
    given = {"execution": {}, "workflow": {}, "trigger": {}, parameter: "text"}
    error_class, message = refusal(debug_execution_data, **given)
    assert error_class == "validation"
    assert f"{parameter} gave 'text', which is no object" in message


@given(ANYTHING)
def test_whatever_comes_in_is_shown_or_refused(value: Any) -> None:
    assert_survives(data_debug, data=value, log_to_console=False)
    assert_survives(debug_get_variable, variable_name="x", variables=value, default_value=value)
    assert_survives(debug_execution_data, execution=value, workflow=value, trigger=value)
