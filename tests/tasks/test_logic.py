"""logic:if, logic:switch, logic:merge and the conditions they and data:transform ask."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.conditions import ConditionType, holds, is_empty, is_equal
from tasks.errors import NodeError
from tasks.logic import IfParams, MergeParams, SwitchCase, SwitchParams, logic_if, logic_merge, logic_switch

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)


def branch(condition: ConditionType, value: Any, compare_value: Any = None) -> str:
    params = IfParams(condition_type=condition, expression=value, compare_value=compare_value)
    return str(logic_if(params).branch)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("condition", "value", "compare_value", "expected"),
    [
        ("expression", True, None, "true"),
        ("expression", [], None, "false"),
        ("equals", "up", "up", "true"),
        ("equals", "up", "UP", "false"),
        ("equals", 5, "5", "true"),
        ("equals", 5, "5.0", "true"),
        ("equals", True, "true", "true"),
        ("equals", True, 1, "false"),
        ("equals", "true", "yes", "false"),
        ("equals", [1, 2], [1, 2], "true"),
        ("equals", None, None, "true"),
        ("equals", None, "", "false"),
        ("not_equals", "up", "down", "true"),
        ("not_equals", 5, "5", "false"),
        ("greater_than", 10, "9", "true"),
        ("greater_than", "10", "9", "true"),
        ("greater_than", 9, 9, "false"),
        ("greater_than", "b", "a", "true"),
        ("less_than", 1.5, 2, "true"),
        ("less_than", 2, 2, "false"),
        ("contains", "GigabitEthernet0/1", "Ethernet", "true"),
        ("contains", "abc", 1, "false"),
        ("contains", [1, 2, "3"], "2", "true"),
        ("contains", {"up": 1}, "up", "true"),
        ("contains", {"up": 1}, "down", "false"),
        ("matches", "Gi0/12", r"^Gi\d/\d+$", "true"),
        ("matches", 15, r"^1\d$", "true"),
        ("matches", "Te0/1", r"^Gi", "false"),
        ("is_empty", "  ", None, "true"),
        ("is_empty", None, None, "true"),
        ("is_empty", {}, None, "true"),
        ("is_empty", 0, None, "false"),
        ("is_empty", False, None, "false"),
        ("is_not_empty", [0], None, "true"),
        ("is_not_empty", [], None, "false"),
    ],
)
def test_if_takes_the_branch_of_its_condition(
    condition: ConditionType, value: Any, compare_value: Any, expected: str
) -> None:
    assert branch(condition, value, compare_value) == expected


@pytest.mark.parametrize(
    ("condition", "value", "compare_value", "words"),
    [
        ("greater_than", "ten", 9, "cannot be ordered"),
        ("less_than", None, 1, "cannot be ordered"),
        ("greater_than", True, False, "cannot be ordered"),
        ("contains", 5, 5, "contains nothing"),
        ("matches", "x", "(", "no regular expression"),
        ("matches", "x", None, "must be a regular expression"),
        ("matches", "x", "a" * 1001, "at most 1000"),
    ],
)
def test_values_that_cannot_be_compared_so_are_told(
    condition: ConditionType, value: Any, compare_value: Any, words: str
) -> None:
    with pytest.raises(NodeError, match=words) as raised:
        branch(condition, value, compare_value)
    assert raised.value.error_class == "validation"


def test_a_regular_expression_that_never_ends_is_stopped() -> None:
    with pytest.raises(NodeError, match="took over 1 s") as raised:
        branch("matches", "a" * 60 + "b", r"^(a|a)*$")
    assert raised.value.error_class == "expression"


@given(SCALARS)
def test_everything_equals_itself_and_its_text(value: Any) -> None:
    assert is_equal(value, value)
    if isinstance(value, int):
        assert is_equal(value, str(value))


@given(SCALARS, SCALARS)
def test_equality_has_two_sides_and_inequality_is_its_opposite(one: Any, other: Any) -> None:
    assert is_equal(one, other) == is_equal(other, one)
    assert holds("equals", one, other) != holds("not_equals", one, other)


@given(SCALARS | st.lists(st.integers()))
def test_a_value_is_empty_or_not(value: Any) -> None:
    assert is_empty(value) != holds("is_not_empty", value, None)


def switch(value: Any, *cases: Any) -> str:
    params = SwitchParams(switch_value=value, cases=[SwitchCase(value=case) for case in cases])
    return str(logic_switch(params).branch)  # type: ignore[attr-defined]


def test_switch_takes_the_first_case_that_fits() -> None:
    assert switch("b", "a", "b", "b") == "case_1"
    assert switch(2, "1", "2") == "case_1"
    assert switch("zz", *map(str, range(50)), "zz") == "case_50"


def test_switch_takes_default_where_no_case_fits() -> None:
    assert switch("c", "a", "b") == "default"


@pytest.mark.parametrize("cases", [[], [{"label": "no value"}], [{"value": 1, "colour": "red"}], "a"])
def test_bad_cases_are_refused(cases: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"switch_value": 1, "cases": cases}, SwitchParams)


def test_merge_passes_on_what_came_in() -> None:
    assert logic_merge(MergeParams(data=[1, {"a": 2}])).result == {"data": [1, {"a": 2}]}
    assert logic_merge(MergeParams(data="one")).result == {"data": ["one"]}


def test_merge_waits_for_all_and_knows_no_other_mode() -> None:
    assert msgspec.convert({}, MergeParams).mode == "wait_all"
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"mode": "some"}, MergeParams)
