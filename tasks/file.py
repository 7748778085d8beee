"""Nodes that read and write the files of their execution."""

import base64
import binascii
from typing import Annotated, Any, Literal

from msgspec import Meta
from nornir.core.task import Result

from tasks import context, formats
from tasks.artifacts import Artifact, WriteMode, artifact_of, normal_path
from tasks.errors import NodeError
from tasks.families import file_node
from tasks.items import LONGEST_TEXT, bounded, text_of, within
from tasks.node import Expression, Handle, Params, outcome
from tasks.patterns import shown

FilePath = Annotated[
    str, Meta(min_length=1, max_length=1000, description="The file's path among the execution's files.")
]
Encoding = Annotated[
    Literal["utf-8", "utf-16", "ascii", "latin1"], Meta(description="How characters are written as bytes.")
]
Delimiter = Annotated[str, Meta(pattern=formats.ONE_CHARACTER, description="csv: the character between cells.")]
FACTS = (
    Handle("path", "string", "The file's path among the execution's files."),
    Handle("size_bytes", "number", "How large it is."),
    Handle("content_hash", "string", "The SHA-256 of its content."),
)


class FileReadParams(Params, frozen=True, kw_only=True):
    """What is read, and as what."""

    file_path: FilePath
    read_as: Annotated[
        Literal["text", "json", "csv", "lines", "binary"],
        Meta(description="csv: an array of rows; lines: an array of texts; binary: the content in base64."),
    ] = "text"
    encoding: Encoding = "utf-8"
    csv_delimiter: Delimiter = ","
    csv_header: Annotated[bool, Meta(description="csv: the first line names the columns.")] = True


class FileWriteParams(Params, frozen=True, kw_only=True):
    """What is written, and how."""

    file_path: FilePath
    content_source: Annotated[
        Literal["expression", "static"],
        Meta(description="expression: the value of expression; static: the text of static_content."),
    ] = "expression"
    expression: Annotated[Expression, Meta(description="expression: the value to write.")] = (
        "{{ input.data | default(none) }}"
    )
    static_content: Annotated[str, Meta(max_length=LONGEST_TEXT, description="static: the text to write.")] = ""
    write_mode: Annotated[
        WriteMode,
        Meta(description="overwrite it, append to its end, or fail where it is there already (create_only)."),
    ] = "overwrite"
    format: Annotated[
        Literal["text", "json", "csv", "binary"],
        Meta(description="How the value is written; csv takes an array of rows, binary a text in base64."),
    ] = "text"
    json_pretty: Annotated[bool, Meta(description="json: indent it, for people to read.")] = True
    encoding: Encoding = "utf-8"
    csv_delimiter: Delimiter = ","
    csv_header: Annotated[bool, Meta(description="csv: begin a new file with a line that names the columns.")] = True


@file_node(
    "file:read",
    name="Read File",
    icon="file-input",
    scope="follow",
    outputs=(Handle("content", "any", "What it holds, as read_as says."), *FACTS),
)
def file_read(params: FileReadParams) -> Result:
    """Read a file of the execution; one that does not hold what it is read as fails the node with class ``parse``."""
    path = normal_path(params.file_path)
    content = context.current().artifacts.read(path)
    return outcome({"content": _read(path, content, params), **_facts(artifact_of(path, content))})


@file_node(
    "file:write",
    name="Write File",
    icon="file-output",
    scope="follow",
    idempotent=False,
    fences_itself=True,
    dry_run=True,
    outputs=FACTS,
)
def file_write(params: FileWriteParams) -> Result:
    """Write a file of the execution, in a dry run too, since the files are the execution's own.

    They can be downloaded for as long as the execution is kept. Secrets of the vault are masked in texts.
    """
    here = context.current()
    path = normal_path(params.file_path)
    content = _written(path, params)
    if params.write_mode != "overwrite":
        here.before_change([f"{params.write_mode} {path}"])
    return outcome(_facts(here.artifacts.write(path, content, params.write_mode)))


def _facts(artifact: Artifact) -> dict[str, Any]:
    return {"path": artifact.path, "size_bytes": artifact.size_bytes, "content_hash": artifact.content_hash}


def _read(path: str, content: bytes, params: FileReadParams) -> Any:
    if params.read_as == "binary":
        return text_of(base64.b64encode(content).decode(), path)
    text = text_of(_decoded(path, content, params.encoding), path)
    match params.read_as:
        case "json":
            return _told_of(path, formats.parse_json, formats.JsonParams(source=text))["parsed"]
        case "csv":
            wanted = formats.CsvParams(source=text, delimiter=params.csv_delimiter, has_header=params.csv_header)
            return _told_of(path, formats.parse_csv, wanted)["rows"]
        case "lines":
            return within(text.splitlines(), path)
    return text


def _decoded(path: str, content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeError as error:
        message = f"{path} is not written in {encoding}: {error}. Choose another encoding, or read it as binary."
        raise NodeError("parse", message) from error


def _told_of(path: str, read: Any, params: Params) -> Any:
    try:
        return read(params=params).result
    except NodeError as error:
        raise NodeError(error.error_class, f"{path}: {error.message}") from error


def _written(path: str, params: FileWriteParams) -> bytes:
    value = params.static_content if params.content_source == "static" else params.expression
    text = _text(path, value, params)
    if isinstance(text, bytes):
        return text
    try:
        return text.encode(params.encoding)
    except UnicodeError as error:
        message = f"{path} cannot be written in {params.encoding}: {error}. Choose another encoding."
        raise NodeError("validation", message) from error


def _text(path: str, value: Any, params: FileWriteParams) -> str | bytes:
    match params.format:
        case "json":
            return _json(bounded(value, "expression"), pretty=params.json_pretty)
        case "csv":
            wanted = formats.CsvParams(
                operation="generate",
                source=value,
                delimiter=params.csv_delimiter,
                include_header=params.csv_header and not _goes_on(path, params),
            )
            return str(formats.parse_csv(params=wanted).result["text"])
        case "binary":
            return _unpacked(text_of(value, "expression"))
    if isinstance(value, str | int | float):
        return text_of(str(value), "expression")
    message = f"expression gave {shown(value)}, which is no text. Give a text, or choose the format json or csv."
    raise NodeError("validation", message)


def _json(value: Any, *, pretty: bool) -> str:
    written = formats.parse_json(params=formats.JsonParams(operation="stringify", source=value, pretty=pretty))
    return f"{written.result['text']}\n"


def _goes_on(path: str, params: FileWriteParams) -> bool:
    """Say whether what is written stands behind something that is there already."""
    files = context.current().artifacts
    return params.write_mode == "append" and any(entry.path == path and entry.size_bytes for entry in files.list(path))


def _unpacked(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        message = f"expression gave {shown(text)}, which is no base64: {error}. Correct it, or choose another format."
        raise NodeError("validation", message) from error
