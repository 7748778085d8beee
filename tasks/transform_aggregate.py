"""The node that makes figures of items, group by group."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from nornir.core.task import Result

from tasks.errors import NodeError
from tasks.families import GIVEN, FieldPath, transform_node
from tasks.items import WHOLE, bounded, going_through, items_of, number_of, value_at
from tasks.node import Expression, Handle, Params, outcome
from tasks.ordering import identity, is_nothing, rank
from tasks.patterns import shown

Operation = Literal["count", "sum", "avg", "min", "max", "first", "last", "unique", "list"]


class Aggregation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A figure of a field."""

    operation: Annotated[
        Operation,
        Meta(
            description="count, sum, avg, min, max, first, last; unique: each value once; list: every value. "
            "Null and missing values do not count."
        ),
    ] = "count"
    field: Annotated[FieldPath, Meta(description="The field; empty or *: the item, so that count counts items.")] = ""
    output_name: Annotated[
        str, Meta(max_length=200, description="What the figure is called; empty: count, or for example sum_speed.")
    ] = ""

    @property
    def name(self) -> str:
        """Return what the figure is called."""
        return self.output_name or (self.operation if self.field in WHOLE else f"{self.operation}_{self.field}")


class AggregateParams(Params, frozen=True, kw_only=True):
    """Which figures of which groups."""

    items: Annotated[Expression, Meta(description="The items: an array.")] = GIVEN
    group_by: Annotated[
        list[str],
        Meta(max_length=20, description="The fields whose values make a group; none: all items are one group."),
    ] = []
    aggregations: Annotated[
        list[Aggregation], Meta(min_length=1, max_length=50, description="The figures of each group.")
    ] = msgspec.field(default_factory=lambda: [Aggregation()])


@transform_node(
    "transform:aggregate",
    name="Aggregate",
    icon="sigma",
    outputs=(
        Handle("items", "array", "For each group its fields and figures, in the order the groups came."),
        Handle("groups", "number", "How many groups there are."),
    ),
)
def transform_aggregate(params: AggregateParams) -> Result:
    """Count, sum up or collect the values of items, for each group or for all."""
    _refuse_doubles([*params.group_by, *(aggregation.name for aggregation in params.aggregations)])
    groups: dict[Any, list[Any]] = {} if params.group_by else {(): []}
    for item in going_through(items_of(params.items)):
        key = tuple(identity(value_at(item, path)) for path in params.group_by)
        groups.setdefault(key, []).append(item)
    rows = [_row(members, params) for members in groups.values()]
    return outcome({"items": bounded(rows, "items"), "groups": len(rows)})


def _refuse_doubles(names: Sequence[str]) -> None:
    double = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if double is not None:
        raise NodeError("validation", f"Two columns would be called {double!r}. Give one another output_name.")


def _row(members: Sequence[Any], params: AggregateParams) -> dict[str, Any]:
    fields = {path: value_at(members[0], path) for path in params.group_by}
    return fields | {aggregation.name: _figure(members, aggregation) for aggregation in params.aggregations}


def _figure(members: Sequence[Any], aggregation: Aggregation) -> Any:
    found = [value_at(item, aggregation.field) for item in members]
    values = [value for value in found if not is_nothing(value)]
    if aggregation.operation == "count" and aggregation.field in WHOLE:
        return len(members)
    if aggregation.operation in {"sum", "avg"}:
        values = [_number(value, aggregation) for value in values]
        return _computed(values, aggregation)
    return _OPERATIONS[aggregation.operation](values)


def _computed(values: list[Any], aggregation: Aggregation) -> int | float | None:
    """Return a sum or average; raises NodeError where it is beyond what a number can be."""
    try:
        figure: int | float | None = _OPERATIONS[aggregation.operation](values)
    except OverflowError:
        figure = math.inf
    if isinstance(figure, float) and not math.isfinite(figure):
        message = f"aggregations: the {aggregation.operation} of {aggregation.field!r} is too large. Scale it down."
        raise NodeError("validation", message)
    return figure


def _number(value: Any, aggregation: Aggregation) -> int | float:
    number = number_of(value)
    if number is None:
        message = f"aggregations: {aggregation.field!r} is {shown(value)} in an item, which is no number to sum up."
        raise NodeError("validation", f"{message} Filter such items out, or choose another field.")
    return number


def _unique(values: Sequence[Any]) -> list[Any]:
    known: dict[Any, Any] = {}
    for value in values:
        known.setdefault(identity(value), value)
    return list(known.values())


_OPERATIONS: Mapping[Operation, Callable[[list[Any]], Any]] = {
    "count": len,
    "sum": sum,
    "avg": lambda values: sum(values) / len(values) if values else None,
    "min": lambda values: min(values, key=rank, default=None),
    "max": lambda values: max(values, key=rank, default=None),
    "first": lambda values: values[0] if values else None,
    "last": lambda values: values[-1] if values else None,
    "unique": _unique,
    "list": list,
}
