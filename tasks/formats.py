"""Nodes that read and write JSON, CSV and XML."""

import csv
import io
from collections.abc import Mapping, Sequence
from itertools import islice
from types import SimpleNamespace
from typing import Annotated, Any, Literal
from xml.parsers import expat

import msgspec
import xmltodict
from msgspec import Meta
from nornir.core.task import Result

from tasks.errors import NodeError
from tasks.families import GIVEN, format_node
from tasks.items import MOST_ITEMS, bounded, going_through, items_of, text_of, within
from tasks.node import Expression, Handle, Params, outcome

NO_NAME = "column_"
LINE_END = "\r\n"
"""As RFC 4180 ends lines; whatever holds one of its characters is quoted."""
ONE_CHARACTER = r'^[^"\r\n\x00](?![\s\S])'
UNWRITABLE = (TypeError, ValueError, RecursionError)
"""What writers raise for what their format cannot hold."""


class JsonParams(Params, frozen=True, kw_only=True):
    """What is read or written."""

    operation: Annotated[
        Literal["parse", "stringify"], Meta(description="parse: text to a value; stringify: a value to text.")
    ] = "parse"
    source: Annotated[Expression, Meta(description="The text to read, or the value to write.")] = GIVEN
    pretty: Annotated[bool, Meta(description="stringify: indent it, for people to read.")] = False


class CsvParams(Params, frozen=True, kw_only=True):
    """What is read or written, and how its cells are told apart."""

    operation: Annotated[
        Literal["parse", "generate"], Meta(description="parse: text to rows; generate: rows to text.")
    ] = "parse"
    source: Annotated[
        Expression, Meta(description="The text to read, or the rows to write: objects, or arrays of cells.")
    ] = GIVEN
    delimiter: Annotated[str, Meta(pattern=r'^[^"\r\n\x00](?![\s\S])', description="The character between cells.")] = (
        ","
    )
    has_header: Annotated[bool, Meta(description="parse: the first line names the columns.")] = True
    include_header: Annotated[bool, Meta(description="generate: begin with a line that names the columns.")] = True
    columns: Annotated[
        list[str],
        Meta(
            max_length=1000,
            description="parse: the columns' names, instead of those in the header; generate: the columns to write.",
        ),
    ] = []
    short_rows: Annotated[
        Literal["fail", "fill"],
        Meta(description="parse: what to do with a row that has fewer cells than columns: fail, or fill with null."),
    ] = "fail"


class XmlParams(Params, frozen=True, kw_only=True):
    """What is read or written, and what attributes and text are called."""

    operation: Annotated[
        Literal["parse", "generate"], Meta(description="parse: text to an object; generate: an object to text.")
    ] = "parse"
    source: Annotated[Expression, Meta(description="The text to read, or the value to write.")] = GIVEN
    attribute_prefix: Annotated[
        str, Meta(min_length=1, max_length=10, description="What an attribute's name begins with in the object.")
    ] = "@"
    text_node_name: Annotated[
        str,
        Meta(min_length=1, max_length=50, description="The field for the text of an element that has more than text."),
    ] = "#text"
    root_element: Annotated[
        str, Meta(max_length=200, description="generate: the element around it all; empty: the object's only field.")
    ] = "root"
    arrays: Annotated[
        list[str],
        Meta(max_length=100, description="parse: elements that always make an array, even where there is only one."),
    ] = []
    pretty: Annotated[bool, Meta(description="generate: indent it, for people to read.")] = False


PARSED = Handle("parsed", "any", "What was read; null after writing.")
TEXT = Handle("text", "string", "What was written; null after reading.")


@format_node("parse:json", name="JSON", icon="braces", outputs=(PARSED, TEXT))
def parse_json(params: JsonParams) -> Result:
    """Read JSON, or write a value as JSON; a text that is none fails the node with class ``parse``."""
    if params.operation == "stringify":
        text = _json_text(bounded(params.source, "source"))
        pretty = msgspec.json.format(text, indent=2) if params.pretty else text
        return outcome({"parsed": None, "text": text_of(pretty, "source")})
    try:
        parsed = msgspec.json.decode(text_of(params.source, "source"))
    except (msgspec.DecodeError, UnicodeError) as error:
        raise NodeError("parse", f"source is no JSON: {error}. Correct the text, or what it comes from.") from error
    except RecursionError as error:
        raise NodeError("parse", "source is JSON that is nested too deep to be read. Take a part of it.") from error
    return outcome({"parsed": bounded(parsed, "source"), "text": None})


@format_node(
    "parse:csv",
    name="CSV",
    icon="table",
    outputs=(
        Handle("rows", "array", "What was read: objects, or arrays of cells where no column has a name."),
        Handle("columns", "array", "The columns' names."),
        TEXT,
    ),
)
def parse_csv(params: CsvParams) -> Result:
    """Read rows out of CSV text, or write rows as CSV; a text that is none fails the node with class ``parse``."""
    if params.operation == "generate":
        return _csv_written(params)
    lines = _csv_lines(text_of(params.source, "source").removeprefix("\ufeff"), params.delimiter)
    columns = list(params.columns)
    if params.has_header and lines:
        (_, header), *lines = lines
        columns = columns or [name or f"{NO_NAME}{place}" for place, name in enumerate(header, 1)]
    _refuse_doubles(columns)
    rows = [_row(number, cells, columns, params) if columns else cells for number, cells in lines]
    return outcome({"rows": bounded(rows, "rows"), "columns": columns, "text": None})


