"""The SAOS-like command line, typed at without any network."""

import pytest
from ntc_templates.parse import parse_output

from app.demo.network.ciena_saos import CienaSaos, CienaSaosTerminal
from app.demo.network.devices import Link, Platform, SimulatedDevice
from app.demo.network.terminal import LineKind

pytestmark = [
    # ntc-templates finds its templates with an importlib-resources call that is deprecated
    pytest.mark.filterwarnings("ignore:path is deprecated:DeprecationWarning"),
]

LINK = Link(local_port="5", remote_name="lab1-agg-2", remote_port="6", remote_platform=Platform.CIENA_SAOS)


def box(name: str = "lab1-agg-1", links: tuple[Link, ...] = (LINK,)) -> CienaSaos:
    return CienaSaos(SimulatedDevice(name=name, platform=Platform.CIENA_SAOS, links=links))


def parsed(terminal: CienaSaosTerminal, command: str) -> list[dict[str, str]]:
    records: list[dict[str, str]] = parse_output("ciena_saos", command, terminal.answer(command))
    return records


def configuration(terminal: CienaSaosTerminal, *changes: str) -> list[str]:
    """Return the configuration after some changes, none of which may be refused."""
    assert [terminal.answer(change) for change in changes] == [""] * len(changes)
    return terminal.answer("configuration show").split("\n")


def test_ports_are_parsed_with_their_state() -> None:
    rows = {row["name"]: row for row in parsed(box().open_terminal(), "port show")}
    assert list(rows) == ["1", "2", "3", "4", "5", "6"]
    assert (rows["5"]["link"], rows["5"]["xcvr"], rows["5"]["mode"]) == ("Up", "Ena", "1000/FD")
    assert (rows["6"]["link"], rows["6"]["mode"], rows["6"]["admin_link"]) == ("Down", "", "Ena")


def test_a_disabled_port_is_down_and_comes_back() -> None:
    terminal = box().open_terminal()
    configuration(terminal, "port disable port 5")
    row = parsed(terminal, "port show")[4]
    assert (row["link"], row["xcvr"], row["admin_link"]) == ("Down", "Dis", "Dis")
    configuration(terminal, "port enable port 5")
    assert parsed(terminal, "port show")[4]["link"] == "Up"


def test_every_cage_is_listed_the_empty_ones_too() -> None:
    rows = parsed(box().open_terminal(), "port xcvr show")
    assert [row["port"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert (rows[0]["admin_state"], rows[0]["vendor"]) == ("Empty", "")
    assert rows[4]["vendor"].startswith("CIENA-")
    assert rows[4]["connector_type"].endswith("/LC")


def test_all_lines_of_a_table_are_equally_long() -> None:
    terminal = box(name="x").open_terminal()
    for command in ("port xcvr show", "port xcvr show port 5 diagnostics", "lldp show neighbors", "software show"):
        assert len({len(line) for line in terminal.answer(command).split("\n")}) == 1
    assert {len(line) for line in terminal.answer("port show").split("\n")[5:]} == {81}


def test_neighbors_are_parsed() -> None:
    terminal = box().open_terminal()
    (row,) = parsed(terminal, "lldp show neighbors")
    assert (row["local_port"], row["remote_port"], row["remote_system_name"]) == ("5", "6", "lab1-agg-2")
    assert row["system_name"] == "lab1-agg-1"
    assert row["remote_mgmt_ipv4_address"]


def test_a_device_without_cables_has_no_neighbors() -> None:
    assert parsed(box(links=()).open_terminal(), "lldp show neighbors") == []


def test_the_software_is_parsed() -> None:
    (row,) = parsed(box().open_terminal(), "software show")
    assert row["version_running"].startswith("saos-06-")
    assert row["version_running"] == row["version_installed"]


def test_optics_measure_within_their_limits() -> None:
    text = box().open_terminal().answer("port xcvr show port 5 diagnostics")
    assert "XCVR DIAGNOSTICS - Port 5 " in text
    assert "| 1    |" not in text


@pytest.mark.parametrize(
    "line",
    [
        "bogus", "port", "port show bogus", "port set port 99 description x", "port set port 1 description",
        "port set", "set port 1 description x", "frobnicate set port 1 description x",
        "port xcvr show port 1 diagnostics", "port xcvr show port 5 everything", "vlan create",
    ],
)  # fmt: skip
def test_what_means_nothing_is_refused_and_changes_nothing(line: str) -> None:
    terminal = box().open_terminal()
    before = terminal.answer("configuration show")
    assert terminal.answer(line) == f"SHELL PARSER FAILURE: '{line}' - invalid input"
    assert terminal.answer("configuration show") == before


def test_a_setting_has_one_value() -> None:
    lines = configuration(
        box().open_terminal(),
        'port set port 1 description "first one"',
        'port set port 1 description "the second" max-frame-size 9216',
    )
    assert [line for line in lines if line.startswith("port set port 1 ")] == [
        'port set port 1 description "the second"',
        "port set port 1 max-frame-size 9216",
    ]
    terminal = box().open_terminal()
    assert not [line for line in configuration(terminal, "port unset port 5 description") if "port 5" in line]


def test_what_is_deleted_takes_its_members_along() -> None:
    terminal = box().open_terminal()
    lines = configuration(
        terminal, "vlan create vlan 100 name a", "vlan add vlan 100 port 2", "vlan add vlan 100 port 3"
    )
    assert "vlan add vlan 100 port 3" in lines
    lines = configuration(terminal, "vlan remove vlan 100 port 3")
    assert "vlan add vlan 100 port 2" in lines
    assert "vlan add vlan 100 port 3" not in lines
    lines = configuration(terminal, "vlan delete vlan 100")
    assert not [line for line in lines if "vlan 100" in line]
    assert "vlan add vlan 10 port 1" in lines


def test_a_new_host_name_is_the_prompt() -> None:
    terminal = box().open_terminal()
    assert terminal.prompt == "lab1-agg-1> "
    configuration(terminal, "system set host-name renamed")
    assert terminal.prompt == "renamed> "


def test_the_configuration_is_kept_for_a_restart_only_when_saved() -> None:
    device = box()
    terminal = device.open_terminal()
    configuration(terminal, "vlan create vlan 77 name z")
    assert "vlan create vlan 77 name z" not in device.saved
    assert terminal.answer("configuration save") == ""
    assert "vlan create vlan 77 name z" in device.saved


def test_lines_are_told_apart_before_they_are_done() -> None:
    terminal = box().open_terminal()
    lines = ("", "! remark", "system shell session set more off", "exit", "port show", "bogus", "port disable port 1")
    assert [terminal.classify(line) for line in lines] == [
        LineKind.EMPTY, LineKind.EMPTY, LineKind.SESSION, LineKind.SESSION,
        LineKind.COMMAND, LineKind.COMMAND, LineKind.CONFIG,
    ]  # fmt: skip


def test_devices_differ_and_stay_the_same() -> None:
    first, again, other = (box(name).open_terminal() for name in ("a1-agg-1", "a1-agg-1", "a1-agg-2"))
    for command in ("port show", "port xcvr show", "software show", "lldp show neighbors", "configuration show"):
        assert first.answer(command) == again.answer(command) != other.answer(command)
