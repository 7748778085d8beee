"""What an area declares of a table to the nodes that reach the database: its columns, and how its rows change."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from piccolo.columns import Column
from piccolo.custom_types import Combinable
from piccolo.table import Table

from app.core.access import Principal

OnConflict = Literal["error", "ignore", "update"]
Values = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Written:
    """Which rows came in, which were there and were changed, and how many were left as they were."""

    inserted: list[UUID] = field(default_factory=list)
    updated: list[UUID] = field(default_factory=list)
    skipped: int = 0


@dataclass(frozen=True, kw_only=True)
class Changes:
    """How rows change: the area's own functions, which ask for permissions, check and put on record as its API does."""

    key: str
    """The column that tells two rows apart."""
    settable: frozenset[str]
    changeable: frozenset[str]
    insert: Callable[[Sequence[Values], OnConflict, Principal], Awaitable[Written]]
    change: Callable[[Mapping[UUID, Values], Principal], Awaitable[None]]
    remove: Callable[[Sequence[UUID], Principal], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class DeclaredTable:
    """A table that nodes may read, and change where ``changes`` says how; its other columns do not exist for them."""

    name: str
    table: type[Table]
    columns: Mapping[str, Column]
    """The columns by the names nodes know them under; ``id`` is the primary key."""
    view: str
    """The permission that reading takes."""
    living: Combinable | None = None
    """Which of its rows there are for nodes."""
    changes: Changes | None = None
