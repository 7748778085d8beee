"""Keyset paging: a list's orders, the position a page ends at, and the page itself, the same for every area."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar, cast
from uuid import UUID

from piccolo.columns import Column
from piccolo.custom_types import Combinable
from piccolo.table import Table

from app.core.errors import MalformedError, ValidationError

T = TypeVar("T")
DEFAULT_LIMIT = 50
MAX_LIMIT = 500
COUNT_EXACT_TO = 10_000


@dataclass(frozen=True, kw_only=True)
class Position:
    """Where a page ended: the order it was in, and the sort value and id of its last row, as JSON values."""

    sort: str
    value: Any
    id: str


@dataclass(frozen=True, kw_only=True)
class PageRequest:
    """Which page is wanted: ``sort`` is a column's name, with ``-`` before it for descending."""

    limit: int = DEFAULT_LIMIT
    sort: str | None = None
    after: Position | None = None


@dataclass(frozen=True, kw_only=True)
class Page(Generic[T]):
    """One page, how many rows there are in all (exact up to 10,000), and where it ended."""

    items: list[T]
    total: int
    total_is_exact: bool
    limit: int
    next: Position | None

    def map(self, convert: Callable[[T], Any]) -> "Page[Any]":
        """Return the same page with every item converted."""
        return Page(
            items=[convert(item) for item in self.items],
            total=self.total,
            total_is_exact=self.total_is_exact,
            limit=self.limit,
            next=self.next,
        )


@dataclass(frozen=True, kw_only=True)
class Ordering:
    """The orders a list offers; its columns are never null, and ``key`` breaks ties."""

    columns: Mapping[str, Column]
    key: Column
    default: str

    def resolve(self, sort: str | None) -> tuple[str, Column, bool]:
        """Return the order's full name, its column, and whether it ascends."""
        name = sort or self.default
        column = self.columns.get(name.removeprefix("-"))
        if column is None:
            offered = ", ".join(sorted(self.columns))
            raise ValidationError.of("sort", f"{name!r} is not one of {offered} (with - before it for descending)")
        return name, column, not name.startswith("-")


async def read_page(
    table: type[Table],
    request: PageRequest,
    ordering: Ordering,
    where: Combinable | None = None,
    *,
    columns: Sequence[Column] = (),
) -> Page[dict[str, Any]]:
    """Read one page of a table's rows as dicts, JSON columns decoded; ``columns`` leaves out the others."""
    name, column, ascending = ordering.resolve(request.sort)
    selection = table.select(*columns).output(load_json=True)
    if where is not None:
        selection = selection.where(where)
    if request.after is not None:
        selection = selection.where(_beyond(request.after, name, column, ordering.key, ascending=ascending))
    selection = selection.order_by(column, ascending=ascending).order_by(ordering.key, ascending=ascending)
    rows = await selection.limit(request.limit + 1)
    total = await _bounded_count(table, ordering.key, where)
    items = rows[: request.limit]
    return Page(
        items=items,
        total=min(total, COUNT_EXACT_TO),
        total_is_exact=total <= COUNT_EXACT_TO,
        limit=request.limit,
        next=_position(name, column, ordering.key, items[-1]) if len(rows) > request.limit else None,
    )


async def _bounded_count(table: type[Table], key: Column, where: Combinable | None) -> int:
    selection = table.select(key)
    if where is not None:
        selection = selection.where(where)
    bounded = selection.limit(COUNT_EXACT_TO + 1).querystrings[0]
    rows = await table.raw("SELECT count(*) AS total FROM ({}) AS bounded", bounded)
    return int(rows[0]["total"])


def _beyond(after: Position, name: str, column: Column, key: Column, *, ascending: bool) -> Combinable:
    if after.sort != name:
        raise MalformedError(f"The cursor belongs to the order {after.sort!r}, and this request sorts by {name!r}.")
    value, last = _parse(column, after.value), _parse(key, after.id)
    if ascending:
        return cast("Combinable", (column > value) | ((column == value) & (key > last)))
    return cast("Combinable", (column < value) | ((column == value) & (key < last)))


def _parse(column: Column, value: Any) -> Any:
    try:
        if column.value_type is UUID:
            return UUID(value)
        if column.value_type is datetime:
            return datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise MalformedError("The cursor cannot be read.") from error
    return value


def _position(name: str, column: Column, key: Column, row: dict[str, Any]) -> Position:
    value = row[column._meta.name]  # noqa: SLF001 — Piccolo's way to a column's name
    value = value.isoformat() if isinstance(value, datetime) else str(value) if isinstance(value, UUID) else value
    return Position(sort=name, value=value, id=str(row[key._meta.name]))  # noqa: SLF001
