"""What nodes do with tables: read them, and write to those that may be written to, all of it or nothing."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec

from app.automation.executions.declared import EXECUTIONS, RESULTS
from app.automation.executions.redaction import redact
from app.core import database
from app.core.access import Principal
from app.core.declarations import Changes, DeclaredTable, OnConflict, Values, Written
from app.core.errors import ValidationError
from app.core.paging import Ordering, Page, PageRequest, read_page
from app.data_tables import own, readers
from app.data_tables.readers import DeclaredReader, OwnReader
from app.data_tables.schemas import MOST_ROWS, Caller, SortColumn, Where
from app.data_tables.tables import DataRecord, DataTable
from app.devices.declared import DEVICES, GROUPS
from app.identity.acting import acting_user
from app.system import service as audit

AnyReader = DeclaredReader | OwnReader
OWN = "custom"
REVEAL = "credentials.credential.reveal"
DECLARED: Mapping[str, DeclaredTable] = {table.name: table for table in (DEVICES, GROUPS, EXECUTIONS, RESULTS)}
STATEMENT_S = 30
"""How long one statement may take."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows that were written: those that came in, those that changed, those deleted, and how many were left alone."""

    inserted: list[dict[str, Any]] = field(default_factory=list)
    updated: list[dict[str, Any]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    skipped: int = 0


TABLE_ORDERING = Ordering(
    columns={"name": DataTable.name, "created_at": DataTable.created_at}, key=DataTable.id, default="name"
)
ROW_ORDERING = Ordering(columns={"key": DataRecord.key}, key=DataRecord.id, default="key")


class _OnlySaid(Exception):
    """A dry run has seen what would happen; its transaction is taken back."""


async def list_data_tables(request: PageRequest) -> Page[dict[str, Any]]:
    """Return a page of the users' own tables."""
    return await read_page(DataTable, request, TABLE_ORDERING)


async def list_rows(name: str, request: PageRequest, reader: Principal) -> Page[dict[str, Any]]:
    """Return a page of a table's rows, redacted for readers who may not see secrets; raises NotFoundError."""
    table = await own.find_table(name)
    page = await read_page(DataRecord, request, ROW_ORDERING, DataRecord.data_table == table.id)
    return page if reader.may(REVEAL) else page.map(lambda row: {**row, "fields": redact(row["fields"])})


async def delete_data_table(name: str, actor: Principal) -> None:
    """Delete a table with its rows; raises NotFoundError."""
    async with database.transaction():
        table = await own.find_table(name)
        await DataTable.delete().where(DataTable.id == table.id)
        await audit.record("data_tables.table.delete", actor, subject_type="data_table", subject_id=name)


async def query_rows(
    table: str,
    where: Where,
    caller: Caller,
    *,
    columns: Sequence[str] = (),
    order_by: Sequence[SortColumn] = (),
    limit: int = MOST_ROWS,
) -> list[dict[str, Any]]:
    """Return rows of a table; ``custom:<name>`` is one of the users' own."""
    async with database.transaction():
        await database.execute("SET TRANSACTION READ ONLY")
        await _bound_time()
        reader = await _reader(table, await acting_user(caller.user_id))
        return await readers.read(reader, where, columns=columns, order_by=order_by, limit=limit)


async def insert_rows(
    table: str,
    rows: Sequence[Values],
    caller: Caller,
    *,
    on_conflict: OnConflict = "error",
    key_columns: Sequence[str] = (),
    batch_size: int = 1000,
) -> Rows:
    """Write new rows; one whose key is there is an error, left alone, or changed by the fields that are given."""
    async with _writing(caller) as actor:
        reader = await _open_for_rows(table, rows, key_columns)
        parts = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
        results = [await _insert(reader, part, on_conflict, actor) for part in parts]
        inserted = dict.fromkeys(one for result in results for one in result.inserted)
        updated = dict.fromkeys(one for result in results for one in result.updated if one not in inserted)
        written = Rows(
            inserted=await readers.by_ids(reader, list(inserted)),
            updated=await readers.by_ids(reader, list(updated)),
            skipped=sum(result.skipped for result in results),
        )
        await _record("insert", reader, written, caller, actor)
        return written


async def update_rows(table: str, where: Where, values: Values, caller: Caller) -> Rows:
    """Set columns of the rows that are meant; raises ValidationError where that would be every row."""
    where.require()
    async with _writing(caller) as actor:
        reader = await _reader(table, actor)
        found = await readers.find(reader, where)
        return await _change(reader, {UUID(row[reader.id_column]): values for row in found}, caller, actor)


async def update_each(table: str, key_column: str, rows: Sequence[Values], caller: Caller) -> Rows:
    """Set columns of the rows that have in a column what an item has there; later items count before earlier ones."""
    async with _writing(caller) as actor:
        reader = await _reader(table, actor)
        wanted = _by_value(reader, rows, key_column)
        found = []
        for start in range(0, len(rows), readers.MOST_AT_ONCE):
            part = rows[start : start + readers.MOST_AT_ONCE]
            found += await readers.find(reader, Where.one_of(key_column, [row[key_column] for row in part]))
        changes = {UUID(row[reader.id_column]): wanted[_comparable(reader, row[key_column])] for row in found}
        return await _change(reader, changes, caller, actor)


async def delete_rows(table: str, where: Where, caller: Caller) -> Rows:
    """Delete the rows that are meant; raises ValidationError where that would be every row."""
    where.require()
    async with _writing(caller) as actor:
        reader = await _reader(table, actor)
        found = [UUID(row[reader.id_column]) for row in await readers.find(reader, where)]
        if isinstance(reader, DeclaredReader):
            await _changes(reader.declared).remove(found, actor)
        else:
            await own.remove_rows(found)
        written = Rows(deleted=[str(one) for one in found])
        await _record("delete", reader, written, caller, actor)
        return written


@asynccontextmanager
async def _writing(caller: Caller) -> AsyncIterator[Principal]:
    """Open the transaction of one write; that of a dry run is taken back."""
    with suppress(_OnlySaid):
        async with database.transaction():
            await _bound_time()
            yield await acting_user(caller.user_id)
            if caller.dry_run:
                raise _OnlySaid


async def _bound_time() -> None:
    await database.execute(f"SET LOCAL statement_timeout = '{STATEMENT_S}s'")


async def _reader(table: str, actor: Principal) -> AnyReader:
    declared = DECLARED.get(table)
    if declared is None:
        return await own.find_table(_own_name(table))
    actor.require(declared.view)
    return DeclaredReader(declared)


def _own_name(table: str) -> str:
    kind, _, name = table.partition(":")
    if kind != OWN or not name:
        known = ", ".join((*DECLARED, f"{OWN}:<name>"))
        raise ValidationError.of("table", f"{table!r} is no table that nodes reach; there is {known}")
    return name


def _changes(declared: DeclaredTable, key_columns: Sequence[str] = ()) -> Changes:
    if declared.changes is None:
        raise ValidationError.of("table", f"{declared.name} can only be read. Write to a table of your own.")
    if list(key_columns) not in ([], [declared.changes.key]):
        raise ValidationError.of("table", f"a row of {declared.name} is known by its {declared.changes.key} alone")
    return declared.changes


async def _open_for_rows(table: str, rows: Sequence[Values], key_columns: Sequence[str]) -> AnyReader:
    declared = DECLARED.get(table)
    if declared is None:
        return await own.take_table(_own_name(table), key_columns)
    reader = DeclaredReader(declared)
    _only(reader, rows, _changes(declared, key_columns).settable)
    return reader


async def _insert(reader: AnyReader, rows: Sequence[Values], on_conflict: OnConflict, actor: Principal) -> Written:
    if isinstance(reader, OwnReader):
        return await own.insert_rows(reader, rows, on_conflict)
    return await _changes(reader.declared).insert(rows, on_conflict, actor)


async def _change(reader: AnyReader, changes: Mapping[UUID, Values], caller: Caller, actor: Principal) -> Rows:
    if isinstance(reader, DeclaredReader):
        allowed = _changes(reader.declared)
        _only(reader, list(changes.values()), allowed.changeable)
        await allowed.change(changes, actor)
    else:
        await own.change_rows(reader, changes)
    written = Rows(updated=await readers.by_ids(reader, list(changes)))
    await _record("update", reader, written, caller, actor)
    return written


def _only(reader: DeclaredReader, rows: Sequence[Values], columns: frozenset[str]) -> None:
    """Refuse columns that nodes may not write to."""
    other = sorted({name for row in rows for name in row} - columns)
    if other:
        message = f"{reader.name}: nodes do not write to {', '.join(other)}; they write to {', '.join(sorted(columns))}"
        raise ValidationError.of("data_expression", message)


def _by_value(reader: AnyReader, rows: Sequence[Values], key_column: str) -> dict[str, dict[str, Any]]:
    wanted: dict[str, dict[str, Any]] = {}
    for place, row in enumerate(rows):
        if row.get(key_column) is None:
            raise ValidationError.of("data_expression", f"item {place} has no {key_column!r} to find its row by")
        wanted[_comparable(reader, row[key_column])] = {
            name: value for name, value in row.items() if name != key_column
        }
    return wanted


def _comparable(reader: AnyReader, value: Any) -> str:
    """Return what equal values share: as JSON where fields are compared as JSON, else as text."""
    return msgspec.json.encode(value).decode() if isinstance(reader, OwnReader) else str(value)


async def _record(verb: str, reader: AnyReader, written: Rows, caller: Caller, actor: Principal) -> None:
    """Put a write on record; areas do so themselves for what they declare."""
    if isinstance(reader, DeclaredReader):
        return
    counts = {"inserted": len(written.inserted), "updated": len(written.updated), "deleted": len(written.deleted)}
    await audit.record(
        f"data_tables.rows.{verb}",
        actor,
        subject_type="data_table",
        subject_id=reader.name,
        details={**counts, "execution": caller.execution, "node": caller.node},
    )
