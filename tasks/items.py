"""The items that flow through a workflow: arrays and objects, what is in them, and the bounds they keep to."""

import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar

from tasks import context
from tasks.errors import NodeError
from tasks.patterns import shown

MOST_ITEMS = 100_000
LONGEST_TEXT = 10_000_000
HEAVIEST = 32_000_000
"""The most that one result may hold, in characters of text and single values."""
DEEPEST = 100
LONGEST_S = 30.0
"""How long going through items may take, in seconds."""
MISSING: Final = object()
WHOLE = frozenset({"", "*"})
"""Paths that mean the item itself."""

LONGEST_NUMBER = 100
_CONTAINERS = (dict, list, tuple, Mapping)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
Item = TypeVar("Item")


def items_of(value: Any, parameter: str = "items") -> list[Any]:
    """Return the items of an array; raises NodeError of class validation for anything else, and for too many."""
    if not isinstance(value, list | tuple):
        raise NodeError("validation", f"{parameter} gave {shown(value)}, which is no array. Give an array of items.")
    return within(list(value), parameter)


def objects_of(value: Any, parameter: str = "items") -> list[Mapping[str, Any]]:
    """Return the items of an array of objects; raises NodeError of class validation, naming the first other item."""
    items = items_of(value, parameter)
    for index, item in enumerate(items):
        if not isinstance(item, Mapping):
            message = f"{parameter}[{index}] is {shown(item)}, which is no object. Give an array of objects."
            raise NodeError("validation", message)
    return items


def text_of(value: Any, parameter: str, longest: int = LONGEST_TEXT) -> str:
    """Return a text; raises NodeError of class validation for anything else, and for one longer than it may be."""
    if not isinstance(value, str):
        raise NodeError("validation", f"{parameter} gave {shown(value)}, which is no text. Give a text.")
    if len(value) > longest:
        message = f"{parameter} gave {len(value)} characters, and at most {longest} are taken. Cut it up first."
        raise NodeError("validation", message)
    return value


def within(items: list[Item], parameter: str) -> list[Item]:
    """Return items as they are; raises NodeError of class validation when there are too many."""
    if len(items) > MOST_ITEMS:
        message = f"{parameter} holds {len(items)} items, and at most {MOST_ITEMS} are taken. Filter or limit them."
        raise NodeError("validation", message)
    return items


def going_through(items: Iterable[Item]) -> Iterator[Item]:
    """Yield items; raises NodeError of class cancelled or timeout once the execution or the time is over."""
    cancelled = context.current().cancelled
    give_up_at = time.monotonic() + LONGEST_S
    for item in items:
        if cancelled():
            raise NodeError("cancelled", "Stopped while going through the items.")
        if time.monotonic() > give_up_at:
            message = f"Going through the items took over {LONGEST_S:g} s. Give fewer items, or simpler conditions."
            raise NodeError("timeout", message)
        yield item


def find(item: Any, path: str) -> Any:
    """Return the field of an item that a path leads to, or MISSING; a dot leads deeper, an empty path or * nowhere."""
    if path in WHOLE:
        return item
    if isinstance(item, Mapping) and path in item:
        return item[path]
    for name in path.split("."):
        if not isinstance(item, Mapping) or name not in item:
            return MISSING
        item = item[name]
    return item


def value_at(item: Any, path: str) -> Any:
    """Return the field of an item that a path leads to, or None where there is none."""
    found = find(item, path)
    return None if found is MISSING else found


def required(item: Any, path: str, place: str) -> Any:
    """Return the field of an item that a path leads to; raises NodeError of class validation where there is none."""
    found = find(item, path)
    if found is MISSING:
        raise NodeError("validation", f"{place} has no {path!r}: it is {shown(item)}. Correct the field's name.")
    return found


def number_of(value: Any) -> int | float | None:
    """Return a finite number, or the one that a text spells; None for anything else."""
    if isinstance(value, str) and len(value) <= LONGEST_NUMBER and _NUMBER.fullmatch(value.strip()):
        text = value.strip()
        value = int(text) if text.lstrip("+-").isdigit() else float(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def bounded(value: Any, name: str) -> Any:
    """Return a value as it is; raises NodeError of class validation when it is nested too deep or holds too much."""
    if weight_of(value, name) > HEAVIEST:
        message = f"{name} would hold more than {HEAVIEST} characters and values. Filter or limit what goes in."
        raise NodeError("validation", message)
    return value


def weight_of(value: Any, name: str) -> int:
    """Count the characters and values that a value holds; raises NodeError where it is nested too deep."""
    return _weight(value, name, {}, 0)


def _weight(value: Any, name: str, known: dict[int, int], depth: int) -> int:
    """Count the characters and values of a structure, each as often as it would be written."""
    if isinstance(value, str):
        return len(value) + 1
    if not isinstance(value, _CONTAINERS):
        return 1
    if depth >= DEEPEST:
        raise NodeError("validation", f"{name} is nested deeper than {DEEPEST} levels. Take a part of it.")
    if id(value) not in known:
        parts = [*value.keys(), *value.values()] if isinstance(value, Mapping) else value
        known[id(value)] = 1 + sum(_weight(part, name, known, depth + 1) for part in parts)
    return known[id(value)]
