"""Each case is a text that a device could print and the records that it holds."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import parsers

CASES = sorted((Path(__file__).parent / "cases").glob("*/*/*.txt"))
OWN_CASES = [case for case in CASES if case.parts[-3] == "ciena_saos"]


def _name(case: Path) -> str:
    return "/".join((*case.parts[-3:-1], case.stem))


def _parsed(case: Path, text: str) -> list[dict[str, Any]]:
    platform, command = case.parts[-3:-1]
    return parsers.parse(platform, command.replace("_", " "), text)


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_a_case_gives_its_records(case: Path) -> None:
    assert _parsed(case, case.read_text()) == json.loads(case.with_suffix(".json").read_text())


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_a_case_fulfils_the_schema(case: Path) -> None:
    platform, command = case.parts[-3:-1]
    schema = parsers.find(platform, command.replace("_", " ")).schema()
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for record in _parsed(case, case.read_text()):
        Draft202012Validator(schema).validate(record)


@pytest.mark.parametrize("case", OWN_CASES, ids=_name)
def test_line_ends_and_the_margin_do_not_matter(case: Path) -> None:
    text = case.read_text()
    wild = "\r\n" + "".join(f"  {line}\r\n" for line in text.splitlines()) + "\r\nswitch-9*> \r\n"
    assert _parsed(case, wild) == _parsed(case, text)


def test_every_parser_of_ours_has_cases() -> None:
    commands = {case.parts[-3] + "." + case.parts[-2] for case in OWN_CASES}
    assert {parser.id for parser in parsers.available()} == commands


def test_every_case_is_labelled_synthetic_and_has_both_files() -> None:
    assert CASES
    assert all(case.stem.startswith("synthetic_") for case in CASES)
    assert {case.with_suffix(".json") for case in CASES} == set((Path(__file__).parent / "cases").glob("*/*/*.json"))
