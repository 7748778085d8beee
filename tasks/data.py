"""Nodes that shape what flows through a workflow, and keep it under a name."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta
from nornir.core.task import Result

from tasks.conditions import ConditionType, holds
from tasks.errors import NodeError
from tasks.node import Expression, Handle, Params, node, outcome
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
            description="expression: the value as it is; map: one field of every item; filter: the items for which a "
            "condition holds; pick: some fields of an object, or of every item."
        ),
    ] = "expression"
    expression: Annotated[Expression, Meta(description="The value to shape.")] = "{{ input.data }}"
    field: Annotated[
        str,
        Meta(
            max_length=200, description="map and filter: the field of an item, a dot leading deeper; empty: the item."
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
            result = [_field(item, params.field) for item in _items(value)]
        case "filter":
            result = [item for item in _items(value) if _passes(item, params)]
        case "pick":
            result = _picked(value, params.fields)
    return outcome({"result": result})


def _passes(item: Any, params: TransformParams) -> bool:
    return holds(params.condition_type, _field(item, params.field), params.compare_value)


def _items(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return list(value)
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
