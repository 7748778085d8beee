"""parse:regex, parse:template, parse:html-extract, parse:markdown and parse:device."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers import registry
from tasks import extraction
from tasks.extraction import parse_device, parse_html_extract, parse_markdown, parse_regex, parse_template
from tests.support.node_values import ANYTHING, assert_survives, attempt, outputs, refusal, run

TEXT = "Gi0/1 up 1000\nGi0/2 down\nTe1/1 up 10000\n"
PORT = r"^(?P<name>\S+) (up|down)( \d+)?$"
PAGE = """<!DOCTYPE html><html><head><title>Ports &amp; links</title></head><body>
<h1 class="big">  Switch
 one </h1><a href="/a">A</a><a href="/b" title="x">B</a><table id="ports"><tr><td>1</td><td>up</td></tr></table>
<p>open <b>bold</body>"""


def branch(**params: Any) -> str:
    return str(run(parse_regex, **params).branch)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("params", "result", "count"),
    [
        ({}, {"name": "Gi0/1", "2": "up", "3": " 1000"}, 1),
        ({"group_names": ["port", "", "speed"]}, {"port": "Gi0/1", "2": "up", "speed": " 1000"}, 1),
        ({"output_mode": "first_match"}, "Gi0/1 up 1000", 1),
        ({"output_mode": "boolean"}, True, 1),
        (
            {"output_mode": "all_matches", "group_names": ["a", "b", "c", "too many"]},
            [
                {"a": "Gi0/1", "b": "up", "c": " 1000"},
                {"a": "Gi0/2", "b": "down", "c": None},
                {"a": "Te1/1", "b": "up", "c": " 10000"},
            ],
            3,
        ),
        ({"output_mode": "all_matches", "pattern": r"\d{4,}"}, ["1000", "10000"], 2),
        ({"pattern": r"\d{4,}"}, "1000", 1),
        ({"pattern": "^te", "ignore_case": True, "output_mode": "first_match"}, "Te", 1),
        ({"pattern": "0.Gi", "dot_all": True, "output_mode": "first_match"}, "0\nGi", 1),
    ],
)
def test_what_fits_is_taken_out(params: dict[str, Any], result: Any, count: int) -> None:
    given = {"source": TEXT, "pattern": PORT, **params}
    assert outputs(parse_regex, **given) == {"result": result, "count": count}
    assert branch(**given) == "matched"


@pytest.mark.parametrize(
    ("params", "result"),
    [
        ({"output_mode": "groups"}, None),
        ({"output_mode": "first_match"}, None),
        ({"output_mode": "all_matches"}, []),
        ({"output_mode": "boolean"}, False),
        ({"pattern": "^te"}, None),
        ({"pattern": "^Te", "multiline": False}, None),
        ({"pattern": "0.Gi"}, None),
    ],
)
def test_what_does_not_fit_goes_another_way(params: dict[str, Any], result: Any) -> None:
    given = {"source": TEXT, "pattern": "^Fa", **params}
    assert outputs(parse_regex, **given) == {"result": result, "count": 0}
    assert branch(**given) == "unmatched"


@pytest.mark.parametrize(
    ("params", "error_class", "words"),
    [
        ({"pattern": "("}, "validation", "is no regular expression"),
        ({"pattern": "(?R)"}, "validation", "recurses"),
        ({"source": 5}, "validation", "source gave 5, which is no text"),
        ({"source": "x" * 1_000_001}, "validation", "at most 1000000 are taken"),
        ({"source": "a" * 60 + "b", "pattern": "^(a|a)*$"}, "expression", "took over 1 s"),
    ],
)
def test_what_cannot_be_searched_is_told(params: dict[str, Any], error_class: str, words: str) -> None:
    told, message = refusal(parse_regex, **{"source": TEXT, "pattern": PORT, **params})
    assert told == error_class
    assert words in message


def test_all_matches_together_have_the_time_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "REGEX_TIMEOUT_S", 0.000_001)
    told, message = refusal(parse_regex, source="ab" * 1000, pattern="a", output_mode="all_matches")
    assert told == "expression"
    assert "took over" in message


def test_too_many_matches_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "MOST_ITEMS", 2)
    monkeypatch.setattr("tasks.items.MOST_ITEMS", 2)
    message = refusal(parse_regex, source="abcd", pattern=".", output_mode="all_matches")[1]
    assert "source holds 3 items" in message


@pytest.mark.parametrize("params", [{"pattern": ""}, {"pattern": "x" * 1001}, {"pattern": "x", "output_mode": "each"}])
def test_a_search_for_nothing_is_refused(params: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        run(parse_regex, source="", **params)


def test_a_template_is_what_it_was_rendered_to() -> None:
    assert outputs(parse_template, template="Hello sw1") == {"result": "Hello sw1"}
    with pytest.raises(msgspec.ValidationError, match="template"):
        run(parse_template, template={"a": 1})


@pytest.mark.parametrize(
    ("selector", "attribute", "every", "expected"),
    [
        ("title", "text", False, "Ports & links"),
        ("h1.big", "text", False, "Switch one"),
        ("a", "href", False, "/a"),
        ("a", "href", True, ["/a", "/b"]),
        ("a", "title", True, [None, "x"]),
        ("#ports td:nth-child(2)", "text", False, "up"),
        ("#ports td", "text", True, ["1", "up"]),
        ("p b", "html", False, "<b>bold</b>"),
        ("a[title]", "html", False, '<a href="/b" title="x">B</a>'),
        ("h7", "text", False, None),
        ("h7", "text", True, []),
        ("H1, title", "text", True, ["Ports & links", "Switch one"]),
    ],
)
def test_html_is_taken_apart(selector: str, attribute: str, every: bool, expected: Any) -> None:
    extractions = [{"selector": selector, "attribute": attribute, "every": every, "output_name": "it"}]
    assert outputs(parse_html_extract, source=PAGE, extractions=extractions) == {"result": {"it": expected}}


def test_letters_of_all_kinds_stay_as_they_are() -> None:
    text = '<?xml version="1.0" encoding="latin-1"?><meta charset="latin-1"><p>Grüße 日本 &euro;</p>'
    given = outputs(parse_html_extract, source=text, extractions=[{"selector": "p", "output_name": "p"}])
    assert given["result"] == {"p": "Grüße 日本 €"}


@pytest.mark.parametrize(
    ("source", "extractions", "error_class", "words"),
    [
        (PAGE, [{"selector": "a[", "output_name": "x"}], "validation", "'a[' is no CSS selector"),
        (PAGE, [{"selector": "a:unknown", "output_name": "x"}], "validation", "is no CSS selector"),
        (PAGE, [{"selector": "a", "output_name": "x"}] * 2, "validation", "two have the same output_name"),
        ("", [{"selector": "a", "output_name": "x"}], "parse", "source is no HTML"),
        ("<!-- -->", [{"selector": "a", "output_name": "x"}], "parse", "source is no HTML"),
        ("\ud800", [{"selector": "a", "output_name": "x"}], "parse", "source is no HTML"),
        (None, [{"selector": "a", "output_name": "x"}], "validation", "is no text"),
    ],
)
def test_html_that_cannot_be_taken_apart_is_told(source: Any, extractions: Any, error_class: str, words: str) -> None:
    told, message = refusal(parse_html_extract, source=source, extractions=extractions)
    assert told == error_class
    assert words in message


def test_html_reads_nothing_from_outside() -> None:
    text = '<!DOCTYPE html [<!ENTITY x SYSTEM "file:///etc/passwd">]><p>&x;</p>'
    given = attempt(
        lambda: outputs(parse_html_extract, source=text, extractions=[{"selector": "*", "output_name": "p"}])
    )
    assert "root:" not in str(given)


@pytest.mark.parametrize("page", ["<div>" * 3000, "<b>" * 100_000, "<a " + "x='1' " * 20_000 + ">t</a>"])
def test_pages_that_are_nested_too_deep_do_no_harm(page: str) -> None:
    extractions = [{"selector": "b", "attribute": "html", "output_name": "b"}, {"selector": "*", "output_name": "all"}]
    assert_survives(parse_html_extract, source=page, extractions=extractions)


def test_markdown_becomes_html_and_html_becomes_text() -> None:
    given = outputs(parse_markdown, source="# Title\n\n*a* <b>b</b>\n\n|x|y|\n|-|-|\n|1|~~2~~|\n")
    assert "<h1>Title</h1>" in given["html"]
    assert "<em>a</em> &lt;b&gt;b&lt;/b&gt;" in given["html"]
    assert "<td>1</td>\n<td><s>2</s></td>" in given["html"]
    script = outputs(parse_markdown, source="<script>alert(1)</script>\n\n[x](javascript:alert(1))")["html"]
    assert "<script" not in script
    assert "href" not in script


@pytest.mark.parametrize("source", [5, None, "x" * 200_001])
def test_markdown_that_is_none_is_told(source: Any) -> None:
    assert refusal(parse_markdown, source=source)[0] == "validation"


def a_case() -> tuple[str, str, str]:
    """Return the platform, command and text of one of the parsers' own cases."""
    parser = registry.find("ciena_saos", "port show")
    folder = Path(__file__).parents[1] / "parsers" / "cases" / "ciena_saos" / "port_show"
    return parser.id, "port show", next(iter(sorted(folder.glob("*.txt")))).read_text()


