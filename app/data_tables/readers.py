"""How rows of both kinds of tables are selected: those that areas declare, and those of the users' own."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import Any, Protocol
from uuid import UUID

import msgspec
from piccolo.columns import JSON, Column
from piccolo.custom_types import Combinable
from piccolo.query import Select

from app.core import database
from app.core.declarations import DeclaredTable
from app.core.errors import ValidationError
from app.data_tables.conditions import by_field, on_column, on_field
from app.data_tables.schemas import MOST_ROWS, Condition, SortColumn, Where
from app.data_tables.tables import DataRecord

HEAVIEST = 32_000_000
"""The most that an answer may hold, in characters of text and single values."""
PREFETCH = 500
OWN: Mapping[str, Column] = {
    "row_id": DataRecord.id,
    "row_created_at": DataRecord.created_at,
    "row_updated_at": DataRecord.updated_at,
}
"""What every row of a user's own table has beside its fields."""


class Reader(Protocol):
    """A table as it is read."""

    @property
    def name(self) -> str:
        """What nodes call it."""

    @property
    def id_column(self) -> str:
        """The column that holds a row's id."""

    def select(self) -> Select[Any]:
        """Select all of its rows."""

    def condition(self, condition: Condition, place: str) -> Combinable:
        """Return what a condition asks; raises ValidationError."""

    def order(self, selection: Select[Any], by: SortColumn) -> Select[Any]:
        """Order a selection by a column; raises ValidationError."""

    def shown(self, row: Mapping[str, Any], columns: Sequence[str]) -> dict[str, Any]:
        """Return a row as nodes see it: some of its columns, or all."""


@dataclass(frozen=True)
class DeclaredReader:
    """Reads a table that an area declares."""

    declared: DeclaredTable
    id_column: str = "id"

    @property
    def name(self) -> str:
        """What nodes call it."""
        return self.declared.name

    def select(self) -> Select[Any]:
        """Select all rows that there are for nodes."""
        columns = [column.as_alias(name) for name, column in self.declared.columns.items()]
        selection = self.declared.table.select(*columns)
        return selection if self.declared.living is None else selection.where(self.declared.living)

    def condition(self, condition: Condition, place: str) -> Combinable:
        """Return what a condition asks of a declared column."""
        return on_column(self.column(condition.column, place), condition, place)

    def order(self, selection: Select[Any], by: SortColumn) -> Select[Any]:
        """Order a selection by a declared column."""
        return selection.order_by(self.column(by.column, "order_by"), ascending=by.direction == "asc")

    def shown(self, row: Mapping[str, Any], columns: Sequence[str]) -> dict[str, Any]:
        """Return a row with its JSON columns read."""
        for name in columns:
            self.column(name, "columns")
        found = {name: _read(row[name], column) for name, column in self.declared.columns.items()}
        return _plain({name: found[name] for name in columns or found})

    def column(self, name: str, place: str) -> Column:
        """Return a column that is declared; raises ValidationError for any other."""
        found = self.declared.columns.get(name)
        if found is None:
            known = ", ".join(self.declared.columns)
            raise ValidationError.of(place, f"{self.name} has no column {name!r}; it has {known}")
        return found


@dataclass(frozen=True)
class OwnReader:
    """Reads a table of the users' own."""

    id: UUID
    name: str
    key_columns: tuple[str, ...] = ()
    id_column: str = "row_id"

    def select(self) -> Select[Any]:
        """Select all its rows."""
        columns = [column.as_alias(name) for name, column in OWN.items()]
        return DataRecord.select(*columns, DataRecord.fields).where(DataRecord.data_table == self.id)

    def condition(self, condition: Condition, place: str) -> Combinable:
        """Return what a condition asks of a field."""
        own = OWN.get(condition.column)
        return on_field(condition, place) if own is None else on_column(own, condition, place)

    def order(self, selection: Select[Any], by: SortColumn) -> Select[Any]:
        """Order a selection by a field; rows that lack it come last."""
        own, ascending = OWN.get(by.column), by.direction == "asc"
        if own is not None:
            return selection.order_by(own, ascending=ascending)
        lacking, value = by_field(by.column)
        return selection.order_by(lacking).order_by(value, ascending=ascending)

    def shown(self, row: Mapping[str, Any], columns: Sequence[str]) -> dict[str, Any]:
        """Return a row's fields, and what every row has; a field that a row lacks is null."""
        own = _plain({name: row[name] for name in OWN})
        whole = {**msgspec.json.decode(row["fields"]), **own}
        return {name: whole.get(name) for name in columns} if columns else whole


async def read(
    reader: Reader,
    where: Where,
    *,
    columns: Sequence[str] = (),
    order_by: Iterable[SortColumn] = (),
    limit: int = MOST_ROWS,
    lock: bool = False,
) -> list[dict[str, Any]]:
    """Return the rows that are meant, within the caller's transaction; raises ValidationError for too much of them."""
    selection = reader.select()
    if where.conditions:
        join: Callable[[Any, Any], Any] = and_ if where.combine == "and" else or_
        asked = [reader.condition(one, f"where[{place}]") for place, one in enumerate(where.conditions)]
        selection = selection.where(reduce(join, asked))
    for by in order_by:
        selection = reader.order(selection, by)
    selection = selection.limit(limit)
    if lock:
        selection = reader.order(selection, SortColumn(column=reader.id_column)).lock_rows()
    sql, arguments = selection.querystrings[0].compile_string()
    rows: list[dict[str, Any]] = []
    weight = 0
    async with database.connection() as lent:
        async for row in lent.cursor(sql, *arguments, prefetch=PREFETCH):
            weight += sum(len(value) if isinstance(value, str) else 1 for value in row.values())
            if weight > HEAVIEST:
                message = f"the rows hold more than {HEAVIEST} characters; take fewer of them, or fewer columns"
                raise ValidationError.of("limit", message)
            rows.append(reader.shown(row, columns))
    return rows


async def find(reader: Reader, where: Where) -> list[dict[str, Any]]:
    """Return the rows that are meant, locked in the order of their ids; raises ValidationError for too many."""
    rows = await read(reader, where, limit=MOST_ROWS + 1, lock=True)
    if len(rows) > MOST_ROWS:
        raise ValidationError.of("where", f"more than {MOST_ROWS} rows are meant; say it more closely")
    return rows


async def by_ids(reader: Reader, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Return the rows of some ids, in the order of the ids."""
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(ids), MOST_AT_ONCE):
        part = ids[start : start + MOST_AT_ONCE]
        rows = await read(reader, Where.one_of(reader.id_column, part))
        found |= {row[reader.id_column]: row for row in rows}
    return [found[str(one)] for one in ids if str(one) in found]


MOST_AT_ONCE = 10_000
"""How many values one statement looks for."""


def _read(value: Any, column: Column) -> Any:
    return msgspec.json.decode(value) if isinstance(column, JSON) and isinstance(value, str) else value


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, UUID) else msgspec.to_builtins(value) for name, value in row.items()}
