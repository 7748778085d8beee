"""A node's parameters: what they refer to, what is wrong with them, and their values when the node runs."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, get_args, get_type_hints

import msgspec

from app.automation.workflows.definition import DefinitionFault, Node, fault
from app.automation.workflows.expressions import (
    ExpressionError,
    Reference,
    evaluate,
    evaluate_expression,
    is_template,
    references,
)
from tasks.errors import NodeError
from tasks.node import NodeType, Params
from tasks.scripts import GIVEN_NAMES, ScriptError, read_script

OWN_WORK = frozenset({"never", "item", "code"})
"""Kinds of fields that nodes are handed as they were written."""


@dataclass(frozen=True)
class Text:
    """A text inside a parameter that is evaluated: the field it is in, and whether it is an expression as a whole."""

    field: str
    text: str
    expression: bool
    given: frozenset[str] = frozenset()
    """Names that the node itself gives to it."""


def evaluated_texts(node: Node, node_type: NodeType) -> Iterator[Text]:
    """Yield every text of a node that is evaluated before it runs: of its parameters, defaults included, and run_if."""
    if node.options.run_if is not None:
        yield Text("options.run_if", node.options.run_if, expression=True)
    for name, value in with_defaults(node.parameters, node_type.params).items():
        kind = evaluation_of(node_type.params).get(name)
        if kind in OWN_WORK:
            yield from _later_texts(name, value, kind)
            continue
        for path, text in _texts(name, value):
            if kind == "expression" or is_template(text):
                yield Text(f"parameters.{path}", text, expression=kind == "expression")


def referred(node: Node, node_type: NodeType) -> Iterator[Reference]:
    """Yield the names a node's parameters use; raises ExpressionError."""
    for text in evaluated_texts(node, node_type):
        found = references(text.text, expression=text.expression)
        yield from (reference for reference in found if reference.node or reference.name not in text.given)


def check(node: Node, node_type: NodeType) -> list[DefinitionFault]:
    """List what is wrong with a node's parameters, field by field; what is evaluated later is checked later."""
    fields = {field.name: field for field in msgspec.structs.fields(node_type.params)}
    faults = [
        fault("unknown_parameter", _unknown(name, fields), node_id=node.id, field=f"parameters.{name}")
        for name in node.parameters
        if name not in fields
    ]
    for name, field in fields.items():
        if name not in node.parameters:
            if field.required:
                message = f"{node_type.id} needs {name}."
                faults.append(fault("missing_parameter", message, node_id=node.id, field=f"parameters.{name}"))
        elif not _is_evaluated(node.parameters[name], evaluation_of(node_type.params).get(name)):
            faults.extend(_check_value(node, name, field.type))
            if evaluation_of(node_type.params).get(name) == "code":
                faults.extend(_check_script(node, name))
    return faults


def values(node: Node, node_type: NodeType, scope: Mapping[str, Any]) -> Params:
    """Evaluate a node's parameters in a scope; raises NodeError of class expression or validation."""
    kinds = evaluation_of(node_type.params)
    raw = {
        name: _evaluated(name, value, kinds.get(name), scope)
        for name, value in with_defaults(node.parameters, node_type.params).items()
    }
    texts = _text_fields(node_type.params)
    raw |= {name: str(raw[name]) for name in texts & raw.keys() if isinstance(raw[name], int | float)}
    try:
        return msgspec.convert(raw, node_type.params, strict=False)
    except msgspec.ValidationError as error:
        raise NodeError("validation", f"The parameters do not fit once they are evaluated: {error}") from error


def evaluate_beside(scope: Mapping[str, Any], text: str, names: Mapping[str, Any]) -> Any:
    """Evaluate an expression that a node evaluates itself, with names of its own; raises NodeError."""
    try:
        return evaluate_expression(text, {**scope, **names})
    except ExpressionError as error:
        raise NodeError("expression", str(error)) from error


