"""Expressions: ``{{ … }}`` in parameters, what they refer to, and their values.

A parameter that is exactly one expression keeps the value's type; any other text is rendered as text.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import Undefined, nodes
from jinja2.environment import Template, TemplateExpression
from jinja2.exceptions import SecurityError, TemplateSyntaxError
from jinja2.runtime import TemplateReference

from app.automation.workflows.growth import MAX_RESULT, MAX_VALUE, gathered, measure, timed
from app.automation.workflows.sandbox import Sandbox, explain

MARKS = ("{{", "{%", "{#")
RESERVED = frozenset(
    {"input", "trigger", "variables", "nodes", "item", "index", "workflow", "execution", "now", "today", "settings",
     "host", "secret"}
)  # fmt: skip
LOCALS = frozenset({"range", "dict", "loop", "true", "false", "none", "True", "False", "None"})
_INNER = re.compile(r"\A\s*\{\{-?(.*?)-?\}\}\s*\Z", re.DOTALL)
_PIECE = re.compile(r"\{\{-?(.*?)-?\}\}", re.DOTALL)
_CODE = re.compile(r"\{[{%].*?[}%]\}", re.DOTALL)
MAX_CODE = 50_000
"""Characters of expressions in one text; the text around them is not counted."""
_sandbox = Sandbox()


class ExpressionError(Exception):
    """An expression is not well formed, or could not be evaluated; the message says why."""


@dataclass(frozen=True)
class Reference:
    """A name an expression uses: the top-level name, and the node it means where that is one.

    ``nodes`` without a node stands for all of them.
    """

    name: str
    node: str | None = None


def is_template(text: str) -> bool:
    """Say whether a text holds anything to evaluate."""
    return any(mark in text for mark in MARKS)


def evaluate(text: str, scope: Mapping[str, Any]) -> Any:
    """Evaluate a parameter's text: one lone expression to its value, anything else to text."""
    if not is_template(text):
        return text
    inner = _lone_expression(text)
    return _value(inner, scope) if inner is not None else _rendered(text, scope)


def evaluate_expression(text: str, scope: Mapping[str, Any]) -> Any:
    """Evaluate a parameter that is an expression as a whole; ``{{ }}`` around it or its parts are optional."""
    return _value(_as_expression(text), scope)


def references(text: str, *, expression: bool = False) -> list[Reference]:
    """Return the names a parameter uses; raises ExpressionError where it is not well formed."""
    tree = parse(text, expression=expression)
    for use in tree.find_all(nodes.Filter):
        if use.name not in _sandbox.filters:
            raise ExpressionError(f"there is no filter {use.name!r}")
    assigned = {name.name for name in tree.find_all(nodes.Name) if name.ctx in {"store", "param"}}
    return list(_references(tree, assigned))


def parse(text: str, *, expression: bool = False) -> nodes.Template:
    """Return the syntax tree of a parameter's text; raises ExpressionError where it is not well formed."""
    return _parse("{{ " + _as_expression(text) + " }}" if expression else text)


def _references(tree: nodes.Template, assigned: set[str]) -> Iterator[Reference]:
    for name in tree.find_all(nodes.Name):
        if name.ctx == "load" and name.name not in assigned | LOCALS and name.name != "nodes":
            yield Reference(name.name)
    accesses: list[nodes.Getattr | nodes.Getitem] = [*tree.find_all(nodes.Getattr), *tree.find_all(nodes.Getitem)]
    for access in accesses:
        if not _is_of_nodes(access):
            continue
        if isinstance(access, nodes.Getattr):
            yield Reference("nodes", access.attr)
        elif isinstance(access.arg, nodes.Const):
            yield Reference("nodes", str(access.arg.value))
        else:
            raise ExpressionError("a node is named by a constant, as in nodes.version or nodes['version']")
    if sum(name.name == "nodes" for name in tree.find_all(nodes.Name)) > sum(map(_is_of_nodes, accesses)):
        yield Reference("nodes")


def _is_of_nodes(access: nodes.Getattr | nodes.Getitem) -> bool:
    return isinstance(access.node, nodes.Name) and access.node.name == "nodes"


def _as_expression(text: str) -> str:
    """Turn ``{{ a }} > 0`` into ``(a) > 0``; a bare expression is taken as it is."""
    inner = _lone_expression(text)
    return inner if inner is not None else _PIECE.sub(lambda piece: f"({piece.group(1).strip()})", text).strip()


@lru_cache(maxsize=4096)
def _lone_expression(text: str) -> str | None:
    match = _INNER.match(text)
    if match is None:
        return None
    body = _parse(text.strip()).body
    lone = len(body) == 1 and isinstance(body[0], nodes.Output) and len(body[0].nodes) == 1
    return match.group(1).strip() if lone else None


def _parse(text: str) -> nodes.Template:
    _refuse_long(text)
    with _well_formed():
        return _sandbox.parse(text)


@lru_cache(maxsize=4096)
def _compiled(expression: str) -> TemplateExpression:
    _refuse_long(f"{{{{{expression}}}}}")
    with _well_formed():
        return _sandbox.compile_expression(expression, undefined_to_none=False)


@lru_cache(maxsize=4096)
def _template(text: str) -> Template:
    _refuse_long(text)
    with _well_formed():
        return _sandbox.from_string(text)


def _refuse_long(text: str) -> None:
    length = sum(len(code) for code in _CODE.findall(text)) if len(text) > MAX_CODE else 0
    if length > MAX_CODE:
        raise ExpressionError(f"not well formed: its expressions have {length} characters, more than {MAX_CODE}")


@contextmanager
def _well_formed() -> Iterator[None]:
    try:
        yield
    except TemplateSyntaxError as error:
        raise ExpressionError(f"not well formed: {error.message}") from error
    except (RecursionError, SyntaxError, MemoryError) as error:
        raise ExpressionError("not well formed: it is too long, or nested too deeply") from error


def _value(expression: str, scope: Mapping[str, Any]) -> Any:
    compiled = _compiled(expression)
    try:
        with timed():
            value = _plain(compiled(**scope))
            measure(value, MAX_VALUE)
    except Exception as error:
        raise ExpressionError(explain(error)) from error
    if callable(value) or isinstance(value, TemplateReference):
        raise ExpressionError(f"it gives a {type(value).__name__}, and that is no value")
    return value


def _rendered(text: str, scope: Mapping[str, Any]) -> str:
    template = _template(text)
    try:
        with timed():
            return "".join(_bounded(template.generate(**scope)))
    except Exception as error:
        raise ExpressionError(explain(error)) from error


def _bounded(pieces: Iterator[str]) -> Iterator[str]:
    length = 0
    for piece in pieces:
        length += len(piece)
        if length > MAX_RESULT:
            raise SecurityError(f"the text would be longer than {MAX_RESULT} characters")
        yield piece


def _plain(value: Any) -> Any:
    """Turn the lazy sequences that Jinja2's filters return into lists."""
    if isinstance(value, str | bytes | int | float | bool | list | dict | type(None)):
        return value
    if isinstance(value, Undefined):
        str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "__iter__") and not callable(value):
        return gathered(value) if hasattr(value, "__next__") else list(value)
    return value
