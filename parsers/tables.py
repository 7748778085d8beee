"""Reads the boxes that devices draw with `+`, `-` and `|` into rows that know their line numbers."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from parsers.errors import ParseError

_HEADER_LINES = 4


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a box, with any lines that its last cell runs over."""

    number: int
    line: str

    @property
    def is_border(self) -> bool:
        """Tell whether the line separates rows; a border may carry a title."""
        return self.line.startswith("+") or (self.line.startswith("|-") and not self.line.strip("|+-"))

    @property
    def is_closed(self) -> bool:
        """Tell whether the line reaches the right edge of its box."""
        return self.line.endswith(("|", "+"))

    @property
    def cells(self) -> list[str]:
        """The texts between the bars, spaces kept."""
        return (self.line[1:-1] if self.is_closed else self.line[1:]).split("|")

    def refuse(self, message: str) -> ParseError:
        """Make the ParseError that points at this row."""
        return ParseError(message, self.number, self.line.split("\n", 1)[0])


Section = tuple[Row, ...]
"""The rows between two borders."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name as the header prints it, and where its cells start in a line."""

    name: str
    start: int


@dataclass(frozen=True, slots=True)
class Table:
    """A header with named columns and the sections of rows under it."""

    header: Section
    columns: tuple[Column, ...]
    body: tuple[Section, ...]

    def rows(self) -> Iterator[Row]:
        """Yield the rows under the header; raise ParseError when no border closes them."""
        if not self.body:
            raise self.header[-1].refuse("the output ends after the table's header; give all that was printed")
        return itertools.chain.from_iterable(self.body)

    def cells(self, row: Row) -> list[str]:
        """Return the cells of a row as printed; raise ParseError when they are not one per column."""
        if not row.is_closed:
            raise row.refuse("the row is cut off before the table's right edge; give all that was printed")
        cells, places = row.cells, [column.start for column in self.columns]
        if len(cells) > len(places) and all(row.line[place - 1 : place] == "|" for place in places):
            ends = [place - 1 for place in places[1:]] + [len(row.line) - 1]
            cells = [row.line[start:end] for start, end in zip(places, ends, strict=True)]
        if len(cells) != len(places):
            raise row.refuse(
                f"the row has {len(cells)} cells and the header {len(places)}; "
                "give all that one command printed, and nothing else"
            )
        return cells

    def fields(self, row: Row, names: Mapping[str, str]) -> tuple[dict[str, str | None], dict[str, str | None]]:
        """Return a row's texts by field, and those of columns that `names` does not know, by heading.

        `names` gives the field of a column's lower-case heading. A field without a column, and a blank
        cell, is None.
        """
        known: dict[str, str | None] = dict.fromkeys(names.values())
        other: dict[str, str | None] = {}
        for column, cell in zip(self.columns, self.cells(row), strict=True):
            field, text = names.get(column.name.lower()), cell.strip() or None
            if field is None:
                other[column.name] = text
            else:
                known[field] = text
        return known, other


def find_table(text: str, *, command: str, required: frozenset[str], above: int = 0) -> Table:
    """Return the first table whose header names all `required` columns (in lower case).

    A single line of fewer cells on top of the header names groups: "Link" under "Admin Config" becomes
    "Admin Config: Link". The boxes above the table have rows of `above` cells.
    Raises ParseError when there is no such table, and when anything else is in its way or cut off.
    """
    sections = _sections(text)
    for place, header in enumerate(sections):
        groups = _groups(sections[place - 1]) if place else []
        columns = _columns(header, groups)
        if required <= {column.name.lower() for column in columns}:
            _check_above(sections[: place - bool(groups)], command, above)
            return Table(header, columns, tuple(sections[place + 1 :]))
    raise ParseError(
        f"this is not the output of {command!r}: no table has the columns {', '.join(sorted(required))}; "
        f"give what {command!r} printed",
        *_first_line(text),
    )


def _check_above(sections: list[Section], command: str, cells: int) -> None:
    for row in itertools.chain.from_iterable(sections):
        if len(row.cells) != cells:
            raise row.refuse(f"the row is no part of {command!r}; give what that printed, and nothing else")


def _first_line(text: str) -> tuple[int, str]:
    lines = ((number, line.strip()) for number, line in enumerate(text.split("\n"), 1))
    return next(((number, line) for number, line in lines if line), (1, ""))


def _sections(text: str) -> list[Section]:
    sections: list[Section] = []
    borders: list[Row] = []
    rows: list[Row] = []
    for row in _rows(text):
        if not row.is_border:
            rows.append(row)
            continue
        if not row.is_closed:
            raise row.refuse("the border is cut off; give all that was printed")
        if borders:
            sections.append(tuple(rows))
        elif rows:
            raise rows[0].refuse("the row stands above its table's upper border; give all that was printed")
        borders.append(row)
        rows = []
    if rows:
        raise rows[-1].refuse("the table ends without its closing border; give all that was printed")
    if len(borders) > 1 and len(borders[-1].line) < len(borders[-2].line):
        raise borders[-1].refuse("the closing border is cut off; give all that was printed")
    return sections


def _rows(text: str) -> Iterator[Row]:
    """Yield the lines of boxes; other text may stand before the first and after the last, not between."""
    number, parts = 0, list[str]()
    stray: tuple[int, str] | None = None
    for here, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if line.startswith(("+", "|")):
            if stray:
                raise ParseError("the line is no part of the table that it stands in; take it out", *stray)
            if parts:
                yield Row(number, "\n".join(parts))
            number, parts = here, [line]
        elif line and parts and not parts[-1].endswith(("|", "+")):
            # A cell that holds line breaks, such as a system description, is printed with them.
            parts.append(line)
        elif line and parts:
            stray = stray or (here, line)
    if parts:
        yield Row(number, "\n".join(parts))


def _groups(section: Section) -> list[Column]:
    cells = section[0].cells if len(section) == 1 else []
    if len(cells) <= 1:
        return []
    return [Column(cell.strip(), start) for cell, start in zip(cells, _starts(cells), strict=True)]


def _columns(header: Section, groups: list[Column]) -> tuple[Column, ...]:
    """Join the cells of a header's lines, or return nothing when the rows cannot be a header."""
    lines = [row.cells for row in header]
    if not 0 < len(lines) <= _HEADER_LINES or len({len(cells) for cells in lines}) != 1:
        return ()
    names = (" ".join(" ".join(parts).split()) for parts in zip(*lines, strict=True))
    columns = tuple(
        Column(_under(groups, start, name), start) for start, name in zip(_starts(lines[0]), names, strict=True)
    )
    return columns if len({column.name.lower() for column in columns}) == len(columns) else ()


def _starts(cells: list[str]) -> list[int]:
    widths = (len(cell) + 1 for cell in cells[:-1])
    return list(itertools.accumulate(widths, initial=1))


def _under(groups: list[Column], start: int, name: str) -> str:
    over = next((group.name for group in reversed(groups) if group.start <= start), "")
    return f"{over}: {name}" if over else name