def wanted(node: Node, scope: Mapping[str, Any]) -> bool:
    """Say whether a node is to run at all; raises NodeError of class expression."""
    if node.options.disabled:
        return False
    if node.options.run_if is None:
        return True
    try:
        return bool(evaluate_expression(node.options.run_if, scope))
    except ExpressionError as error:
        raise NodeError("expression", f"run_if: {error}") from error


def with_defaults(given: Mapping[str, Any], params: type[Params]) -> dict[str, Any]:
    """Return the parameters with the defaults that are texts to evaluate; the others are left to the Struct."""
    return {**_evaluated_defaults(params), **given}


@lru_cache(maxsize=1024)
def _evaluated_defaults(params: type[Params]) -> dict[str, str]:
    kinds = evaluation_of(params)
    return {
        field.name: field.default
        for field in msgspec.structs.fields(params)
        if isinstance(field.default, str) and (kinds.get(field.name) == "expression" or is_template(field.default))
    }


@lru_cache(maxsize=1024)
def evaluation_of(params: type[Params]) -> dict[str, str]:
    """Return how each field is evaluated, where that is not as a template: expression, never, item or code."""
    kinds: dict[str, str] = {}
    for name, annotation in get_type_hints(params, include_extras=True).items():
        for meta in _metas(annotation):
            if meta.extra and "evaluate" in meta.extra:
                kinds[name] = meta.extra["evaluate"]
    return kinds


@lru_cache(maxsize=1024)
def _text_fields(params: type[Params]) -> frozenset[str]:
    """Return the fields that are text, in which a number that an expression gave is written out."""
    return frozenset(name for name, annotation in get_type_hints(params).items() if annotation is str)


def _metas(annotation: Any) -> Iterator[msgspec.Meta]:
    for argument in get_args(annotation):
        if isinstance(argument, msgspec.Meta):
            yield argument
        else:
            yield from _metas(argument)


def _texts(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(f"{path}.{key}", item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(f"{path}[{index}]", item)


def _later_texts(name: str, value: Any, kind: str | None) -> Iterator[Text]:
    """Yield the texts that the node evaluates itself; a script that cannot be read has none."""
    if not isinstance(value, str) or not value.strip():
        return
    if kind == "item":
        yield Text(f"parameters.{name}", value, expression=True, given=GIVEN_NAMES)
    elif kind == "code":
        given = GIVEN_NAMES
        with suppress(ScriptError):  # told by check
            for statement in read_script(value):
                yield Text(f"parameters.{name}", statement.expression, expression=True, given=given)
                given |= {statement.name} if statement.name else frozenset()


def _check_script(node: Node, name: str) -> list[DefinitionFault]:
    try:
        read_script(str(node.parameters[name]))
    except ScriptError as error:
        return [fault("bad_expression", str(error), node_id=node.id, field=f"parameters.{name}")]
    return []


def _is_evaluated(value: Any, kind: str | None) -> bool:
    return kind == "expression" or (kind not in OWN_WORK and any(is_template(text) for _, text in _texts("", value)))


def _check_value(node: Node, name: str, annotation: Any) -> list[DefinitionFault]:
    try:
        msgspec.convert(node.parameters[name], annotation)
    except msgspec.ValidationError as error:
        return [fault("bad_parameter", str(error), node_id=node.id, field=f"parameters.{name}")]
    return []


def _unknown(name: str, fields: Mapping[str, Any]) -> str:
    return f"There is no parameter {name!r}; there is {', '.join(sorted(fields)) or 'none'}."


def _evaluated(path: str, value: Any, kind: str | None, scope: Mapping[str, Any]) -> Any:
    if kind in OWN_WORK:
        return value
    if isinstance(value, str):
        try:
            return evaluate_expression(value, scope) if kind == "expression" else evaluate(value, scope)
        except ExpressionError as error:
            raise NodeError("expression", f"{path}: {error}") from error
    if isinstance(value, Mapping):
        return {key: _evaluated(f"{path}.{key}", item, kind, scope) for key, item in value.items()}
    if isinstance(value, list):
        return [_evaluated(f"{path}[{index}]", item, kind, scope) for index, item in enumerate(value)]
    return value
