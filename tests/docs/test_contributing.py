"""The numbered lists of CONTRIBUTING: what can be done is done in a copy, what is named is looked up."""

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

import parsers
from app import main, palette, piccolo_app
from app.core.access import PERMISSIONS
from parsers.registry import OwnParser, parser
from parsers.tables import Row, find_table
from tests.support.pages import REPOSITORY, blocks, marked, read, section, steps

PAGE = read("CONTRIBUTING.md")
HEADINGS = ("## Add a node", "## Add a parser", "## Add an area")
FANS = "+-----+-------+\n| Fan | Speed |\n+-----+-------+\n| 1   | 4200  |\n| 2   |       |\n+-----+-------+\n"
PARSE = """
import json, sys
import parsers
found = parsers.find("acme_os", "fan show")
try:
    print(json.dumps([found.id, sorted(found.schema()), found.parse(sys.argv[1])]))
except parsers.ParseError as error:
    print(json.dumps(str(error)))
"""
OPTIONAL = {"queued", "nodes"}


def example(heading: str) -> str:
    """Return the file that a list has its reader write."""
    (block,) = blocks(section(PAGE, heading), "python")
    return textwrap.dedent(block.text)


def run(folder: Path, *words: str) -> str:
    """Run Python with a folder's packages before the product's own, and return what it prints."""
    environ = {**os.environ, "PYTHONPATH": f"{folder}:{REPOSITORY}", "COVERAGE_PROCESS_START": "", "COVERAGE_FILE": ""}
    ran = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def copy_room(room: str, folder: Path) -> Path:
    """Copy one of the product's packages into a folder, and return it."""
    return Path(shutil.copytree(REPOSITORY / room, folder / room, ignore=shutil.ignore_patterns("__pycache__")))


@pytest.mark.parametrize("heading", HEADINGS)
def test_a_list_is_numbered_and_names_only_files_that_exist(heading: str) -> None:
    assert len(steps(section(PAGE, heading))) >= 3
    for name in marked(section(PAGE, heading)):
        if "/" in name and "<" not in name and " " not in name:
            assert (REPOSITORY / name).exists(), name


def test_a_node_added_as_told_is_in_the_catalogue(tmp_path: Path) -> None:
    (copy_room("tasks", tmp_path) / "clock.py").write_text(example("## Add a node"), encoding="utf-8")
    shown = json.loads(run(tmp_path, "-m", "app.cli", "nodes", "show", "clock:greet", "--json"))
    assert (shown["description"], shown["scope"]) == ("Greet a device.", "device")
    assert shown["parameters"]["properties"]["word"]["default"] == "Hello"


def test_a_node_that_nobody_added_is_not_in_the_catalogue() -> None:
    assert "clock:greet" not in palette.build_catalog()


def test_a_parser_added_as_told_reads_its_case_and_refuses_half_of_it(tmp_path: Path) -> None:
    package = copy_room("parsers", tmp_path) / "acme_os"
    package.mkdir()
    (package / "__init__.py").write_text('"""Parsers for Acme OS."""\n', encoding="utf-8")
    (package / "fan_show.py").write_text(example("## Add a parser"), encoding="utf-8")
    (tmp_path / "script.py").write_text(PARSE, encoding="utf-8")
    name, schema, records = json.loads(run(tmp_path, "script.py", FANS))
    assert name == "acme_os.fan_show"
    assert "$schema" in schema
    assert records == [{"fan": "1", "speed_rpm": 4200}, {"fan": "2", "speed_rpm": None}]
    assert "closing border" in json.loads(run(tmp_path, "script.py", FANS.rpartition("+-----+")[0]))
    assert "'fast' is no speed" in json.loads(run(tmp_path, "script.py", FANS.replace("4200", "fast")))


def test_the_parsers_there_are_lie_and_are_tested_where_the_list_says() -> None:
    for own in parsers.available():
        assert isinstance(own, OwnParser)
        file, cases = own.id.replace(".", "/"), REPOSITORY / "tests/parsers/cases" / own.id.replace(".", "/")
        assert (REPOSITORY / "parsers" / f"{file}.py").is_file()
        assert own.id.partition(".")[2] in {form.replace(" ", "_") for form in own.commands}
        assert list(cases.glob("synthetic_*.txt"))
        assert list(cases.glob("synthetic_*.json"))


def test_what_the_parser_list_names_exists() -> None:
    assert set(inspect.signature(parser).parameters) == {"platform", "commands", "record"}
    assert issubclass(parsers.ParseError, Exception)
    assert callable(Row.refuse)
    assert find_table.__module__ == "parsers.tables"


def test_the_files_of_an_area_are_those_that_areas_have() -> None:
    told = set(re.findall(r"^   - `(\w+)\.py`:", section(PAGE, "## Add an area"), re.MULTILINE))
    areas = [file.parent for file in (REPOSITORY / "app").rglob("tables.py") if file.parent.name != "core"]
    held = {area: {file.stem for file in area.iterdir() if file.suffix == ".py" or file.is_dir()} for area in areas}
    assert len(areas) >= 6
    for area, names in held.items():
        assert told - OPTIONAL <= names, area
    assert "queued" in set().union(*held.values())
    assert palette.AREA_MODULE in told
    assert told == {"tables", "schemas", "service", "routes", *OPTIONAL}


def test_what_the_area_list_names_exists() -> None:
    contracts = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    ids = {contract["id"] for contract in contracts}
    assert {"areas", "rooms", "tables-devices"} <= ids
    assert PERMISSIONS
    assert main.ROUTES
    assert "app.devices.tables" in inspect.getsource(piccolo_app)
    assert piccolo_app.APP_CONFIG.app_name == "opsconductor"


def test_the_targets_told_are_in_the_makefile() -> None:
    told = {
        words
        for page in (PAGE, read("README.md"))
        for words in re.findall(r"^make (\w+)|`make (\w+)", page, re.MULTILINE)
    }
    targets = {first or second for first, second in told}
    assert targets == set(re.findall(r"^(\w+):.* ## ", read("Makefile"), re.MULTILINE)) - {"clean", "help"}
