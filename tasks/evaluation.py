"""Evaluates the expressions that a node evaluates itself: for each item, or line by line."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tasks import context
from tasks.errors import NodeError
from tasks.items import HEAVIEST, going_through, weight_of
from tasks.scripts import Statement


def each(items: list[Any], evaluate: Callable[[Mapping[str, Any]], Any]) -> Iterator[Any]:
    """Yield what an evaluation gives for each item; raises NodeError that names the item it fails at."""
    for index, item in enumerate(going_through(items)):
        try:
            yield evaluate({"items": items, "item": item, "index": index})
        except NodeError as error:
            raise NodeError(error.error_class, f"items[{index}]: {error.message}") from error


def collected(values: Iterable[Any], name: str) -> Iterator[Any]:
    """Yield values as they are; raises NodeError of class validation as soon as they hold too much together."""
    weight = 0
    for value in values:
        weight += weight_of(value, name)
        if weight > HEAVIEST:
            message = f"{name} would hold more than {HEAVIEST} characters and values. Filter or limit what goes in."
            raise NodeError("validation", message)
        yield value


def run_script(statements: list[Statement], names: Mapping[str, Any]) -> Any:
    """Return the value of a script's last line; raises NodeError that names the line it fails at."""
    evaluate = context.current().evaluate
    known, value = dict(names), None
    for statement in statements:
        try:
            value = evaluate(statement.expression, known)
        except NodeError as error:
            raise NodeError(error.error_class, f"line {statement.line}: {error.message}") from error
        if statement.name is not None:
            known[statement.name] = value
    return value
