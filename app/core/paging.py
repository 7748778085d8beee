"""Keyset paging: a list's orders, the position a page ends at, and the page itself, the same for every area."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec
from piccolo.columns import Column
from piccolo.columns.combination import WhereRaw
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
    """One page, how many rows there are in all (counted up to 10,000, estimated beyond), and where it ended."""

    items: list[T]
    total: int
    total_is_estimate: bool = False
    limit: int
    next: Position | None

    def map(self, convert: Callable[[T], Any]) -> "Page[Any]":
        """Return the same page with every item converted."""
        return Page(
            items=[convert(item) for item in self.items],
            total=self.total,
            total_is_estimate=self.total_is_estimate,
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
    total: int | None = None,
) -> Page[dict[str, Any]]:
    """Read one page of a table's rows as dicts, JSON columns decoded: all columns or some of them.

    ``total`` is given where a counter knows it already.
    """
    rows = await read_rows(table, request, ordering, where, columns=columns, more=1)
    counted, is_estimate = (total, False) if total is not None else await _total(table, ordering.key, where)
    items = rows[: request.limit]
    return Page(
        items=items,
        total=counted,
        total_is_estimate=is_estimate,
        limit=request.limit,
        next=end_of(items[-1], request, ordering) if len(rows) > request.limit else None,
    )


async def read_rows(
    table: type[Table],
    request: PageRequest,
    ordering: Ordering,
    where: Combinable | None = None,
    *,
    columns: Sequence[Column] = (),
    more: int = 0,
) -> list[dict[str, Any]]:
    """Read the rows of a page, and so many beyond it, without counting."""
    name, column, ascending = ordering.resolve(request.sort)
    selection = table.select(*columns).output(load_json=True)
    if where is not None:
        selection = selection.where(where)
    if request.after is not None:
        selection = selection.where(_beyond(request.after, name, column, ordering.key, ascending=ascending))
    selection = selection.order_by(column, ascending=ascending).order_by(ordering.key, ascending=ascending)
    return await selection.limit(request.limit + more)


def end_of(row: Mapping[str, Any], request: PageRequest, ordering: Ordering) -> Position:
    """Return the position after a row of a list."""
    name, column, _ = ordering.resolve(request.sort)
    value = row[_name(column)]
    value = value.isoformat() if isinstance(value, datetime) else str(value) if isinstance(value, UUID) else value
    return Position(sort=name, value=value, id=str(row[_name(ordering.key)]))


async def _total(table: type[Table], key: Column, where: Combinable | None) -> tuple[int, bool]:
    """Count up to ``COUNT_EXACT_TO`` rows; where there are more, ask PostgreSQL's planner how many it expects."""
    wanted = table.select(key) if where is None else table.select(key).where(where)
    every = wanted.querystrings[0]
    (counted,) = await table.raw("SELECT count(*) AS total FROM ({} LIMIT {}) AS bounded", every, COUNT_EXACT_TO + 1)
    if counted["total"] <= COUNT_EXACT_TO:
        return int(counted["total"]), False
    (explained,) = await table.raw("EXPLAIN (FORMAT JSON) {}", every)
    expected = msgspec.json.decode(explained["QUERY PLAN"])[0]["Plan"]["Plan Rows"]
    return max(COUNT_EXACT_TO + 1, int(expected)), True


def _beyond(after: Position, name: str, column: Column, key: Column, *, ascending: bool) -> Combinable:
    """Hold beyond a position, as a comparison of rows: an index finds its place, however deep the page."""
    if after.sort != name:
        raise MalformedError(f"The cursor belongs to the order {after.sort!r}, and this request sorts by {name!r}.")
    value, last = _parse(column, after.value), _parse(key, after.id)
    sign = ">" if ascending else "<"
    return WhereRaw(f'("{_name(column)}", "{_name(key)}") {sign} ({{}}, {{}})', value, last)


def _parse(column: Column, value: Any) -> Any:
    try:
        if column.value_type is UUID:
            return UUID(value)
        if column.value_type is datetime:
            return datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise MalformedError("The cursor cannot be read.") from error
    return value


def _name(column: Column) -> str:
    return column._meta.name  # noqa: SLF001 — Piccolo's way to a column's name
