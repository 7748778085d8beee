"""Nodes that change what fields items have."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from nornir.core.task import Result

from tasks import context
from tasks.errors import NodeError
from tasks.evaluation import collected, each
from tasks.families import GIVEN, transform_node
from tasks.items import MISSING, bounded, find, items_of, objects_of, required, within
from tasks.node import Expression, Handle, ItemExpression, Params, outcome

IfMissing = Annotated[
    Literal["fail", "skip"], Meta(description="What to do with an item that lacks the field: fail, or pass over it.")
]


class SetFieldsParams(Params, frozen=True, kw_only=True):
    """Which fields the items get."""

    items: Annotated[Expression, Meta(description="The items: an object, or an array of objects.")] = GIVEN
    mode: Annotated[
        Literal["manual", "expression"],
        Meta(description="manual: copy_fields and fields; expression: the objects that expression gives."),
    ] = "manual"
    fields: Annotated[
        dict[str, Any], Meta(max_length=200, description="manual: fields and their values, the same for every item.")
    ] = msgspec.field(default_factory=dict)
    copy_fields: Annotated[
        dict[str, str],
        Meta(max_length=200, description="manual: fields, and the field of the same item that each is copied from."),
    ] = msgspec.field(default_factory=dict)
    expression: Annotated[
        Expression, Meta(description="expression: an object for every item, or an array with one for each.")
    ] = None
    item_expression: Annotated[
        ItemExpression,
        Meta(description="expression: an object, evaluated for each item with item, index and items, in its place."),
    ] = ""
    keep_only_set: Annotated[bool, Meta(description="Drop every field that is not set here.")] = False


class RenameKeysParams(Params, frozen=True, kw_only=True):
    """Which fields are called something else."""

    items: Annotated[Expression, Meta(description="The items: an object, or an array of objects.")] = GIVEN
    renames: Annotated[
        dict[str, str], Meta(min_length=1, max_length=200, description="The fields' names, and their new ones.")
    ]
    if_missing: IfMissing = "fail"


class SplitParams(Params, frozen=True, kw_only=True):
    """Which array inside the items becomes items of its own."""

    items: Annotated[Expression, Meta(description="The items: an object, or an array of objects.")] = GIVEN
    field_to_split: Annotated[
        str, Meta(min_length=1, max_length=200, description="The field that holds an array, a dot leading deeper.")
    ] = "items"
    include_parent: Annotated[bool, Meta(description="Keep the other fields of the item beside each part.")] = True
    destination_field: Annotated[
        str, Meta(max_length=200, description="The field that holds a part; empty: the last name of field_to_split.")
    ] = ""
    if_missing: IfMissing = "fail"


@transform_node(
    "transform:set-fields",
    name="Set Fields",
    icon="pen-line",
    outputs=(Handle("items", "any", "The items with their fields set; an object where an object came in."),),
)
def transform_set_fields(params: SetFieldsParams) -> Result:
    """Add fields to every item, or replace the ones of that name."""
    items = _one_or_many(params.items)
    results = [
        {**({} if params.keep_only_set else item), **added}
        for item, added in zip(items, _additions(params, items), strict=True)
    ]
    return outcome({"items": _as_given(params.items, bounded(results, "items"))})


@transform_node(
    "transform:rename-keys",
    name="Rename Keys",
    icon="replace",
    outputs=(Handle("items", "any", "The items with their fields renamed; an object where an object came in."),),
)
def transform_rename_keys(params: RenameKeysParams) -> Result:
    """Call fields of every item something else; their order stays."""
    results = [_renamed(item, index, params) for index, item in enumerate(_one_or_many(params.items))]
    return outcome({"items": _as_given(params.items, results)})


@transform_node(
    "transform:split",
    name="Split Out",
    icon="split",
    outputs=(Handle("items", "array", "An item for every part of every array."),),
)
def transform_split(params: SplitParams) -> Result:
    """Make an item of every part of an array inside the items."""
    results: list[Any] = []
    for index, item in enumerate(_one_or_many(params.items)):
        results += _parts(item, f"items[{index}]", params)
        within(results, "items")
    return outcome({"items": bounded(results, "items")})


def _one_or_many(value: Any) -> list[Mapping[str, Any]]:
    return [value] if isinstance(value, Mapping) else objects_of(value)


def _as_given(given: Any, results: list[Any]) -> Any:
    return results[0] if isinstance(given, Mapping) else results


def _additions(params: SetFieldsParams, items: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    if params.mode == "expression":
        if params.item_expression:
            return _evaluated(params.item_expression, items)
        return _computed(params.expression, len(items))
    if not params.fields and not params.copy_fields:
        raise NodeError("validation", "fields and copy_fields are both empty. Name the fields to set.")
    return [
        {name: required(item, path, f"copy_fields: items[{index}]") for name, path in params.copy_fields.items()}
        | params.fields
        for index, item in enumerate(items)
    ]


def _evaluated(expression: str, items: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return what an expression gives for each item."""
    evaluate = context.current().evaluate
    found = each(list(items), lambda names: evaluate(expression, names))
    return objects_of(list(collected(found, "item_expression")), "item_expression")


def _computed(value: Any, count: int) -> list[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        return [value] * count
    additions = objects_of(value, "expression")
    if len(additions) != count:
        message = f"expression gave {len(additions)} objects for {count} items. Give one for each, or one for all."
        raise NodeError("validation", message)
    return additions


def _renamed(item: Mapping[str, Any], index: int, params: RenameKeysParams) -> dict[str, Any]:
    if params.if_missing == "fail":
        for name in params.renames:
            if name not in item:
                message = f"renames: items[{index}] has no field {name!r}. Correct the name, or set if_missing to skip."
                raise NodeError("validation", message)
    result: dict[str, Any] = {}
    for name, value in item.items():
        new_name = params.renames.get(name, name)
        if new_name in result:
            message = f"renames: items[{index}] would have two fields {new_name!r}. Choose another name for one."
            raise NodeError("validation", message)
        result[new_name] = value
    return result


def _parts(item: Mapping[str, Any], place: str, params: SplitParams) -> list[Any]:
    """Return what an item is split into."""
    path = params.field_to_split
    found = find(item, path)
    if found is MISSING or found is None:
        if params.if_missing == "skip":
            return []
        raise NodeError("validation", f"{place} has no {path!r} to split. Correct the name, or set if_missing to skip.")
    parts = items_of(found, f"{place}: {path}")
    destination = params.destination_field or (path if path in item else path.rpartition(".")[2])
    if params.include_parent:
        parent = _without(item, path)
        return [{**parent, destination: part} for part in parts]
    return [{destination: part} for part in parts] if params.destination_field else parts


def _without(item: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return an item without the field that a path leads to."""
    if path in item:
        return {name: value for name, value in item.items() if name != path}
    name, _, rest = path.partition(".")
    return {**item, name: _without(item[name], rest)}
