"""Entries of a batch of devices, from JSON or CSV: each read by itself, each with everything that is wrong with it."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from app.core.errors import Fault, ValidationError
from app.devices.rules import device_faults
from app.devices.schemas import MAX_BATCH, DeviceCreate, RowFault
from inventory.platforms import near

SEPARATOR = ";"
CUSTOM_PREFIX = "data."
_FIELDS = {one.name: one for one in msgspec.structs.fields(DeviceCreate)}
_REQUIRED = tuple(name for name, one in _FIELDS.items() if one.required)
_LISTS = ("tags", "credential_ids")
_COLUMNS = tuple(name for name in _FIELDS if name != "data")


@dataclass(kw_only=True)
class Row:
    """One entry: the fields that were given, the device they make, or what keeps them from making one."""

    index: int
    line: int | UnsetType = UNSET
    given: Mapping[str, Any] = field(default_factory=dict)
    device: DeviceCreate | None = None
    faults: list[Fault] = field(default_factory=list)

    def errors(self) -> Iterator[RowFault]:
        """Yield the faults with the place of the entry."""
        for fault in self.faults:
            yield RowFault(index=self.index, line=self.line, field=fault["field"], message=fault["message"])


def read_entries(entries: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Read the entries of a JSON body; raises ValidationError when there are too many."""
    _refuse_too_many(len(entries))
    rows = [_read(Row(index=index, given=entry), strict=True) for index, entry in enumerate(entries)]
    return _without_duplicates(rows)


def read_csv(body: bytes) -> list[Row]:
    """Read a CSV file whose first line names the columns; raises ValidationError when none of it can be read.

    An empty cell is a field left out. Lists are separated by ``;``, and a column ``data.rack`` is a field of ``data``.
    """
    records = _records(_decode(body))
    _, header, problem = next(records, (1, [], None))
    columns = _check_header(header, problem)
    rows: list[Row] = []
    for line, cells, problem in records:
        _refuse_too_many(len(rows) + 1)
        rows.append(_read_cells(Row(index=len(rows), line=line), columns, cells, problem))
    return _without_duplicates(rows)


def _read(row: Row, *, strict: bool) -> Row:
    try:
        row.device = msgspec.convert(row.given, DeviceCreate, strict=strict)
    except msgspec.ValidationError:
        row.faults.extend(_field_faults(row.given, strict=strict))
        values = {name: value for name, value in row.given.items() if isinstance(value, str)}
    else:
        values = {name: getattr(row.device, name) for name in ("name", "address", "platform")}
    told = {fault["field"] for fault in row.faults}
    row.faults.extend(fault for fault in device_faults(values) if fault["field"] not in told)
    row.faults.extend(
        Fault(field=name, message="holds a NUL character (U+0000)")
        for name, value in row.given.items()
        if _holds_nul(value)
    )
    return row


def _field_faults(given: Mapping[str, Any], *, strict: bool) -> Iterator[Fault]:
    """Yield what is wrong with each field; msgspec by itself stops at the first one."""
    for name, one in _FIELDS.items():
        if name in given:
            try:
                msgspec.convert(given[name], one.type, strict=strict)
            except msgspec.ValidationError as error:
                yield Fault(field=name, message=str(error))
        elif one.required:
            yield Fault(field=name, message="is required")
    for name in given.keys() - _FIELDS.keys():
        yield Fault(field=name, message=f"there is no such field; there are {', '.join(_FIELDS)}")


def _without_duplicates(rows: list[Row]) -> list[Row]:
    """Refuse every entry whose name another one bears too: nobody could tell which of them is meant."""
    named: dict[str, list[Row]] = {}
    for row in rows:
        if isinstance(row.given.get("name"), str):
            named.setdefault(row.given["name"], []).append(row)
    for alike in named.values():
        for row in alike if len(alike) > 1 else ():
            others = ", ".join(_place(other) for other in alike if other is not row)
            row.faults.append(Fault(field="name", message=f"is given by {others} too"))
    return rows


def _place(row: Row) -> str:
    return f"entry {row.index}" if row.line is UNSET else f"line {row.line}"


def _refuse_too_many(count: int) -> None:
    if count > MAX_BATCH:
        raise ValidationError.of("devices", f"at most {MAX_BATCH} entries are taken at once; send them in parts")


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, Mapping):
        return any(_holds_nul(part) for pair in value.items() for part in pair)
    return isinstance(value, list) and any(_holds_nul(part) for part in value)


def _decode(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise ValidationError.of("body", f"line {line} is not UTF-8; save the file as UTF-8") from error


class _Lines:
    """Lines that can be gone back to: a broken quote eats the lines behind it, which are read again."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines
        self.next = 0

    def __iter__(self) -> Iterator[str]:
        while self.next < len(self.lines):
            self.next += 1
            yield self.lines[self.next - 1]


def _records(text: str) -> Iterator[tuple[int, list[str], str | None]]:
    """Yield each record's first line number, its cells, and what is wrong with its quoting; none for blank lines."""
    lines = _Lines(list(io.StringIO(text, newline="")))
    while lines.next < len(lines.lines):
        first = lines.next
        try:
            cells = next(csv.reader(lines, strict=True), [])
        except csv.Error as error:
            lines.next = first + 1
            yield first + 1, [], f"the quoting is broken: {error}"
        else:
            if cells:
                yield first + 1, cells, None


def _check_header(header: Iterable[str], problem: str | None) -> list[str]:
    if problem is not None:
        raise ValidationError.of("body", f"the first line must name the columns, but {problem}")
    columns = [name.strip().lower() for name in header]
    faults = [
        *(_unknown_column(name) for name in columns if name not in _COLUMNS and not _is_custom(name)),
        *(Fault(field=name, message="the column is missing") for name in _REQUIRED if name not in columns),
        *(Fault(field=name, message="the column is there twice") for name in set(columns) if columns.count(name) > 1),
    ]
    if faults:
        told = "; ".join(f"{fault['field'] or '(unnamed)'}: {fault['message']}" for fault in faults)
        raise ValidationError(f"The first line must name the columns. {told}", faults)
    return columns


def _unknown_column(name: str) -> Fault:
    matches = near(name, _COLUMNS)
    advice = f"near to it are {', '.join(matches)}" if matches else f"there are {', '.join(_COLUMNS)} and data.<field>"
    if SEPARATOR in name:
        advice = "cells are separated by commas"
    return Fault(field=name, message=f"there is no such column; {advice}")


def _is_custom(name: str) -> bool:
    return name.startswith(CUSTOM_PREFIX) and len(name) > len(CUSTOM_PREFIX)


def _read_cells(row: Row, columns: Sequence[str], cells: Sequence[str], problem: str | None) -> Row:
    if problem is None and len(cells) != len(columns):
        problem = f"has {len(cells)} cells where the first line names {len(columns)} columns"
    if problem is not None:
        row.faults.append(Fault(field="", message=problem))
        return row
    given = {name: cell.strip() for name, cell in zip(columns, cells, strict=True) if cell.strip()}
    custom = {name.removeprefix(CUSTOM_PREFIX): cell for name, cell in given.items() if _is_custom(name)}
    plain = {name: _split(cell) if name in _LISTS else cell for name, cell in given.items() if not _is_custom(name)}
    row.given = {**plain, "data": custom} if custom else plain
    return _read(row, strict=False)


def _split(cell: str) -> list[str]:
    return [part.strip() for part in cell.split(SEPARATOR) if part.strip()]
