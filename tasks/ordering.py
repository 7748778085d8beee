"""Says which of two values of any kind comes first, and whether they are the same."""

import math
import re
from collections.abc import Hashable, Mapping
from typing import Any

from tasks.errors import NodeError
from tasks.items import DEEPEST

_DIGITS = re.compile(r"([0-9]+)")


def is_nothing(value: Any) -> bool:
    """Say whether a value has no place in an order: null, or a number that is none."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def rank(value: Any, *, case_sensitive: bool = False, natural: bool = True) -> tuple[int, Any]:
    """Return what a value is ordered by: numbers before texts before booleans before arrays and objects.

    In natural order the digits inside a text count as numbers, so that Gi0/2 comes before Gi0/10.
    """
    if isinstance(value, bool):
        return 2, value
    if isinstance(value, int | float):
        return 0, value
    if not isinstance(value, str):
        identity(value)  # refuses what is nested too deep to be written
        return 3, repr(value)
    text = value if case_sensitive else value.casefold()
    return 1, _pieces(text) if natural else text


def identity(value: Any, depth: int = 0) -> Hashable:
    """Return something hashable that is equal for equal values: 1 and 1.0 are, 1 and true or "1" are not."""
    if depth > DEEPEST:
        raise NodeError("validation", f"A value is nested deeper than {DEEPEST} levels. Compare a field of it.")
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, int | float):
        return ("number", "nan") if is_nothing(value) else value
    if isinstance(value, Mapping):
        return "object", frozenset((key, identity(part, depth + 1)) for key, part in value.items())
    if isinstance(value, list | tuple):
        return "array", tuple(identity(part, depth + 1) for part in value)
    return type(value).__name__, str(value)


def _pieces(text: str) -> tuple[Any, ...]:
    """Cut a text at its digits, which are compared by length first, since no text is too long to be a number."""
    return tuple(
        (len(piece.lstrip("0")), piece.lstrip("0")) if place % 2 else piece
        for place, piece in enumerate(_DIGITS.split(text))
    )
