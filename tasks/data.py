"""Nodes that shape what flows through a workflow, and keep it under a name."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta
from nornir.core.task import Result

from tasks import context
from tasks.conditions import ConditionType, holds
from tasks.errors import NodeError
from tasks.evaluation import collected, each
from tasks.items import within
from tasks.node import Expression, Handle, ItemExpression, Params, node, outcome
from tasks.patterns import shown

IDENTIFIER = r"^[A-Za-z][A-Za-z0-9_]*(?![\s\S])"


class SetVariableParams(Params, frozen=True, kw_only=True):
    """A name and its value."""

    variable_name: Annotated[
        str,
        Meta(
            pattern=IDENTIFIER,
            max_length=100,
            description="What the variable is called: a letter, then letters, digits or _.",
        ),
    ]
    value_expression: Annotated[Expression, Meta(description="The variable's value.")] = "{{ input.value }}"


class TransformParams(Params, frozen=True, kw_only=True):
    """What is made of a value."""

    transform_type: Annotated[
        Literal["expression", "map", "filter", "pick"],
        Meta(
            description="expression: the value as it is; map: one field of every item, or what item_expression gives "
            "for it; filter: the items for which a condition holds; pick: some fields of an object, or of every item."
        ),
    ] = "expression"
    expression: Annotated[Expression, Meta(description="The value to shape.")] = "{{ input.data }}"
    field: Annotated[
        str,
        Meta(
            max_length=200, description="map and filter: the field of an item, a dot leading deeper; empty: the item."
        ),
    ] = ""
    item_expression: Annotated[
        ItemExpression,
        Meta(
            description="map and filter: what is made of an item, or whether it stays: an expression that sees item, "
            "index and items; empty: field, condition_type and compare_value say it."
        ),
    ] = ""
    fields: Annotated[list[str], Meta(max_length=100, description="pick: the fields to keep.")] = []
    condition_type: Annotated[
        ConditionType,
        Meta(description="filter: what is asked of the field; expression asks whether it is true by itself."),
    ] = "expression"
    compare_value: Annotated[Any, Meta(description="filter: what the field is compared with.")] = None


@node(
    "data:set-variable",
    name="Set Variable",
    category="Data",
    scope="follow",
    icon="variable",
    color="#0891b2",
    sets_variables=True,
    aliases=("debug:set-variable",),
    inputs=(Handle("value"),),
)
def data_set_variable(params: SetVariableParams) -> Result:
    """Keep a value as ``variables.<name>``, for each device its own where the node runs per device."""
    return outcome({params.variable_name: params.value_expression})


@node(
    "data:transform",
    name="Transform",
    category="Data",
    scope="follow",
    icon="shuffle",
    color="#0891b2",
    inputs=(Handle("data"),),
    outputs=(Handle("result", "any", "What was made of the value."),),
)
def data_transform(params: TransformParams) -> Result:
    """Make something new of a value: by an expression, or field by field."""
    value = params.expression
    match params.transform_type:
        case "expression":
            result = value
        case "map":
            result = list(collected(each(_items(value), _mapping(params)), "result"))
        case "filter":
            items = _items(value)
            result = [item for item, stays in zip(items, each(items, _test(params)), strict=True) if stays]
        case "pick":
            result = _picked(value, params.fields)
    return outcome({"result": result})


def _mapping(params: TransformParams) -> Callable[[Mapping[str, Any]], Any]:
    """Return what makes something of an item."""
    if params.item_expression:
        return lambda names: context.current().evaluate(params.item_expression, names)
    return lambda names: _field(names["item"], params.field)


def _test(params: TransformParams) -> Callable[[Mapping[str, Any]], bool]:
    """Return what says whether an item stays."""
    made = _mapping(params)
    if params.item_expression:
        return lambda names: bool(made(names))
    return lambda names: holds(params.condition_type, made(names), params.compare_value)


def _items(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return within(list(value), "expression")
    raise NodeError("validation", f"expression gave {shown(value)}, which is no array. Give an array to go through.")


def _field(item: Any, path: str) -> Any:
    for name in path.split(".") if path else []:
        item = _member(item, name, f"field {path!r}")
    return item


def _picked(value: Any, fields: list[str]) -> Any:
    if not fields:
        raise NodeError("validation", "fields is empty. Name the fields to keep.")
    if isinstance(value, list | tuple):
        return [_picked(item, fields) for item in value]
    return {name: _member(value, name, "fields") for name in fields}


def _member(value: Any, name: str, parameter: str) -> Any:
    if not isinstance(value, Mapping) or name not in value:
        raise NodeError("validation", f"{parameter}: there is no {name!r} in {shown(value)}.")
    return value[name]
