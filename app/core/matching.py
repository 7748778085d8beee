"""Conditions that the areas' lists share: text within columns, an entry of a JSON array; and ids told from names."""

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import and_, or_
from typing import Any
from uuid import UUID

import msgspec
from piccolo.columns import Column
from piccolo.columns.combination import WhereRaw
from piccolo.custom_types import Combinable


def every(conditions: Iterable[Combinable]) -> Combinable:
    """Join conditions, of which there is at least one, with AND."""
    return reduce(and_, conditions)


def every_given(wanted: Iterable[tuple[Column, Any]]) -> Combinable | None:
    """Hold where each column has the value given for it; what is None is not asked for."""
    conditions = [column == value for column, value in wanted if value is not None]
    return every(conditions) if conditions else None


def contains(columns: Sequence[Column], text: str) -> Combinable:
    """Hold where one of the columns contains a text, in any case; ``%`` and ``_`` in it stand for themselves."""
    pattern = f"%{like_pattern(text)}%"
    return reduce(or_, (column.ilike(pattern) for column in columns))


def like_pattern(text: str) -> str:
    """Escape a text so that ``LIKE`` takes every sign of it for itself."""
    return text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")


def has_entry(column: Column, value: str) -> Combinable:
    """Hold where a JSONB array holds a value; a GIN index serves it."""
    entry = msgspec.json.encode([value]).decode()
    return WhereRaw(f'"{column._meta.name}" @> {{}}::jsonb', entry)  # noqa: SLF001 — Piccolo's way to a column's name


def read_id(text: str) -> UUID | None:
    """Return the id that a text is, or None where it is a name."""
    try:
        return UUID(text)
    except ValueError:
        return None
