import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Call

DEVICES: list[dict[str, Any]] = [
    {"name": "sw1", "address": "192.0.2.1", "platform": "cisco_ios", "site": "ber1", "tags": ["core"]},
    {"name": "sw2", "address": "192.0.2.2", "platform": "ciena_saos", "site": "ham1"},
]
CSV = """\
name,address,platform,port
sw3,192.0.2.3,cisco_ios,2022
sw4,,cisco_ios,
sw5,192.0.2.5,toaster,
sw6,192.0.2.6,cisco_ios,x
"""


@pytest.fixture
def stored(served: Call, tmp_path: Path) -> Call:
    file = tmp_path / "devices.json"
    file.write_text(json.dumps(DEVICES))
    assert served("devices", "import", str(file)).stdout == "2 created, 0 changed.\n"
    return served


def test_devices_are_listed_as_a_table_and_as_json(stored: Call) -> None:
    lines = stored("devices", "list").stdout.splitlines()
    assert lines[0].split() == ["name", "address", "port", "platform", "site", "role", "status", "tags"]
    assert [line.split()[0] for line in lines[1:]] == ["sw1", "sw2", "2"]
    assert [one["name"] for one in json.loads(stored("devices", "list", "--json").stdout)] == ["sw1", "sw2"]


def test_devices_are_filtered(stored: Call) -> None:
    for filters in (
        ("--site", "ber1"),
        ("--tag", "core"),
        ("--search", "sw1"),
        ("--platform", "cisco_ios"),
        ("--limit", "1"),
    ):
        found = json.loads(stored("devices", "list", "--json", *filters).stdout)
        assert [one["name"] for one in found] == ["sw1"], filters


def test_a_device_is_shown_by_name_and_by_id(stored: Call) -> None:
    device = json.loads(stored("devices", "show", "sw1", "--json").stdout)
    assert device["address"] == "192.0.2.1"
    shown = stored("devices", "show", device["id"]).stdout
    assert "192.0.2.1" in shown
    assert "serial" not in shown


@pytest.mark.parametrize("reference", ["nobody", "01900000-0000-7000-8000-000000000001"])
def test_a_device_that_is_not_there_is_exit_code_4(served: Call, reference: str) -> None:
    result = served("devices", "show", reference)
    assert (result.exit_code, result.stdout) == (4, "")
    assert "There is no device" in result.stderr


def test_a_csv_file_is_imported_and_every_broken_row_told(served: Call, tmp_path: Path) -> None:
    file = tmp_path / "devices.csv"
    file.write_text(CSV)
    result = served("devices", "import", str(file), "--json")
    assert result.exit_code == 4
    assert json.loads(result.stdout)["created"] == 1
    for place in ("line 3, address", "line 4, platform", "line 5, port"):
        assert place in result.stderr


def test_a_second_import_changes_what_is_there_unless_told_not_to(stored: Call, tmp_path: Path) -> None:
    file = tmp_path / "more.json"
    file.write_text(json.dumps({"devices": [{**DEVICES[0], "site": "muc1"}]}))
    refused = stored("devices", "import", str(file), "--mode", "create")
    assert refused.exit_code == 4
    assert stored("devices", "import", str(file)).stdout == "0 created, 1 changed.\n"
    assert json.loads(stored("devices", "show", "sw1", "--json").stdout)["site"] == "muc1"


def test_all_or_nothing_imports_nothing_when_a_row_is_wrong(served: Call, tmp_path: Path) -> None:
    file = tmp_path / "devices.csv"
    file.write_text(CSV)
    assert served("devices", "import", str(file), "--atomic").exit_code == 4
    assert json.loads(served("devices", "list", "--json").stdout) == []


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("devices.json", "{", "JSON"),
        ("devices.txt", "", "neither .json nor .csv"),
        ("nowhere.json", None, "There is no file"),
        ("devices.json", '{"devices": 5}', "devices"),
    ],
)
def test_a_file_that_holds_no_devices_is_exit_code_4(
    served: Call, tmp_path: Path, name: str, content: str | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    result = served("devices", "import", str(tmp_path / name))
    assert (result.exit_code, result.stdout) == (4, "")
    assert reason in result.stderr
