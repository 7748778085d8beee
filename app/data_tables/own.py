"""The users' own tables: made by the first row that is written to them, and written in few statements."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from app.core import database
from app.core.clock import uuid7
from app.core.declarations import OnConflict, Values, Written
from app.core.errors import ConflictError, NotFoundError, ValidationError
from app.data_tables.readers import OWN, OwnReader

LONGEST_KEY = 255
SHOWN = 3
_TAKE = (
    "INSERT INTO data_records (id, data_table, key, fields, created_at, updated_at) "
    "SELECT new.id, $1, new.key, new.fields::jsonb, now(), now() "
    "FROM unnest($2::uuid[], $3::text[], $4::text[]) AS new(id, key, fields) ON CONFLICT (data_table, key) "
)
_LEAVE = f"{_TAKE} DO NOTHING RETURNING id, key, true AS inserted"
_CHANGE = (
    f"{_TAKE} DO UPDATE SET fields = data_records.fields || excluded.fields, updated_at = now() "
    "RETURNING id, key, (xmax = 0) AS inserted"
)
_UPDATE = (
    "UPDATE data_records AS old SET fields = old.fields || new.fields::jsonb, updated_at = now() "
    "FROM unnest($1::uuid[], $2::text[]) AS new(id, fields) WHERE old.id = new.id"
)


async def find_table(name: str) -> OwnReader:
    """Return a user's own table; raises NotFoundError."""
    row = await database.fetch_one("SELECT id, key_columns FROM data_tables WHERE name = $1", name)
    if row is None:
        message = f"custom_table: there is no table {name!r} yet. db:insert and db:upsert make it with its first rows."
        raise NotFoundError(message, code="DATA_TABLE_NOT_FOUND")
    return OwnReader(row["id"], name, tuple(msgspec.json.decode(row["key_columns"])))


async def take_table(name: str, key_columns: Sequence[str]) -> OwnReader:
    """Return a user's own table, made now if need be; raises ConflictError where its key is another.

    No key columns mean those it has. As long as it holds no rows its key may be changed.
    """
    wanted = _json(list(key_columns))
    await database.execute(
        "INSERT INTO data_tables (id, name, key_columns, created_at) VALUES ($1, $2, $3::jsonb, now()) "
        "ON CONFLICT (name) DO NOTHING",
        uuid7(),
        name,
        wanted,
    )
    table = await find_table(name)
    if not key_columns or table.key_columns == tuple(key_columns):
        return table
    changed = await database.execute(
        "UPDATE data_tables SET key_columns = $2::jsonb WHERE id = $1 "
        "AND NOT EXISTS (SELECT FROM data_records WHERE data_table = $1)",
        table.id,
        wanted,
    )
    if not changed:
        key = ", ".join(table.key_columns) or "none"
        raise ConflictError(
            f"The key of the table {name!r} is {key}, and not {', '.join(key_columns)}. "
            "Use its key, choose another table, or delete its rows first."
        )
    return await find_table(name)


async def insert_rows(table: OwnReader, rows: Sequence[Values], on_conflict: OnConflict) -> Written:
    """Write rows; of rows with one key the later ones count, but none where a conflict is an error."""
    keyed = _by_key(table, rows, on_conflict)
    ordered = sorted(keyed.items())  # one order everywhere, or two writers could wait for each other
    ids = {key: uuid7() for key, _ in ordered} if table.key_columns else {key: UUID(key) for key, _ in ordered}
    written = await database.fetch(
        _CHANGE if on_conflict == "update" else _LEAVE,
        table.id,
        [ids[key] for key, _ in ordered],
        [key for key, _ in ordered],
        [_json(row) for _, row in ordered],
    )
    known = keyed.keys() - {row["key"] for row in written}
    if known and on_conflict == "error":
        told = "; ".join(sorted(known)[:SHOWN])
        message = f"{len(known)} rows are in {table.name!r} already: {told}."
        raise ConflictError(f"{message} Set on_conflict, or use db:upsert.")
    by_key = {row["key"]: row for row in written}
    found = [by_key[key] for key in keyed if key in by_key]
    return Written(
        inserted=[row["id"] for row in found if row["inserted"]],
        updated=[row["id"] for row in found if not row["inserted"]],
        skipped=len(rows) - len(found),
    )


async def change_rows(table: OwnReader, changes: Mapping[UUID, Values]) -> None:
    """Set fields of rows and leave the others; raises ValidationError for a field that is part of the key."""
    for values in changes.values():
        part = next((name for name in table.key_columns if name in values), None)
        if part is not None:
            message = f"{part!r} is part of the key of {table.name!r}, which stays as it is; use db:upsert for new rows"
            raise ValidationError.of("data_expression", message)
    await database.execute(_UPDATE, list(changes), [_json(_fields(values)) for values in changes.values()])


async def remove_rows(ids: Sequence[UUID]) -> None:
    """Delete rows."""
    await database.execute("DELETE FROM data_records WHERE id = ANY($1)", list(ids))


def _by_key(table: OwnReader, rows: Sequence[Values], on_conflict: OnConflict) -> dict[str, dict[str, Any]]:
    keyed: dict[str, dict[str, Any]] = {}
    for place, row in enumerate(rows):
        fields = _fields(row)
        key = _key(table, fields, place) if table.key_columns else str(uuid7())
        if key in keyed and on_conflict == "error":
            raise ConflictError(f"Two of the rows have the key {key}, item {place} and one before it.")
        keyed[key] = {**keyed.get(key, {}), **fields} if on_conflict == "update" else keyed.get(key, fields)
    return keyed


def _key(table: OwnReader, row: Mapping[str, Any], place: int) -> str:
    for name in table.key_columns:
        if row.get(name) is None or isinstance(row[name], Mapping | list):
            message = f"item {place} has no {name!r} to be known by: the key is {', '.join(table.key_columns)}"
            raise ValidationError.of("data_expression", message)
    key = _json([row[name] for name in table.key_columns])
    if len(key) > LONGEST_KEY:
        message = f"the key of item {place} is longer than {LONGEST_KEY} characters"
        raise ValidationError.of("data_expression", message)
    return key


def _fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row without what every row has of itself."""
    return {name: value for name, value in row.items() if name not in OWN}


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
