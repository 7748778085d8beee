"""Whatever the text, a parser returns records of its schema or raises ParseError."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import parsers

CASES = sorted((Path(__file__).parent / "cases").glob("*/*/*.txt"))
COMMANDS = sorted({(case.parts[-3], case.parts[-2].replace("_", " ")) for case in CASES})
BOX = st.text(alphabet=" \n\r\t|+-:0123ChassisIdPortUpNaé٣\x0b\u2028", max_size=400)


@cache
def _validator(platform: str, command: str) -> Draft202012Validator:
    return Draft202012Validator(parsers.find(platform, command).schema())


def _outcome(platform: str, command: str, text: str) -> list[dict[str, Any]] | parsers.ParseError:
    try:
        return parsers.parse(platform, command, text)
    except parsers.ParseError as error:
        return error


def _check(platform: str, command: str, text: str) -> None:
    outcome = _outcome(platform, command, text)
    if isinstance(outcome, parsers.ParseError):
        assert 1 <= outcome.line_number <= max(len(text.splitlines()), text.count("\n") + 1)
        assert f"line {outcome.line_number}" in str(outcome)
        return
    for record in outcome:
        _validator(platform, command).validate(record)
    json.dumps(outcome, allow_nan=False)


@pytest.mark.parametrize(("platform", "command"), COMMANDS)
@settings(max_examples=60, deadline=None)
@given(text=st.one_of(st.text(max_size=200), BOX))
def test_any_text_gives_records_or_a_parse_error(platform: str, command: str, text: str) -> None:
    _check(platform, command, text)


@st.composite
def _mutations(draw: st.DrawFn) -> tuple[str, str, str]:
    """Take a case and cut, double, swap or overwrite pieces of it, mostly keeping the layout."""
    case = draw(st.sampled_from(CASES))
    text = case.read_text()
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(len(text) - 1, 0)))
        length = draw(st.integers(0, 120))
        piece = draw(
            st.one_of(
                st.just(""),
                st.text(alphabet="| +-\n:0aZ", max_size=12),
                st.just(text[place : place + length]),
            )
        )
        text = text[:place] + piece + text[place + draw(st.sampled_from((0, len(piece), length))) :]
    return case.parts[-3], case.parts[-2].replace("_", " "), text


@settings(max_examples=300, deadline=None)
@given(_mutations())
def test_a_damaged_output_gives_records_or_a_parse_error(damaged: tuple[str, str, str]) -> None:
    _check(*damaged)


@pytest.mark.parametrize(("platform", "command"), COMMANDS)
@pytest.mark.parametrize("piece", ["|", "+", " ", "\n", "| \n", "+-", "x\n", "|x|\n+-+\n", "9", "Rev "])
def test_twenty_thousand_of_one_thing_are_answered(platform: str, command: str, piece: str) -> None:
    _check(platform, command, piece * 20_000)


@pytest.mark.parametrize("columns", [1, 40])
def test_a_big_table_is_read_whole(columns: int) -> None:
    heads = "".join(f"Extra{place}|" for place in range(columns))
    border = "+----+-----+----+" + "------+" * columns
    header = "|Port|Vendor Name & Part Number|Ether Medium & Connector Type|" + heads
    rows = [f"|{port}|CIENA X{port} RevA|LX/LC|" + "y|" * columns for port in range(5_000)]
    records = parsers.parse("ciena_saos", "port xcvr show", "\n".join([border, header, border, *rows, border]))
    assert [record["part_number"] for record in records] == [f"X{port}" for port in range(5_000)]
