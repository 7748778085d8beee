"""parse:json, parse:csv and parse:xml, both ways."""

import csv
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasks import items as bounds
from tasks.formats import parse_csv, parse_json, parse_xml
from tests.support.node_values import ANYTHING, JSON, assert_survives, outputs, refusal, run

PEOPLE = "name,age\nAda,36\nAlan,41\n"
CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6)
COLUMNS = st.lists(CELLS.filter(bool), min_size=1, max_size=4, unique=True).filter(
    lambda names: not names[0].startswith("\ufeff")
)
TAGS = st.sampled_from(["a", "port", "link-state", "ns:x", "_y1"])
WORDS = st.text("abc äö&<>\"'", min_size=1, max_size=8).map(str.strip).filter(bool)
TREES = st.recursive(
    WORDS,
    lambda inner: st.dictionaries(TAGS, inner | st.lists(inner, min_size=2, max_size=3), min_size=1, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": [1, 2.5, true, null, "ü"]}', {"a": [1, 2.5, True, None, "ü"]}),
        (" 5 ", 5),
        ('"text"', "text"),
        ("1180591620717411303424", 2**70),
    ],
)
def test_json_is_read(text: str, expected: Any) -> None:
    assert outputs(parse_json, source=text) == {"parsed": expected, "text": None}


@pytest.mark.parametrize(
    ("source", "error_class", "words"),
    [
        ("", "parse", "source is no JSON"),
        ("{'a': 1}", "parse", "source is no JSON: JSON is malformed"),
        ('{"a": 1', "parse", "source is no JSON"),
        ("NaN", "parse", "source is no JSON"),
        ("[1e999]", "parse", "source is no JSON"),
        ('"\ud800"', "parse", "source is no JSON"),
        ("[" * 5000, "parse", "nested too deep"),
        ("[" * 150 + "]" * 150, "validation", "nested deeper than 100 levels"),
        ({"a": 1}, "validation", "which is no text"),
        (None, "validation", "source gave None"),
    ],
)
def test_json_that_is_none_is_told(source: Any, error_class: str, words: str) -> None:
    told, message = refusal(parse_json, source=source)
    assert told == error_class
    assert words in message


def test_values_are_written_as_json() -> None:
    given = outputs(parse_json, operation="stringify", source={"a": [1, None], "b": "ü"})
    assert given == {"parsed": None, "text": '{"a":[1,null],"b":"ü"}'}
    assert outputs(parse_json, operation="stringify", source={"a": 1}, pretty=True)["text"] == '{\n  "a": 1\n}'


def test_what_json_cannot_hold_is_told() -> None:
    error_class, message = refusal(parse_json, operation="stringify", source=["\ud800"])
    assert error_class == "validation"
    assert "source cannot be written as JSON" in message


@pytest.mark.parametrize(
    ("node", "params"),
    [
        (parse_json, {"source": '"' + "x" * 200 + '"'}),
        (parse_json, {"source": "x" * 200, "operation": "stringify"}),
        (parse_csv, {"source": "a\n" + "x" * 200}),
        (parse_csv, {"source": [["x" * 200]], "operation": "generate"}),
        (parse_xml, {"source": "<a>" + "x" * 200 + "</a>"}),
        (parse_xml, {"source": "x" * 200, "operation": "generate"}),
    ],
)
def test_texts_keep_to_their_length(node: Any, params: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "HEAVIEST", 150)
    assert refusal(node, **params)[0] == "validation"


def test_too_long_a_text_is_not_even_looked_at() -> None:
    for node in (parse_json, parse_csv, parse_xml):
        assert "at most 10000000 are taken" in refusal(node, source="x" * 10_000_001)[1]


@pytest.mark.parametrize(
    ("text", "params", "rows", "columns"),
    [
        (PEOPLE, {}, [{"name": "Ada", "age": "36"}, {"name": "Alan", "age": "41"}], ["name", "age"]),
        ("\ufeff" + PEOPLE[:16], {}, [{"name": "Ada", "age": "36"}], ["name", "age"]),
        ("a;b\r\n\r\n1;2\r\n", {"delimiter": ";"}, [{"a": "1", "b": "2"}], ["a", "b"]),
        ("1,2\n3\n", {"has_header": False}, [["1", "2"], ["3"]], []),
        ("1,2\n", {"has_header": False, "columns": ["a", "b"]}, [{"a": "1", "b": "2"}], ["a", "b"]),
        ("x,y\n1,2\n", {"columns": ["a", "b"]}, [{"a": "1", "b": "2"}], ["a", "b"]),
        ("a,,b,\n1,2,3,4\n", {}, [{"a": "1", "column_2": "2", "b": "3", "column_4": "4"}],
         ["a", "column_2", "b", "column_4"]),
        ('a,b\n"x,""y""\nz",2\n', {}, [{"a": 'x,"y"\nz', "b": "2"}], ["a", "b"]),
        ("a,b,c\n1\n", {"short_rows": "fill"}, [{"a": "1", "b": None, "c": None}], ["a", "b", "c"]),
        ("a,b\n", {}, [], ["a", "b"]),
        ("", {}, [], []),
        ("", {"columns": ["a"]}, [], ["a"]),
    ],
)  # fmt: skip
def test_csv_is_read(text: str, params: dict[str, Any], rows: Any, columns: list[str]) -> None:
    assert outputs(parse_csv, source=text, **params) == {"rows": rows, "columns": columns, "text": None}


