"""transform:limit, transform:sort, transform:filter and transform:remove-duplicates."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.ordering import is_nothing
from tasks.transform_selection import (
    transform_filter,
    transform_limit,
    transform_remove_duplicates,
    transform_sort,
)
from tests.support.node_values import ANYTHING, NAMES, RECORDS, assert_survives, outputs, refusal, run

PORTS: list[dict[str, Any]] = [
    {"name": "Gi0/10", "speed": 1000, "oper": {"link": "up"}},
    {"name": "Gi0/2", "speed": "100", "oper": {"link": "down"}},
    {"name": "gi0/1", "speed": None},
    {"name": "Te0/1", "speed": 10_000, "oper": {"link": "up"}},
]
DIRECTIONS = st.sampled_from(["asc", "desc"])


def names(items: list[dict[str, Any]]) -> list[str]:
    return [item["name"] for item in items]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"max_items": 2}, [0, 1]),
        ({"max_items": 2, "offset": 3}, [3, 4]),
        ({"max_items": 100_000, "offset": 9}, []),
    ],
)
def test_items_are_limited(params: dict[str, int], expected: list[int]) -> None:
    assert outputs(transform_limit, items=[0, 1, 2, 3, 4], **params) == {"items": expected, "total": 5}


@pytest.mark.parametrize("params", [{"max_items": 0}, {"max_items": 100_001}, {"offset": -1}, {"max_items": "many"}])
def test_a_limit_that_is_none_is_refused(params: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        run(transform_limit, items=[], **params)


@pytest.mark.parametrize("node", [transform_limit, transform_remove_duplicates])
def test_only_arrays_are_selected_from(node: Any) -> None:
    assert refusal(node, items={"a": 1})[0] == "validation"


@pytest.mark.parametrize(
    ("sort_fields", "more", "expected"),
    [
        ([{"field": "name"}], {}, ["gi0/1", "Gi0/2", "Gi0/10", "Te0/1"]),
        ([{"field": "name", "direction": "desc"}], {}, ["Te0/1", "Gi0/10", "Gi0/2", "gi0/1"]),
        ([{"field": "name"}], {"natural": False}, ["gi0/1", "Gi0/10", "Gi0/2", "Te0/1"]),
        ([{"field": "name"}], {"case_sensitive": True}, ["Gi0/2", "Gi0/10", "Te0/1", "gi0/1"]),
        ([{"field": "speed"}], {}, ["Gi0/10", "Te0/1", "Gi0/2", "gi0/1"]),
        ([{"field": "speed", "direction": "desc"}], {}, ["Gi0/2", "Te0/1", "Gi0/10", "gi0/1"]),
        ([{"field": "oper.link"}, {"field": "name"}], {}, ["Gi0/2", "Gi0/10", "Te0/1", "gi0/1"]),
        (
            [{"field": "oper.link", "direction": "desc"}, {"field": "name", "direction": "desc"}],
            {},
            ["Te0/1", "Gi0/10", "Gi0/2", "gi0/1"],
        ),
        ([{"field": "colour"}], {}, ["Gi0/10", "Gi0/2", "gi0/1", "Te0/1"]),
    ],
)
def test_items_are_ordered_by_their_fields(
    sort_fields: list[dict[str, str]], more: dict[str, bool], expected: list[str]
) -> None:
    assert names(outputs(transform_sort, items=PORTS, sort_fields=sort_fields, **more)["items"]) == expected


def test_items_themselves_are_ordered_numbers_first_and_nothing_last() -> None:
    mixed = [None, "b", 3, [1], "a10", True, 1.5, {"x": 1}, "a9", float("nan")]
    ordered = outputs(transform_sort, items=mixed, sort_fields=[{}])["items"]
    assert ordered[:-1] == [1.5, 3, "a9", "a10", "b", True, [1], {"x": 1}, None]


@pytest.mark.parametrize(
    "sort_fields", [[], [{"direction": "up"}], [{"field": "a", "more": 1}], [{"field": "x" * 201}], [{}] * 21]
)
def test_an_order_that_is_none_is_refused(sort_fields: Any) -> None:
    with pytest.raises(msgspec.ValidationError, match="sort_fields"):
        run(transform_sort, items=[], sort_fields=sort_fields)


UP = {"field": "oper.link", "compare_value": "up"}
FAST = {"field": "speed", "condition_type": "greater_than", "compare_value": 5000}


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"conditions": [UP]}, ["Gi0/10", "Te0/1"]),
        ({"conditions": [UP, FAST]}, ["Te0/1"]),
        ({"conditions": [{**UP, "compare_value": "down"}, FAST], "combine": "or"}, ["Gi0/2", "Te0/1"]),
        ({"conditions": [{"field": "oper", "condition_type": "is_empty"}]}, ["gi0/1"]),
        ({"conditions": [{"field": "name", "condition_type": "matches", "compare_value": "(?i)^gi"}]},
         ["Gi0/10", "Gi0/2", "gi0/1"]),
        ({"conditions": [{"field": "speed", "condition_type": "expression"}]}, ["Gi0/10", "Gi0/2", "Te0/1"]),
    ],
)  # fmt: skip
def test_items_are_sorted_out_by_conditions(params: dict[str, Any], expected: list[str]) -> None:
    given: dict[str, Any] = outputs(transform_filter, items=PORTS, **params)
    assert names(given["matched_items"]) == expected
    assert names(given["unmatched_items"]) == [name for name in names(PORTS) if name not in expected]


def test_a_filter_goes_on_by_whether_anything_matched() -> None:
    assert run(transform_filter, items=PORTS, conditions=[UP]).branch == "matched"  # type: ignore[attr-defined]
    for items in (PORTS[1:3], []):
        assert run(transform_filter, items=items, conditions=[UP]).branch == "unmatched"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("items", "condition", "words"),
    [
        ([{"a": "x"}], {"condition_type": "greater_than", "field": "a", "compare_value": 5}, "cannot be ordered"),
        ([5], {"condition_type": "contains", "compare_value": 5}, "contains nothing"),
        (["x"], {"condition_type": "matches", "compare_value": "("}, "no regular expression"),
        ("text", UP, "is no array"),
    ],
)
def test_a_condition_that_makes_no_sense_is_told(items: Any, condition: dict[str, Any], words: str) -> None:
    error_class, message = refusal(transform_filter, items=items, conditions=[condition])
    assert error_class == "validation"
    assert words in message


@pytest.mark.parametrize("params", [{"conditions": []}, {"conditions": [UP], "combine": "xor"}, {}])
def test_a_filter_without_a_condition_is_refused(params: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        run(transform_filter, items=[], **params)


@pytest.mark.parametrize(
    ("items", "params", "kept", "duplicates"),
    [
        ([1, 2, 1.0, "1", True, 2], {}, [1, 2, "1", True], [1.0, 2]),
        ([{"a": 1, "b": 2}, {"b": 2, "a": 1}], {}, [{"a": 1, "b": 2}], [{"b": 2, "a": 1}]),
        (
            [{"id": 1, "n": "x"}, {"id": 2}, {"id": 1, "n": "y"}],
            {"compare_fields": ["id"]},
            [{"id": 1, "n": "x"}, {"id": 2}],
            [{"id": 1, "n": "y"}],
        ),
        (
            [{"id": 1, "n": "x"}, {"id": 2}, {"id": 1, "n": "y"}],
            {"compare_fields": ["id"], "keep": "last"},
            [{"id": 2}, {"id": 1, "n": "y"}],
            [{"id": 1, "n": "x"}],
        ),
        ([{"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, {}, {"a": None}], {"compare_fields": ["a.b"]},
         [{"a": {"b": 1}}, {}], [{"a": {"b": 1, "c": 2}}, {"a": None}]),
        ([], {}, [], []),
    ],
)  # fmt: skip
def test_the_same_item_stays_once(items: Any, params: dict[str, Any], kept: Any, duplicates: Any) -> None:
    given: dict[str, Any] = outputs(transform_remove_duplicates, items=items, **params)
    assert repr(given) == repr({"items": kept, "duplicates": duplicates})


@given(RECORDS, st.lists(st.tuples(NAMES, DIRECTIONS), min_size=1, max_size=3), st.booleans(), st.booleans())
def test_sorting_only_changes_the_order_and_is_done_once(
    items: list[dict[str, Any]], fields: list[tuple[str, str]], case_sensitive: bool, natural: bool
) -> None:
    params: dict[str, Any] = {
        "sort_fields": [{"field": field, "direction": direction} for field, direction in fields],
        "case_sensitive": case_sensitive,
        "natural": natural,
    }
    once = outputs(transform_sort, items=items, **params)["items"]
    assert sorted(map(id, once)) == sorted(map(id, items))
    assert list(map(id, outputs(transform_sort, items=once, **params)["items"])) == list(map(id, once))


@given(RECORDS, NAMES, DIRECTIONS)
def test_what_has_nothing_to_sort_by_comes_last_either_way(items: Any, name: str, direction: str) -> None:
    whole = [{"key": item.get(name)} for item in items]
    ordered = outputs(transform_sort, items=whole, sort_fields=[{"field": "key", "direction": direction}])["items"]
    nothing = [is_nothing(item["key"]) for item in ordered]
    assert nothing == sorted(nothing)


@given(RECORDS, NAMES, st.sampled_from(["equals", "not_equals", "is_empty", "expression"]), st.sampled_from([1, "1"]))
def test_a_filter_parts_the_items_and_keeps_their_order(items: Any, name: str, condition: str, value: Any) -> None:
    conditions = [{"field": name, "condition_type": condition, "compare_value": value}]
    given = outputs(transform_filter, items=items, conditions=conditions)
    places = {id(item): place for place, item in enumerate(items)}
    parts = [[places[id(item)] for item in part] for part in given.values()]
    assert sorted(parts[0] + parts[1]) == list(range(len(items)))
    assert parts == [sorted(part) for part in parts]


@given(RECORDS, st.lists(NAMES, max_size=2), st.sampled_from(["first", "last"]))
def test_removing_duplicates_again_removes_nothing(items: Any, fields: list[str], keep: str) -> None:
    once = outputs(transform_remove_duplicates, items=items, compare_fields=fields, keep=keep)
    again = outputs(transform_remove_duplicates, items=once["items"], compare_fields=fields, keep=keep)
    assert again["duplicates"] == []
    assert sorted(map(id, once["items"] + once["duplicates"])) == sorted(map(id, items))


@given(ANYTHING, NAMES, ANYTHING, st.sampled_from(["equals", "greater_than", "less_than", "contains", "expression"]))
def test_whatever_comes_in_is_selected_from_or_refused(items: Any, name: str, compared: Any, condition: str) -> None:
    assert_survives(transform_limit, items=items)
    assert_survives(transform_sort, items=items, sort_fields=[{"field": name}, {"direction": "desc"}])
    assert_survives(transform_remove_duplicates, items=items, compare_fields=[name])
    conditions = [{"field": name, "condition_type": condition, "compare_value": compared}]
    assert_survives(transform_filter, items=items, conditions=conditions)
