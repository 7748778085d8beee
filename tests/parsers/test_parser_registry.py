"""Finding the parser of a command, and saying what there is when there is none."""

import importlib
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import parsers
from parsers.contract import Record
from parsers.registry import parser


def test_our_own_parsers_are_listed_by_id() -> None:
    listed = parsers.available()
    assert [one.id for one in listed] == [
        "ciena_saos.lldp_show_neighbors",
        "ciena_saos.port_show",
        "ciena_saos.port_xcvr_show",
    ]
    assert {one.platform for one in listed} == {"ciena_saos"}
    assert listed[2].commands == ("port xcvr show", "port xcvr show port {port}")


@pytest.mark.parametrize(
    ("platform", "command", "found"),
    [
        ("ciena_saos", "port show", "ciena_saos.port_show"),
        (" Ciena_SAOS ", "  PORT\t Show\n", "ciena_saos.port_show"),
        ("ciena_saos", "port xcvr show port 21", "ciena_saos.port_xcvr_show"),
        ("ciena_saos", "lldp show neighbors port LAG1", "ciena_saos.lldp_show_neighbors"),
        ("ciena_saos", "lldp remote show", "ciena_saos.lldp_show_neighbors"),
        ("ciena_saos", "port show status", "ntc.ciena_saos.port_show_status"),
        ("ciena_saos", "vlan show", "ntc.ciena_saos.vlan_show"),
    ],
)
def test_our_own_parser_comes_before_a_template(platform: str, command: str, found: str) -> None:
    assert parsers.find(platform, command).id == found


def test_an_unknown_command_lists_near_matches_of_both_kinds() -> None:
    with pytest.raises(parsers.UnknownParser) as caught:
        parsers.find("ciena_saos", "port xcvr shw")
    assert caught.value.near[0] == "port xcvr show"
    assert "vlan show" not in caught.value.near
    assert "no parser reads 'port xcvr shw' on platform 'ciena_saos'" in str(caught.value)
    assert "'port xcvr show'" in str(caught.value)

    with pytest.raises(parsers.UnknownParser) as caught:
        parsers.parse("cisco_ios", "shov version", "")
    assert "show version" in caught.value.near


def test_an_unknown_platform_lists_near_platforms() -> None:
    with pytest.raises(parsers.UnknownParser) as caught:
        parsers.find("ciena-saos", "port show")
    assert caught.value.near[0] == "ciena_saos"
    with pytest.raises(parsers.UnknownParser, match="near to it: nothing"):
        parsers.find("", "x" * 10_000)


def test_errors_have_one_root_and_survive_pickling() -> None:
    error = parsers.ParseError("no table", 3, "| x")
    unknown = parsers.UnknownParser("ciena_saos", "port", ("port show",))
    assert str(pickle.loads(pickle.dumps(error))) == str(error) == "no table (line 3: '| x')"  # noqa: S301
    assert str(pickle.loads(pickle.dumps(unknown))) == str(unknown)  # noqa: S301
    assert isinstance(error, parsers.ParserError)
    assert isinstance(unknown, parsers.ParserError)


def test_two_parsers_of_one_name_are_refused() -> None:
    parsers.available()

    def port_show(_text: str) -> list[Record]:
        return []

    with pytest.raises(ValueError, match=r"two parsers are called ciena_saos\.port_show"):
        parser(platform="ciena_saos", commands=("port show",), record=Record)(port_show)


def test_every_field_of_our_records_is_required_and_described() -> None:
    for one in parsers.available():
        schema = one.schema()
        record = schema["$defs"][schema["$ref"].rsplit("/", 1)[1]]
        assert record["additionalProperties"] is False
        assert record["required"] == list(record["properties"])
        assert all(field["description"] for field in record["properties"].values())


def test_a_new_module_in_a_platform_package_is_all_that_a_parser_needs(tmp_path: Path) -> None:
    folder = tmp_path / "acme_os"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "show_clock.py").write_text(
        "from parsers.contract import Record\n"
        "from parsers.registry import parser\n"
        "class Clock(Record, frozen=True, kw_only=True):\n"
        "    time: str\n"
        "@parser(platform='acme_os', commands=('show clock',), record=Clock)\n"
        "def show_clock(text):\n"
        "    return [Clock(time=text.strip())]\n"
    )
    script = (
        f"import parsers; parsers.__path__.append({str(tmp_path)!r});"
        "print(parsers.parse('acme_os', 'Show Clock', '12:00\\n'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(parsers.__file__).parents[1],
    )
    assert done.stdout == "[{'time': '12:00'}]\n"


def test_importing_the_room_reads_no_template_and_no_parser_module() -> None:
    script = "import sys, parsers; print([m for m in sys.modules if m.startswith(('parsers.ciena', 'ntc_templ'))])"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(parsers.__file__).parents[1],
    )
    assert done.stdout == "[]\n"
    assert importlib.import_module("parsers").__all__