@pytest.mark.parametrize(
    ("source", "params", "error_class", "words"),
    [
        ("a,b\n1\n", {}, "parse", "in line 2 has 1 cells, and there are 2 columns"),
        ("a,b\n1,2\n1,2,3\n", {"short_rows": "fill"}, "parse", "in line 3 has 3 cells"),
        ("a,a\n", {}, "parse", "Two columns are called 'a'"),
        ("column_2,\n", {}, "parse", "Two columns are called 'column_2'"),
        ('a\n"x"y\n', {}, "parse", "no CSV in line 2"),
        ('a\n"x', {}, "parse", "no CSV in line 2"),
        ("a\n" + "x" * (csv.field_size_limit() + 1), {}, "parse", "no CSV in line 2"),
        (5, {}, "validation", "is no text"),
        ([{"a": 1}], {}, "validation", "is no text"),
        ("text", {"operation": "generate"}, "validation", "is no array"),
        ([{}, []], {"operation": "generate"}, "validation", "only one kind"),
        ([1], {"operation": "generate"}, "validation", "only one kind"),
        ([[1], [1, 2]], {"operation": "generate", "columns": ["a"]}, "validation", "source[1] has 2 cells"),
    ],
)
def test_csv_that_is_none_is_told(source: Any, params: dict[str, Any], error_class: str, words: str) -> None:
    told, message = refusal(parse_csv, source=source, **params)
    assert told == error_class
    assert words in message


def test_too_many_rows_are_told_before_they_are_all_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_ITEMS", 2)
    monkeypatch.setattr("tasks.formats.MOST_ITEMS", 2)
    assert "source holds 3 items" in refusal(parse_csv, source="1\n" * 50, has_header=False)[1]


@pytest.mark.parametrize(
    ("rows", "params", "text", "columns"),
    [
        (
            [{"a": 1, "b": None}, {"b": "x,y", "c": True}],
            {},
            'a,b,c\r\n1,,\r\n,"x,y",true\r\n',
            ["a", "b", "c"],
        ),
        ([{"a": 1, "b": 2}], {"columns": ["b"]}, "b\r\n2\r\n", ["b"]),
        ([{"a": 1}], {"include_header": False}, "1\r\n", ["a"]),
        ([[1, "x"], [[1], {"y": 2.5}]], {"delimiter": ";"}, '1;x\r\n[1];"{""y"":2.5}"\r\n', []),
        ([[1]], {"columns": ["a"]}, "a\r\n1\r\n", ["a"]),
        ([], {}, "", []),
        ([], {"columns": ["a", "b"]}, "a,b\r\n", ["a", "b"]),
        ([{1: 2}], {}, "1\r\n2\r\n", ["1"]),
    ],
)
def test_rows_are_written_as_csv(rows: Any, params: dict[str, Any], text: str, columns: list[str]) -> None:
    given = outputs(parse_csv, operation="generate", source=rows, **params)
    assert given == {"rows": None, "columns": columns, "text": text}


@pytest.mark.parametrize("delimiter", ["", "ab", '"', "\n", "\r", "\x00"])
def test_what_cannot_stand_between_cells_is_refused(delimiter: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="delimiter"):
        run(parse_csv, source="", delimiter=delimiter)


@pytest.mark.parametrize(
    ("text", "params", "expected"),
    [
        ("<a/>", {}, {"a": None}),
        ("<a>x</a>", {}, {"a": "x"}),
        (
            '<?xml version="1.0"?><a><b>1</b><b c="2">x</b></a>',
            {},
            {"a": {"b": ["1", {"@c": "2", "#text": "x"}]}},
        ),
        ('<a b="1">x</a>', {"attribute_prefix": "_", "text_node_name": "text"}, {"a": {"_b": "1", "text": "x"}}),
        ("<a><b>1</b></a>", {"arrays": ["b"]}, {"a": {"b": ["1"]}}),
        ("<n:a xmlns:n='urn:x'>ü</n:a>", {}, {"n:a": {"@xmlns:n": "urn:x", "#text": "ü"}}),
        ("<a>&lt;&amp;&#252;<![CDATA[<b>]]></a>", {}, {"a": "<&ü<b>"}),
        ('<?xml version="1.0" encoding="latin-1"?><a>ü</a>', {}, {"a": "ü"}),
    ],
)
def test_xml_is_read(text: str, params: dict[str, Any], expected: Any) -> None:
    assert outputs(parse_xml, source=text, **params) == {"parsed": expected, "text": None}


