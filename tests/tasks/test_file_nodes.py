from typing import Any

import msgspec
import pytest

from tasks import context
from tasks.artifacts import Limits, MemoryArtifacts, normal_path
from tasks.context import NodeContext
from tasks.errors import NodeError
from tasks.file import FileReadParams, FileWriteParams, file_read, file_write


@pytest.fixture
def files() -> MemoryArtifacts:
    """Enter a context with files of its own."""
    made = MemoryArtifacts(Limits(file_bytes=1000, total_bytes=1500))
    context.enter(NodeContext(artifacts=made))
    return made


def write(path: str = "a", **params: Any) -> Any:
    return file_write(params=msgspec.convert({"file_path": path, **params}, FileWriteParams)).result


def read(path: str = "a", **params: Any) -> Any:
    return file_read(params=msgspec.convert({"file_path": path, **params}, FileReadParams)).result["content"]


ROWS = [{"name": "sw1", "site": "ber"}, {"name": "sw2", "site": "ham"}]


@pytest.mark.parametrize(
    ("written", "content", "wanted", "back"),
    [
        ({"expression": "Grüße\n"}, "Grüße\n".encode(), {}, "Grüße\n"),
        ({"expression": 12.5}, b"12.5", {}, "12.5"),
        ({"content_source": "static", "static_content": "x\ny"}, b"x\ny", {"read_as": "lines"}, ["x", "y"]),
        ({"expression": "ü", "encoding": "latin1"}, b"\xfc", {"encoding": "latin1"}, "ü"),
        (
            {"expression": {"a": [1]}, "format": "json"},
            b'{\n  "a": [\n    1\n  ]\n}\n',
            {"read_as": "json"},
            {"a": [1]},
        ),
        ({"expression": 1, "format": "json", "json_pretty": False}, b"1\n", {"read_as": "json"}, 1),
        ({"expression": ROWS, "format": "csv"}, b"name,site\r\nsw1,ber\r\nsw2,ham\r\n", {"read_as": "csv"}, ROWS),
        (
            {"expression": [["a", "b"]], "format": "csv", "csv_delimiter": ";"},
            b"a;b\r\n",
            {"read_as": "csv", "csv_delimiter": ";", "csv_header": False},
            [["a", "b"]],
        ),
        ({"expression": "AAEC", "format": "binary"}, b"\0\1\2", {"read_as": "binary"}, "AAEC"),
    ],
)
def test_what_is_written_is_read_back(
    files: MemoryArtifacts, written: dict[str, Any], content: bytes, wanted: dict[str, Any], back: Any
) -> None:
    facts = write(**written)
    assert files.read("a") == content
    assert (facts["path"], facts["size_bytes"]) == ("a", len(content))
    assert read(**wanted) == back


def test_rows_are_appended_under_one_header(files: MemoryArtifacts) -> None:
    told: list[str] = []
    context.enter(NodeContext(artifacts=files, before_change=told.extend))
    for row in ROWS:
        write("x/../x.csv".replace("../", ""), expression=[row], format="csv", write_mode="append")
    assert files.list()[0].path == "x/x.csv"
    assert files.read("x/x.csv") == b"name,site\r\nsw1,ber\r\nsw2,ham\r\n"
    assert told == ["append x/x.csv"] * 2


def test_what_is_there_is_not_created_again(files: MemoryArtifacts) -> None:
    write(expression="1", write_mode="create_only")
    with pytest.raises(NodeError, match="has a file a already") as raised:
        write(expression="2", write_mode="create_only")
    assert (raised.value.error_class, files.read("a")) == ("validation", b"1")


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"expression": {"a": 1}}, "which is no text"),
        ({"expression": None}, "which is no text"),
        ({"expression": "ü", "encoding": "ascii"}, "cannot be written in ascii"),
        ({"expression": "%", "format": "binary"}, "no base64"),
        ({"expression": "x" * 1001}, "would have 1001 bytes, and a file may have 1000"),
        ({"expression": 5, "format": "csv"}, "no array"),
    ],
)
def test_what_cannot_be_written_is_refused(files: MemoryArtifacts, params: dict[str, Any], words: str) -> None:
    with pytest.raises(NodeError, match=words) as raised:
        write(**params)
    assert (raised.value.error_class, list(files.list())) == ("validation", [])


def test_all_files_together_are_bounded(files: MemoryArtifacts) -> None:
    write("a", expression="x" * 900)
    with pytest.raises(NodeError, match="the execution's files would have 1800 bytes, and 1500 are allowed"):
        write("b", expression="x" * 900)
    write("a", expression="y" * 1000)
    assert [entry.path for entry in files.list()] == ["a"]


@pytest.mark.parametrize(
    ("content", "params", "class_", "words"),
    [
        (b"\xff", {}, "parse", "a is not written in utf-8"),
        (b"{", {"read_as": "json"}, "parse", "a: source is no JSON"),
        (b'"', {"read_as": "csv"}, "parse", "a: source is no CSV"),
        (b"", {"file_path": "b"}, "validation", "has no file b; it has a"),
    ],
)
def test_what_cannot_be_read_is_said(
    files: MemoryArtifacts, content: bytes, params: dict[str, Any], class_: str, words: str
) -> None:
    files.write("a", content)
    with pytest.raises(NodeError, match=words) as raised:
        file_read(params=msgspec.convert({"file_path": "a", **params}, FileReadParams))
    assert raised.value.error_class == class_


def test_a_deleted_file_is_gone(files: MemoryArtifacts) -> None:
    files.write("a", b"1")
    files.delete("a")
    for gone in (files.read, files.delete):
        with pytest.raises(NodeError, match="has no file a; it has none"):
            gone("a")


@pytest.mark.parametrize(
    ("path", "normal"), [("a", "a"), ("a/./b//c.txt", "a/b/c.txt"), ("ä b/c", "ä b/c"), ("..a", "..a")]
)
def test_paths_are_made_normal(path: str, normal: str) -> None:
    assert normal_path(path) == normal


@pytest.mark.parametrize(
    "path", ["", ".", "/", "/etc/passwd", "..", "a/../../b", "a/..", "a\\b", "a\nb", "a\0b", "x" * 256, "//x"]
)
def test_paths_that_lead_elsewhere_are_refused(files: MemoryArtifacts, path: str) -> None:
    for use in (normal_path, files.read, files.delete, lambda name: files.write(name, b"")):
        with pytest.raises(NodeError, match="no path of a file") as raised:
            use(path)
        assert raised.value.error_class == "validation"
