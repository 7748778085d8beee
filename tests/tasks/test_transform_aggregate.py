"""transform:aggregate: its figures and its groups."""

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import items as bounds
from tasks.transform_aggregate import transform_aggregate
from tests.support.node_values import ANYTHING, NAMES, RECORDS, assert_survives, outputs, refusal, run

PORTS = [
    {"name": "Gi0/10", "speed": 1000, "link": "up"},
    {"name": "Gi0/2", "speed": "100", "link": "down"},
    {"name": "Gi0/3", "speed": None, "link": "up"},
    {"name": "Te0/1", "speed": 10_000, "link": "up"},
]
OPERATIONS = st.sampled_from(["count", "sum", "avg", "min", "max", "first", "last", "unique", "list"])


def figure(operation: str, field: str, items: Any = PORTS) -> Any:
    rows = outputs(
        transform_aggregate,
        items=items,
        aggregations=[{"operation": operation, "field": field, "output_name": "figure"}],
    )["items"]
    assert len(rows) == 1
    return rows[0]["figure"]


@pytest.mark.parametrize(
    ("operation", "field", "expected"),
    [
        ("count", "", 4),
        ("count", "*", 4),
        ("count", "speed", 3),
        ("sum", "speed", 11_100),
        ("avg", "speed", 3700.0),
        ("min", "speed", 1000),
        ("max", "speed", "100"),
        ("min", "name", "Gi0/2"),
        ("max", "name", "Te0/1"),
        ("first", "speed", 1000),
        ("last", "speed", 10_000),
        ("unique", "link", ["up", "down"]),
        ("list", "speed", [1000, "100", 10_000]),
        ("list", "", PORTS),
        ("sum", "colour", 0),
        ("avg", "colour", None),
        ("min", "colour", None),
        ("max", "colour", None),
        ("first", "colour", None),
        ("last", "colour", None),
        ("unique", "colour", []),
        ("count", "colour", 0),
    ],
)
def test_figures_are_made_of_what_is_there(operation: str, field: str, expected: Any) -> None:
    assert figure(operation, field) == expected


def test_values_are_unique_by_kind_in_the_order_they_came() -> None:
    assert repr(figure("unique", "", [1, "1", True, 1.0, [1], [1], 3, 1])) == "[1, '1', True, [1], 3]"


def test_items_are_grouped_in_the_order_they_came() -> None:
    given = outputs(
        transform_aggregate,
        items=[*PORTS, {"name": "x"}],
        group_by=["link"],
        aggregations=[{}, {"operation": "sum", "field": "speed"}, {"operation": "list", "field": "name"}],
    )
    assert given == {
        "items": [
            {"link": "up", "count": 3, "sum_speed": 11_000, "list_name": ["Gi0/10", "Gi0/3", "Te0/1"]},
            {"link": "down", "count": 1, "sum_speed": 100, "list_name": ["Gi0/2"]},
            {"link": None, "count": 1, "sum_speed": 0, "list_name": ["x"]},
        ],
        "groups": 3,
    }


def test_items_are_counted_where_nothing_else_is_asked() -> None:
    assert outputs(transform_aggregate, items=PORTS) == {"items": [{"count": 4}], "groups": 1}
    assert outputs(transform_aggregate, items=[]) == {"items": [{"count": 0}], "groups": 1}
    assert outputs(transform_aggregate, items=[], group_by=["a"]) == {"items": [], "groups": 0}


def test_groups_are_told_apart_by_kind_and_by_all_their_fields() -> None:
    items = [{"a": 1, "b": {"c": 1}}, {"a": "1", "b": {"c": 1}}, {"a": 1.0, "b": {"c": 1}}, {"a": 1, "b": {"c": 2}}]
    rows = outputs(transform_aggregate, items=items, group_by=["a", "b.c"])["items"]
    assert [(row["a"], row["b.c"], row["count"]) for row in rows] == [(1, 1, 2), ("1", 1, 1), (1, 2, 1)]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"aggregations": [{"operation": "sum", "field": "link"}]}, "'link' is 'up' in an item, which is no number"),
        ({"aggregations": [{"operation": "avg", "field": ""}]}, "which is no number"),
        ({"aggregations": [{}, {}]}, "Two columns would be called 'count'"),
        ({"group_by": ["link"], "aggregations": [{"output_name": "link"}]}, "would be called 'link'"),
        ({"group_by": ["link", "link"]}, "would be called 'link'"),
        ({"items": {"a": 1}}, "is no array"),
        ({"items": [1e308, 1e308], "aggregations": [{"operation": "sum"}]}, "the sum of '' is too large"),
        ({"items": [10**400, 1], "aggregations": [{"operation": "avg"}]}, "the avg of '' is too large"),
        ({"items": [10**400, 0.5], "aggregations": [{"operation": "sum"}]}, "too large"),
    ],
)
def test_figures_that_cannot_be_made_are_told(params: dict[str, Any], words: str) -> None:
    error_class, message = refusal(transform_aggregate, **{"items": PORTS, **params})
    assert error_class == "validation"
    assert words in message


@pytest.mark.parametrize("aggregations", [[], [{"operation": "median"}], [{"fields": "a"}], [{}] * 51])
def test_aggregations_that_are_none_are_refused(aggregations: Any) -> None:
    with pytest.raises(msgspec.ValidationError, match="aggregations"):
        run(transform_aggregate, items=[], aggregations=aggregations)


def test_figures_that_hold_too_much_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "HEAVIEST", 1000)
    lists = [{"operation": "list", "output_name": str(number)} for number in range(20)]
    assert "would hold more" in refusal(transform_aggregate, items=["x" * 100], aggregations=lists)[1]


@given(RECORDS, st.lists(NAMES, max_size=2, unique=True))
def test_every_item_is_in_one_group(items: list[dict[str, Any]], group_by: list[str]) -> None:
    given = outputs(
        transform_aggregate,
        items=items,
        group_by=group_by,
        aggregations=[{"output_name": "n"}, {"operation": "list", "output_name": "members"}],
    )
    assert sum(row["n"] for row in given["items"]) == len(items)
    assert sorted(id(item) for row in given["items"] for item in row["members"]) == sorted(map(id, items))


@given(st.lists(st.integers(-1000, 1000) | st.floats(-1000, 1000), min_size=1))
def test_the_average_lies_between_the_least_and_the_greatest(numbers: list[float]) -> None:
    least, average, greatest = (figure(operation, "", numbers) for operation in ("min", "avg", "max"))
    assert least <= average or math.isclose(least, average)
    assert average <= greatest or math.isclose(average, greatest)


@given(ANYTHING, OPERATIONS, NAMES | st.just(""), st.lists(NAMES, max_size=2))
def test_whatever_comes_in_is_aggregated_or_refused(items: Any, operation: str, field: str, group_by: Any) -> None:
    aggregations = [{"operation": operation, "field": field}]
    assert_survives(transform_aggregate, items=items, group_by=group_by, aggregations=aggregations)


@given(RECORDS, OPERATIONS, NAMES)
def test_whatever_records_come_in_are_aggregated_or_refused(items: Any, operation: str, field: str) -> None:
    assert_survives(transform_aggregate, items=items, aggregations=[{"operation": operation, "field": field}])