@pytest.mark.parametrize(
    ("source", "error_class", "words"),
    [
        ("", "parse", "no element found"),
        ("text", "parse", "syntax error"),
        ("<a><b></a>", "parse", "mismatched tag"),
        ("<a>\x00</a>", "parse", "not well-formed"),
        ("<a>\ud800</a>", "parse", "surrogates"),
        ("<a>&nothing;</a>", "parse", "undefined entity"),
        ("<a>" * 150 + "</a>" * 150, "validation", "nested deeper than 100 levels"),
        (["<a/>"], "validation", "is no text"),
    ],
)
def test_xml_that_is_none_is_told(source: Any, error_class: str, words: str) -> None:
    told, message = refusal(parse_xml, source=source)
    assert told == error_class
    assert words in message


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        '<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x.dtd"> %x;]><a/>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a>&x;</a>',
        f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]><a>&l9;</a>',
        f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]><a b="&l9;"/>',
        "<!DOCTYPE a><a/>",
    ],
)
def test_nothing_is_declared_and_nothing_outside_is_read(text: str) -> None:
    error_class, message = refusal(parse_xml, source=text)
    assert error_class == "parse"
    assert "it has a DOCTYPE (a), which is not taken" in message
    assert "root:" not in message


@pytest.mark.parametrize(
    ("source", "params", "text"),
    [
        ({"b": [1, True, None], "@c": "x"}, {}, '<root c="x"><b>1</b><b>true</b><b></b></root>'),
        ("<&", {"root_element": "a"}, "<a>&lt;&amp;</a>"),
        ({"a": {"_b": 1, "text": "x"}}, {"root_element": "", "attribute_prefix": "_", "text_node_name": "text"},
         '<a b="1">x</a>'),
        ({"b": 1}, {"pretty": True}, "<root>\n\t<b>1</b>\n</root>"),
        (None, {}, "<root></root>"),
    ],
)  # fmt: skip
def test_values_are_written_as_xml(source: Any, params: dict[str, Any], text: str) -> None:
    given = outputs(parse_xml, operation="generate", source=source, **params)
    assert given == {"parsed": None, "text": f'<?xml version="1.0" encoding="utf-8"?>\n{text}'}


@pytest.mark.parametrize(
    ("source", "params"),
    [
        ({"a b": 1}, {}),
        ({"1a": 1}, {}),
        ({"a": "\x00"}, {}),
        ({"a><b": 1}, {}),
        ({"@a=": 1}, {}),
        ([1, 2], {}),
        ({"a": 1, "b": 2}, {"root_element": ""}),
        ({}, {"root_element": ""}),
        (5, {"root_element": ""}),
        ({5: 1}, {}),
        ("\ud800", {}),
    ],
)
def test_what_xml_cannot_hold_is_told(source: Any, params: dict[str, Any]) -> None:
    assert refusal(parse_xml, operation="generate", source=source, **params)[0] == "validation"


@given(JSON.filter(lambda value: "nan" not in repr(value) and "inf" not in repr(value)), st.booleans())
def test_what_is_written_as_json_is_read_again(value: Any, pretty: bool) -> None:
    text = outputs(parse_json, operation="stringify", source=value, pretty=pretty)["text"]
    assert outputs(parse_json, source=text)["parsed"] == value


@given(st.data(), COLUMNS, st.sampled_from([",", ";", "\t", "|", " "]))
def test_what_is_written_as_csv_is_read_again(data: st.DataObject, columns: list[str], delimiter: str) -> None:
    rows = data.draw(st.lists(st.fixed_dictionaries(dict.fromkeys(columns, CELLS)), max_size=5))
    text = outputs(parse_csv, operation="generate", source=rows, columns=columns, delimiter=delimiter)["text"]
    given = outputs(parse_csv, source=text, delimiter=delimiter)
    assert (given["rows"], given["columns"]) == (rows, columns)


@given(TREES)
@example({"a": {"port": ["x", {"_y1": "&"}]}})
def test_what_is_written_as_xml_is_read_again(tree: Any) -> None:
    text = outputs(parse_xml, operation="generate", source=tree)["text"]
    assert outputs(parse_xml, source=text)["parsed"] == {"root": tree}


@given(
    ANYTHING | st.text() | st.text('a,"\n;\r', max_size=20), st.booleans(), st.lists(st.text(max_size=3), max_size=3)
)
def test_whatever_comes_in_is_read_or_refused(source: Any, header: bool, columns: list[str]) -> None:
    assert_survives(parse_json, source=source)
    assert_survives(parse_csv, source=source, has_header=header, columns=columns)
    assert_survives(parse_xml, source=source)


@given(st.text("<>/a=\"'&;![]-? xml", max_size=40))
def test_whatever_looks_like_xml_is_read_or_refused(source: str) -> None:
    assert_survives(parse_xml, source=source)


@given(ANYTHING | st.lists(st.lists(ANYTHING, max_size=3), max_size=3), st.text(max_size=5), st.booleans())
def test_whatever_comes_in_is_written_or_refused(source: Any, root: str, pretty: bool) -> None:
    assert_survives(parse_json, operation="stringify", source=source, pretty=pretty)
    assert_survives(parse_csv, operation="generate", source=source, include_header=pretty)
    assert_survives(parse_xml, operation="generate", source=source, root_element=root, pretty=pretty)
