"""A condition that is asked of a field of an item, as nodes take it among their parameters."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from tasks.conditions import ConditionType, holds
from tasks.errors import NodeError
from tasks.families import FieldPath
from tasks.items import value_at
from tasks.patterns import shown

NEVER_OF_NOTHING = frozenset({"greater_than", "less_than", "contains", "matches"})
"""What null cannot be asked: no order, no content."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked of a field of an item."""

    field: FieldPath = ""
    condition_type: Annotated[
        ConditionType, Meta(description="What is asked of the field; expression asks whether it is true by itself.")
    ] = "equals"
    compare_value: Annotated[Any, Meta(description="What the field is compared with.")] = None


def fits(item: Any, rule: Rule) -> bool:
    """Say whether a rule holds for an item; a missing field is null, and null is neither large, small nor full.

    Raises NodeError of class validation where the values cannot be compared so.
    """
    value = value_at(item, rule.field)
    if value is None and rule.condition_type in NEVER_OF_NOTHING:
        return False
    try:
        return holds(rule.condition_type, value, rule.compare_value)
    except TypeError as error:
        message = f"{shown(value)} cannot be asked whether it {rule.condition_type} {shown(rule.compare_value)}."
        raise NodeError("validation", f"{message} Compare with a text or a number.") from error
