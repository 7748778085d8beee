"""Items, their fields and bounds, their order, and what is asked of them."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import context, items
from tasks.context import NodeContext
from tasks.errors import NodeError
from tasks.items import (
    MISSING,
    bounded,
    find,
    going_through,
    items_of,
    number_of,
    objects_of,
    required,
    text_of,
    value_at,
)
from tasks.ordering import identity, is_nothing, rank
from tasks.rules import Rule, fits
from tests.support.node_values import ANYTHING, JSON, attempt

PORT = {"name": "1", "oper": {"link": "up", "none": None}, "oper.speed": 10, "unit.1": {"x": 1}}


@pytest.fixture
def running() -> Iterator[list[bool]]:
    """Run as a node of an execution that can be cancelled does."""
    before, cancelled = context.current(), [False]
    context.enter(NodeContext(cancelled=lambda: cancelled[0]))
    yield cancelled
    context.enter(before)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("name", "1"),
        ("oper.link", "up"),
        ("oper.none", None),
        ("oper.speed", 10),
        ("unit.1", {"x": 1}),
        ("", PORT),
        ("*", PORT),
        ("colour", MISSING),
        ("oper.colour", MISSING),
        ("name.first", MISSING),
        ("unit.1.x", MISSING),
    ],
)
def test_a_path_leads_to_a_field_or_nowhere(path: str, expected: Any) -> None:
    assert find(PORT, path) is expected or find(PORT, path) == expected
    assert value_at(PORT, path) == (None if expected is MISSING else expected)


def test_a_field_that_must_be_there_is_asked_for_by_name() -> None:
    assert required(PORT, "oper.link", "items[0]") == "up"
    with pytest.raises(NodeError, match=r"items\[0\] has no 'colour': it is \{'name': '1'"):
        required(PORT, "colour", "items[0]")


@pytest.mark.parametrize("value", [None, "text", 5, {"a": 1}, b"x"])
def test_what_is_no_array_has_no_items(value: Any) -> None:
    with pytest.raises(NodeError, match=r"rows gave .*, which is no array") as raised:
        items_of(value, "rows")
    assert raised.value.error_class == "validation"


def test_arrays_and_tuples_have_items_and_the_given_one_stays_as_it_is() -> None:
    array = [3, 1]
    items_of(array).sort()
    assert array == [3, 1]
    assert items_of((1, 2)) == [1, 2]


def test_too_many_items_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "MOST_ITEMS", 2)
    assert items_of([1, 2]) == [1, 2]
    with pytest.raises(NodeError, match="rows holds 3 items, and at most 2 are taken"):
        items_of([1, 2, 3], "rows")


def test_an_item_that_is_no_object_is_named() -> None:
    assert objects_of([{"a": 1}]) == [{"a": 1}]
    with pytest.raises(NodeError, match=r"rows\[1\] is 5, which is no object"):
        objects_of([{}, 5], "rows")


def test_only_a_text_that_is_not_too_long_is_a_text() -> None:
    assert text_of("abc", "source", 3) == "abc"
    with pytest.raises(NodeError, match="source gave 5, which is no text"):
        text_of(5, "source")
    with pytest.raises(NodeError, match="source gave 4 characters, and at most 3 are taken"):
        text_of("abcd", "source", 3)


def test_going_through_items_ends_when_the_execution_is_cancelled(running: list[bool]) -> None:
    items_left = going_through([1, 2, 3])
    assert next(items_left) == 1
    running[0] = True
    with pytest.raises(NodeError) as raised:
        next(items_left)
    assert raised.value.error_class == "cancelled"


def test_going_through_items_ends_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "LONGEST_S", -1.0)
    with pytest.raises(NodeError, match="took over") as raised:
        list(going_through([1]))
    assert raised.value.error_class == "timeout"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5), (2.5, 2.5), ("5", 5), (" -2.50 ", -2.5), ("+.5", 0.5), ("1e3", 1000.0), ("5.", 5.0),
        (True, None), (None, None), ("", None), ("ten", None), ("nan", None), ("inf", None), ("1e999", None),
        ("1_000", None), ("0x10", None), ("٣", None), ("1" * 101, None), (float("nan"), None),
        (float("inf"), None), ([1], None),
    ],
)  # fmt: skip
def test_a_number_is_finite_and_may_be_spelled(value: Any, expected: Any) -> None:
    assert number_of(value) == expected
    assert type(number_of(value)) is type(expected)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_what_is_nested_too_deep_is_refused() -> None:
    assert bounded(nested(items.DEEPEST), "result") == nested(items.DEEPEST)
    with pytest.raises(NodeError, match="result is nested deeper than 100 levels"):
        bounded(nested(items.DEEPEST + 1), "result")
    for compare in (identity, rank):
        with pytest.raises(NodeError, match="nested deeper than 100 levels"):
            compare(nested(items.DEEPEST + 5))


def test_what_holds_too_much_is_refused_as_often_as_it_would_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "HEAVIEST", 1000)
    text, shared = "x" * 300, {"text": "y" * 300}
    assert bounded([text, text, {"a": 1}], "result")
    for heavy in ([text] * 4, [shared] * 4, {text: 1, "a": [shared, shared, shared]}):
        with pytest.raises(NodeError, match="result would hold more than 1000"):
            bounded(heavy, "result")


@given(ANYTHING)
def test_everything_is_identical_to_itself_alone(value: Any) -> None:
    assert identity(value) == identity(value)
    assert hash(identity(value)) == hash(identity(value))
    assert identity([value]) != identity(value)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True), (1, True, False), (0, False, False), (1, "1", False), ("", None, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True), ([1, 2], [2, 1], False), ([1], (1,), True),
        (float("nan"), float("nan"), True), ([], {}, False), ({"a": None}, {}, False),
    ],
)  # fmt: skip
def test_what_is_the_same_is_told_by_kind(one: Any, other: Any, same: bool) -> None:
    assert (identity(one) == identity(other)) is same


@given(st.lists(ANYTHING.filter(lambda value: not is_nothing(value)), max_size=8), st.booleans(), st.booleans())
def test_any_values_have_an_order(values: list[Any], case_sensitive: bool, natural: bool) -> None:
    ordered = sorted(values, key=lambda value: rank(value, case_sensitive=case_sensitive, natural=natural))
    assert len(ordered) == len(values)


def test_digits_in_texts_count_as_numbers_however_many_they_are() -> None:
    names = ["Gi0/10", "gi0/2", "Gi0/1", "Gi0/" + "9" * 5000, "Gi0/02"]
    assert sorted(names, key=rank) == ["Gi0/1", "gi0/2", "Gi0/02", "Gi0/10", "Gi0/" + "9" * 5000]
    assert sorted(names[:3], key=lambda name: rank(name, natural=False)) == ["Gi0/1", "Gi0/10", "gi0/2"]
    assert sorted(["b", "A", "a"], key=lambda name: rank(name, case_sensitive=True)) == ["A", "a", "b"]


@pytest.mark.parametrize("condition", ["greater_than", "less_than", "contains", "matches"])
def test_nothing_is_neither_large_nor_small_nor_full(condition: Any) -> None:
    assert not fits({"a": None}, Rule(field="a", condition_type=condition, compare_value=1))
    assert not fits({}, Rule(field="a", condition_type=condition, compare_value="."))


def test_nothing_is_empty_and_equals_nothing() -> None:
    assert fits({}, Rule(field="a", condition_type="is_empty"))
    assert fits({}, Rule(field="a"))
    assert fits({}, Rule(field="a", condition_type="not_equals", compare_value=1))


def test_a_comparison_that_makes_no_sense_is_told() -> None:
    with pytest.raises(NodeError, match=r"cannot be asked whether it contains \[1\]"):
        fits({"a": {"b": 1}}, Rule(field="a", condition_type="contains", compare_value=[1]))


@given(JSON, JSON, st.sampled_from(["expression", "equals", "greater_than", "less_than", "contains", "is_empty"]))
def test_any_value_can_be_asked(item: Any, compared: Any, condition: Any) -> None:
    answer = attempt(lambda: fits(item, Rule(condition_type=condition, compare_value=compared)))
    assert isinstance(answer, bool) or answer.error_class == "validation"
