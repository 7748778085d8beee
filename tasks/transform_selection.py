"""Nodes that order items and choose among them."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from nornir.core.task import Result

from tasks.families import GIVEN, FieldPath, transform_node
from tasks.items import MOST_ITEMS, going_through, items_of, value_at
from tasks.node import Expression, Handle, Params, outcome
from tasks.ordering import identity, is_nothing, rank
from tasks.rules import Rule, fits


class LimitParams(Params, frozen=True, kw_only=True):
    """How many items, from where on."""

    items: Annotated[Expression, Meta(description="The items: an array.")] = GIVEN
    max_items: Annotated[int, Meta(ge=1, le=MOST_ITEMS, description="How many items to let through.")] = 10
    offset: Annotated[int, Meta(ge=0, le=MOST_ITEMS, description="How many items to leave out at the front.")] = 0


class SortField(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A field, and which way its values go."""

    field: FieldPath = ""
    direction: Annotated[Literal["asc", "desc"], Meta(description="asc: smallest first; desc: largest first.")] = "asc"


class SortParams(Params, frozen=True, kw_only=True):
    """What the items are ordered by."""

    items: Annotated[Expression, Meta(description="The items: an array.")] = GIVEN
    sort_fields: Annotated[
        list[SortField],
        Meta(min_length=1, max_length=20, description="The fields that decide, the first before the second."),
    ]
    case_sensitive: Annotated[bool, Meta(description="Upper case comes before lower case.")] = False
    natural: Annotated[bool, Meta(description="Digits in texts count as numbers: Gi0/2 comes before Gi0/10.")] = True


class FilterParams(Params, frozen=True, kw_only=True):
    """Which items match."""

    items: Annotated[Expression, Meta(description="The items: an array.")] = GIVEN
    conditions: Annotated[
        list[Rule],
        Meta(min_length=1, max_length=50, description="The conditions; a field that is missing counts as null."),
    ]
    combine: Annotated[Literal["and", "or"], Meta(description="and: every condition must hold; or: one is enough.")] = (
        "and"
    )


class RemoveDuplicatesParams(Params, frozen=True, kw_only=True):
    """What makes two items the same."""

    items: Annotated[Expression, Meta(description="The items: an array.")] = GIVEN
    compare_fields: Annotated[
        list[str],
        Meta(max_length=50, description="The fields that must be equal; none: the whole item. A missing one is null."),
    ] = []
    keep: Annotated[Literal["first", "last"], Meta(description="Which of the same items stays.")] = "first"


@transform_node(
    "transform:limit",
    name="Limit",
    icon="list-end",
    outputs=(
        Handle("items", "array", "The items let through."),
        Handle("total", "number", "How many items there were."),
    ),
)
def transform_limit(params: LimitParams) -> Result:
    """Let through some of the items."""
    items = items_of(params.items)
    return outcome({"items": items[params.offset : params.offset + params.max_items], "total": len(items)})


@transform_node(
    "transform:sort",
    name="Sort",
    icon="arrow-down-a-z",
    outputs=(Handle("items", "array", "The items in their order."),),
)
def transform_sort(params: SortParams) -> Result:
    """Order the items by their fields: numbers before texts, and null or missing last either way."""
    items = items_of(params.items)
    for sort_field in reversed(params.sort_fields):
        items = _sorted(items, sort_field, params)
    return outcome({"items": items})


@transform_node(
    "transform:filter",
    name="Filter",
    icon="filter",
    triggers=("matched", "unmatched"),
    outputs=(
        Handle("matched_items", "array", "The items that match."),
        Handle("unmatched_items", "array", "The others."),
    ),
)
def transform_filter(params: FilterParams) -> Result:
    """Sort out the items that match; goes on by ``matched`` where any does, else by ``unmatched``."""
    matched: list[Any] = []
    unmatched: list[Any] = []
    for item in going_through(items_of(params.items)):
        (matched if _matches(item, params) else unmatched).append(item)
    outputs = {"matched_items": matched, "unmatched_items": unmatched}
    return outcome(outputs, branch="matched" if matched else "unmatched")


@transform_node(
    "transform:remove-duplicates",
    name="Remove Duplicates",
    icon="copy-minus",
    outputs=(
        Handle("items", "array", "Every item once, in the order they came."),
        Handle("duplicates", "array", "The items left out."),
    ),
)
def transform_remove_duplicates(params: RemoveDuplicatesParams) -> Result:
    """Leave out items that equal another one, as a whole or in some fields; 1 equals 1.0, but not "1" or true."""
    items = items_of(params.items)
    if params.keep == "last":
        items.reverse()
    seen: set[Any] = set()
    sorted_out: tuple[list[Any], list[Any]] = ([], [])
    for item in items:
        key = _compared(item, params.compare_fields)
        sorted_out[key in seen].append(item)
        seen.add(key)
    if params.keep == "last":
        for part in sorted_out:
            part.reverse()
    kept, duplicates = sorted_out
    return outcome({"items": kept, "duplicates": duplicates})


def _sorted(items: list[Any], by: SortField, params: SortParams) -> list[Any]:
    """Return items in the order of one field; those that have nothing there come last."""
    backwards = by.direction == "desc"

    def key(item: Any) -> tuple[Any, ...]:
        value = value_at(item, by.field)
        if is_nothing(value):
            return (not backwards,)
        return backwards, rank(value, case_sensitive=params.case_sensitive, natural=params.natural)

    return sorted(items, key=key, reverse=backwards)


def _matches(item: Any, params: FilterParams) -> bool:
    answers = (fits(item, rule) for rule in params.conditions)
    return all(answers) if params.combine == "and" else any(answers)


def _compared(item: Any, fields: Sequence[str]) -> Any:
    return tuple(identity(value_at(item, field)) for field in fields) if fields else identity(item)
