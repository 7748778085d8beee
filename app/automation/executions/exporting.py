"""Results as a file: JSON, JSON Lines or CSV, written as they are read, in batches and piece by piece."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal
from uuid import UUID

import msgspec
from piccolo.custom_types import Combinable

from app.automation.executions import reading
from app.automation.executions.results import (
    ORDERING,
    REVEAL,
    ResultFilter,
    read_result,
    require_execution,
    where_of,
)
from app.automation.executions.tables import Result as ResultRow
from app.core.access import Principal
from app.core.errors import ValidationError
from app.core.paging import PageRequest, end_of, read_rows

Format = Literal["json", "jsonl", "csv"]
MEDIA_TYPES: Mapping[Format, str] = {
    "json": "application/json",
    "jsonl": "application/jsonl",
    "csv": "text/csv; charset=utf-8",
}
BATCH_ROWS = 100
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes a text for a formula by (OWASP, CSV injection)."""
FIELDS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "id": lambda shown: shown["id"],
    "node_id": lambda shown: shown["node_id"],
    "device": lambda shown: (shown["device"] or {}).get("name"),
    "device_id": lambda shown: (shown["device"] or {}).get("id"),
    "iteration": lambda shown: shown["iteration"],
    "attempt": lambda shown: shown["attempt"],
    "status": lambda shown: shown["status"],
    "handled": lambda shown: shown["handled"],
    "branch": lambda shown: shown["branch"],
    "changed": lambda shown: shown["changed"],
    "error_class": lambda shown: (shown["error"] or {}).get("class"),
    "error_message": lambda shown: (shown["error"] or {}).get("message"),
    "started_at": lambda shown: shown["started_at"],
    "duration_ms": lambda shown: shown["duration_ms"],
    "diff": lambda shown: shown["diff"],
}
OUTPUTS = "outputs"


@dataclass(frozen=True)
class Exported:
    """A result on its way into a file: its fields as JSON values, and its outputs in pieces."""

    shown: dict[str, Any]
    pieces: Callable[[], AsyncIterator[bytes]]


async def export_results(
    execution_id: UUID, filters: ResultFilter, form: Format, columns: str | None, reader: Principal
) -> AsyncIterator[bytes]:
    """Return the file's pieces, oldest result first; raises what is wrong with the request before the first one."""
    await require_execution(execution_id)
    named = _columns(form, columns)
    results = _results(await where_of(execution_id, filters), reader)
    return _lines(results, named) if form == "csv" else _objects(results, as_list=form == "json")


async def _results(where: Combinable, reader: Principal) -> AsyncIterator[Exported]:
    """Yield the results under a condition, batch by batch, each batch after the last row of the one before."""
    request = PageRequest(limit=BATCH_ROWS)
    while True:
        rows = await read_rows(ResultRow, request, ORDERING, where)
        for row in rows:
            shown = msgspec.to_builtins(read_result(row, {}, reader))
            del shown["outputs_size_bytes"]
            yield Exported(shown, partial(_pieces, shown.pop(OUTPUTS), row["output_hash"], reader))
        if len(rows) < BATCH_ROWS:
            return
        request = replace(request, after=end_of(rows[-1], request, ORDERING))


async def _pieces(inline: Any, output_hash: str | None, reader: Principal) -> AsyncIterator[bytes]:
    if output_hash is None:
        yield msgspec.json.encode(inline)
        return
    stored = await reading.load({"output_hash": output_hash})
    async for piece in reading.pieces(stored, reveals=reader.may(REVEAL)):
        yield piece


async def _objects(results: AsyncIterator[Exported], *, as_list: bool) -> AsyncIterator[bytes]:
    before, between, after = (b"[\n", b",\n", b"\n]\n") if as_list else (b"", b"\n", b"\n")
    yield before
    is_first = True
    async for result in results:
        yield (b"" if is_first else between) + msgspec.json.encode(result.shown)[:-1] + b',"outputs":'
        async for piece in result.pieces():
            yield piece
        yield b"}"
        is_first = False
    yield b"" if is_first and not as_list else after


async def _lines(results: AsyncIterator[Exported], columns: Sequence[str]) -> AsyncIterator[bytes]:
    yield ",".join(map(csv_cell, columns)).encode() + b"\r\n"
    is_flat = any(column.startswith(f"{OUTPUTS}.") for column in columns)
    async for result in results:
        outputs = msgspec.json.decode(b"".join([piece async for piece in result.pieces()])) if is_flat else None
        for index, column in enumerate(columns):
            yield b"," if index else b""
            if column == OUTPUTS:
                async for piece in _quoted(result.pieces()):
                    yield piece
            else:
                yield csv_cell(_value(column, result.shown, outputs)).encode()
        yield b"\r\n"


async def _quoted(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield b'"'
    async for piece in pieces:
        yield piece.replace(b'"', b'""')
    yield b'"'


def csv_cell(value: Any) -> str:
    """Return a value as a cell (RFC 4180); a text that a spreadsheet would run as a formula gets an apostrophe."""
    if value is None:
        return ""
    if not isinstance(value, str):
        text = msgspec.json.encode(value).decode()
    else:
        text = f"'{value}" if value.startswith(FORMULA) else value
    return '"{}"'.format(text.replace('"', '""')) if any(mark in text for mark in '",\r\n') else text


def _value(column: str, shown: Mapping[str, Any], outputs: Any) -> Any:
    if column in FIELDS:
        return FIELDS[column](shown)
    found = outputs
    for step in column.split(".")[1:]:
        if isinstance(found, Mapping):
            found = found.get(step)
        elif isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        else:
            return None
    return found


def _columns(form: Format, columns: str | None) -> list[str]:
    if columns is None:
        return [*FIELDS, OUTPUTS]
    if form != "csv":
        raise ValidationError.of("columns", f"they are for format=csv; {form} has every field")
    named = [column.strip() for column in columns.split(",")]
    for column in named:
        if column not in {*FIELDS, OUTPUTS} and not column.startswith(f"{OUTPUTS}."):
            offered = ", ".join([*FIELDS, OUTPUTS])
            raise ValidationError.of("columns", f"{column!r} is none of {offered}, nor a path such as outputs.stdout")
    return named