@format_node("parse:xml", name="XML", icon="code-xml", outputs=(PARSED, TEXT))
def parse_xml(params: XmlParams) -> Result:
    """Read XML as an object, or write an object as XML; a text that is none fails the node with class ``parse``.

    A document with a DOCTYPE is refused: it could declare entities, or rest on what is not in it.
    """
    if params.operation == "generate":
        return outcome({"parsed": None, "text": _xml_text(params)})
    try:
        parsed = xmltodict.parse(
            text_of(params.source, "source"),
            attr_prefix=params.attribute_prefix,
            cdata_key=params.text_node_name,
            force_list=tuple(params.arrays) or None,
            expat=SimpleNamespace(ParserCreate=_parser),
        )
    except (expat.ExpatError, ValueError) as error:
        raise NodeError("parse", f"source is no XML that can be read: {error}. Correct the text.") from error
    return outcome({"parsed": bounded(parsed, "source"), "text": None})


def _parser(*arguments: Any) -> Any:
    """Create an XML parser that refuses every DOCTYPE."""
    parser = expat.ParserCreate(*arguments)
    parser.StartDoctypeDeclHandler = _refuse_doctype
    return parser


def _refuse_doctype(name: str, *_: Any) -> None:
    raise ValueError(f"it has a DOCTYPE ({name}), which is not taken")


def _json_text(value: Any) -> str:
    try:
        return msgspec.json.encode(value, enc_hook=str).decode()
    except UNWRITABLE as error:
        raise NodeError("validation", f"source cannot be written as JSON: {error}. Change what it holds.") from error


def _csv_lines(text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """Return the cells of each line with the line's number; blank lines are passed over."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        filled = ((reader.line_num, cells) for cells in going_through(reader) if cells)
        return within(list(islice(filled, MOST_ITEMS + 1)), "source")
    except csv.Error as error:
        message = f"source is no CSV in line {reader.line_num}: {error}. Correct the text, or the delimiter."
        raise NodeError("parse", message) from error


def _refuse_doubles(columns: Sequence[str]) -> None:
    if len(set(columns)) < len(columns):
        double = next(name for name in columns if columns.count(name) > 1)
        raise NodeError("parse", f"Two columns are called {double!r}. Give columns, with a name for each.")


def _row(number: int, cells: Sequence[str], columns: Sequence[str], params: CsvParams) -> dict[str, str | None]:
    missing = len(columns) - len(cells)
    if missing < 0 or (missing and params.short_rows == "fail"):
        message = f"The row that ends in line {number} has {len(cells)} cells, and there are {len(columns)} columns."
        raise NodeError("parse", f"{message} Correct it, or set short_rows or the delimiter.")
    return dict(zip(columns, [*cells, *[None] * missing], strict=True))


def _csv_written(params: CsvParams) -> Result:
    columns, rows = _table(bounded(items_of(params.source, "source"), "source"), params.columns)
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=params.delimiter, lineterminator=LINE_END)
    if params.include_header and columns:
        writer.writerow(columns)
    for row in going_through(rows):
        writer.writerow([_cell(value) for value in row])
    return outcome({"rows": None, "columns": columns, "text": text_of(written.getvalue(), "source")})


def _table(rows: Sequence[Any], columns: Sequence[str]) -> tuple[list[str], list[list[Any]]]:
    """Return the columns and the cells of rows; objects bring their fields as columns where none are given."""
    if all(isinstance(row, Mapping) for row in rows):
        names = list(columns) or list(dict.fromkeys(name for row in rows for name in row))
        return [str(name) for name in names], [[row.get(name) for name in names] for row in rows]
    if not all(isinstance(row, list | tuple) for row in rows):
        raise NodeError("validation", "source must hold objects, or arrays of cells, and only one kind of them.")
    for index, row in enumerate(rows):
        if columns and len(row) != len(columns):
            message = f"source[{index}] has {len(row)} cells, and there are {len(columns)} columns. Correct columns."
            raise NodeError("validation", message)
    return list(columns), [list(row) for row in rows]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else _json_text(value).strip('"')


def _xml_text(params: XmlParams) -> str:
    document = {params.root_element: params.source} if params.root_element else params.source
    if not isinstance(document, Mapping):
        raise NodeError("validation", "root_element is empty, so source must be an object with one field.")
    bounded(document, "source")
    try:
        text: str = xmltodict.unparse(
            document, attr_prefix=params.attribute_prefix, cdata_key=params.text_node_name, pretty=params.pretty
        )
        expat.ParserCreate("utf-8").Parse(text.encode(), True)
    except (expat.ExpatError, *UNWRITABLE) as error:
        message = f"source cannot be written as XML: {error}. Give an object whose fields are good element names."
        raise NodeError("validation", message) from error
    return text_of(text, "source")
