"""flow:noop, flow:stop and flow:switch."""

import logging
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.flow import flow_noop, flow_stop, flow_switch
from tests.support.node_values import ANYTHING, JSON, NAMES, attempt, outputs, refusal, run


@given(ANYTHING)
def test_nothing_is_done_to_what_passes_through(value: Any) -> None:
    assert outputs(flow_noop, data=value)["data"] is value


def test_a_stop_is_a_failure_with_its_message() -> None:
    assert refusal(flow_stop, error_message="No uplink left") == ("validation", "No uplink left")
    assert refusal(flow_stop) == ("validation", "Workflow stopped")


@pytest.mark.parametrize("error_type", ["warning", "info"])
def test_a_stop_may_be_a_good_end_and_is_logged(error_type: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="opsconductor.workflow")
    given = outputs(flow_stop, error_message="Nothing to do, 100%", error_type=error_type)
    assert given == {"message": "Nothing to do, 100%"}
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        (error_type.upper(), "Nothing to do, 100%")
    ]


@pytest.mark.parametrize("params", [{"error_message": ""}, {"error_type": "fatal"}])
def test_a_stop_without_a_reason_is_refused(params: dict[str, str]) -> None:
    with pytest.raises(msgspec.ValidationError):
        run(flow_stop, **params)


PORT = {"name": "Gi0/1", "speed": 1000, "oper": {"link": "up"}}
FAST = {"field": "speed", "condition_type": "greater_than", "compare_value": 5000}
UP = {"field": "oper.link", "compare_value": "up", "label": "Link is up"}


def way(value: Any, *cases: dict[str, Any]) -> str:
    result = run(flow_switch, value=value, cases=list(cases))
    assert result.result == {}
    return str(result.branch)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("value", "cases", "expected"),
    [
        (PORT, [FAST, UP], "output_1"),
        (PORT, [UP, UP], "output_0"),
        (PORT, [FAST], "default"),
        ({}, [FAST, UP], "default"),
        (None, [{"condition_type": "is_empty"}], "output_0"),
        (7, [{"condition_type": "less_than", "compare_value": 5}, {"compare_value": "7"}], "output_1"),
        (7, [{"compare_value": number} for number in range(100)], "output_7"),
    ],
)
def test_the_first_rule_that_holds_shows_the_way(value: Any, cases: list[dict[str, Any]], expected: str) -> None:
    assert way(value, *cases) == expected


def test_a_rule_that_makes_no_sense_is_told() -> None:
    error_class, message = refusal(flow_switch, value={"speed": "fast"}, cases=[FAST])
    assert error_class == "validation"
    assert "cannot be ordered" in message


@pytest.mark.parametrize("cases", [[], [{}] * 101, [{"value": 1}], [{"condition_type": "like"}]])
def test_rules_that_are_none_are_refused(cases: Any) -> None:
    with pytest.raises(msgspec.ValidationError, match="cases"):
        run(flow_switch, value=1, cases=cases)


@given(ANYTHING, st.lists(st.tuples(NAMES | st.just(""), JSON), min_size=1, max_size=4))
def test_any_value_finds_a_way_that_is_there(value: Any, rules: list[tuple[str, Any]]) -> None:
    cases = [{"field": field, "compare_value": compared} for field, compared in rules]
    ways = {"default", *(f"output_{index}" for index in range(len(cases)))}
    assert way(value, *cases) in ways
    holding = [{**case, "condition_type": "contains"} for case in cases]
    told = attempt(lambda: way(value, *holding))
    assert told in ways or told.error_class == "validation"
