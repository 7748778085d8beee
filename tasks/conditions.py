"""Compares two values as a workflow means it: numbers written as text are numbers, and expressions stay bounded."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Literal

from tasks.errors import NodeError
from tasks.patterns import LONGEST_PATTERN, LONGEST_SEARCHED, compiled, shown

ConditionType = Literal[
    "expression", "equals", "not_equals", "greater_than", "less_than", "contains", "matches", "is_empty", "is_not_empty"
]
REGEX_TIMEOUT_S = 1.0


def holds(condition: ConditionType, value: Any, compare_value: Any) -> bool:
    """Say whether a condition holds; raises NodeError of class validation where the values cannot be compared so."""
    return _CONDITIONS[condition](value, compare_value)


def is_equal(value: Any, other: Any) -> bool:
    """Say whether two values are the same; 5 equals "5", and true equals "true", but not 1."""
    if isinstance(value, bool) or isinstance(other, bool):
        return _as_boolean(value) is not None and _as_boolean(value) == _as_boolean(other)
    if isinstance(value, str) and isinstance(other, str):
        return value == other
    numbers = _number(value), _number(other)
    if None not in numbers:
        return numbers[0] == numbers[1]
    return bool(value == other)


def is_empty(value: Any) -> bool:
    """Say whether a value is null, blank text, or an array or object without anything in it; 0 and false are not."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, list | tuple | Mapping) and not value)


def _is_greater(value: Any, other: Any) -> bool:
    left, right = _number(value), _number(other)
    if left is not None and right is not None:
        return left > right
    if isinstance(value, str) and isinstance(other, str):
        return value > other
    raise NodeError(
        "validation", f"{shown(value)} and {shown(other)} cannot be ordered. Compare two numbers or two texts."
    )


def _contains(value: Any, other: Any) -> bool:
    if isinstance(value, str):
        return str(other) in value
    if isinstance(value, list | tuple):
        return any(is_equal(item, other) for item in value)
    if isinstance(value, Mapping):
        if not isinstance(other, Hashable):
            raise NodeError("validation", f"{shown(value)} cannot be asked whether it contains {shown(other)}.")
        return other in value
    raise NodeError("validation", f"{shown(value)} contains nothing. Give a text, an array or an object.")


def _matches(value: Any, pattern: Any) -> bool:
    if not isinstance(pattern, str) or len(pattern) > LONGEST_PATTERN:
        message = f"compare_value must be a regular expression of at most {LONGEST_PATTERN} characters."
        raise NodeError("validation", message)
    text = str(value)
    if len(text) > LONGEST_SEARCHED:
        raise NodeError("validation", f"Only {LONGEST_SEARCHED} characters can be matched, and these are {len(text)}.")
    try:
        return compiled(pattern, parameter="compare_value").search(text, timeout=REGEX_TIMEOUT_S) is not None
    except TimeoutError as error:
        message = (
            f"The regular expression {shown(pattern)} took over {REGEX_TIMEOUT_S:g} s. Write it without nested repeats."
        )
        raise NodeError("expression", message) from error


def _number(value: Any) -> float | int | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if not isinstance(value, str):
        return value
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return None


def _as_boolean(value: Any) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return value if isinstance(value, bool) else None


_CONDITIONS: Mapping[ConditionType, Callable[[Any, Any], bool]] = {
    "expression": lambda value, _: bool(value),
    "equals": is_equal,
    "not_equals": lambda value, other: not is_equal(value, other),
    "greater_than": _is_greater,
    "less_than": lambda value, other: _is_greater(other, value),
    "contains": _contains,
    "matches": _matches,
    "is_empty": lambda value, _: is_empty(value),
    "is_not_empty": lambda value, _: not is_empty(value),
}