def test_what_a_device_printed_is_read() -> None:
    parser_id, command, text = a_case()
    given = outputs(parse_device, source=text, platform="ciena_saos", command=command)
    assert given["parser"] == parser_id
    assert given["records"] == registry.parse("ciena_saos", command, text)
    named = outputs(parse_device, source=text, platform="none of them", command="anything", parser=parser_id)
    assert named == given


@pytest.mark.parametrize(
    ("params", "error_class", "words"),
    [
        ({"command": "port shw"}, "parse", "near to it: 'port show'"),
        ({"platform": "nothing"}, "parse", "source cannot be parsed"),
        ({"parser": "nothing"}, "parse", "source cannot be parsed"),
        ({"source": "something else"}, "parse", "cannot read source as what 'port show' prints"),
        ({"source": None}, "validation", "is no text"),
    ],
)
def test_what_no_parser_reads_is_told(params: dict[str, Any], error_class: str, words: str) -> None:
    _, command, text = a_case()
    told, message = refusal(parse_device, **{"source": text, "platform": "ciena_saos", "command": command, **params})
    assert told == error_class
    assert words in message


@given(
    st.text(max_size=40) | st.text("<>/abp =\"'!-", max_size=60), st.text("a.#[]:()>+~* n1='", min_size=1, max_size=12)
)
def test_whatever_page_and_selector_come_in_are_read_or_refused(source: str, selector: str) -> None:
    for attribute in ("text", "html", "href"):
        extractions = [{"selector": selector, "attribute": attribute, "output_name": "x", "every": attribute == "text"}]
        assert_survives(parse_html_extract, source=source, extractions=extractions)


@given(ANYTHING | st.text("ab1 \n", max_size=30), st.text("ab1()|[]*+?.^$\\", min_size=1, max_size=8), st.booleans())
def test_whatever_text_and_pattern_come_in_are_searched_or_refused(source: Any, pattern: str, flag: bool) -> None:
    mode = "all_matches" if flag else "groups"
    assert_survives(
        parse_regex, source=source, pattern=pattern, output_mode=mode, ignore_case=flag, group_names=["a", "a"]
    )


@given(ANYTHING | st.text("# *_`[]()<>|-\n!~", max_size=60))
def test_whatever_comes_in_is_set_or_refused(source: Any) -> None:
    assert_survives(parse_markdown, source=source)


@given(ANYTHING, st.sampled_from(["cisco_ios", "ciena_saos", "ios"]), st.sampled_from(["show version", "port show"]))
def test_whatever_was_printed_is_read_or_refused(source: Any, platform: str, command: str) -> None:
    assert_survives(parse_device, source=source, platform=platform, command=command)
