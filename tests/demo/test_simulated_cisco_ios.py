"""The IOS-like command line, typed at without any network."""

from typing import Any

import pytest

from app.demo.network.cisco_ios import CiscoIos, CiscoIosTerminal
from app.demo.network.devices import Link, SimulatedDevice
from app.demo.network.terminal import LineKind

REFUSED = "% Invalid input detected at '^' marker.\n"


def box(name: str = "lab1-sw-1", **fields: Any) -> CiscoIos:
    return CiscoIos(SimulatedDevice(name=name, **fields))


def type_in(terminal: CiscoIosTerminal, *lines: str) -> list[str]:
    return [terminal.answer(line) for line in lines]


def configured(*lines: str) -> list[str]:
    """Return the running configuration after some configuration lines, none of which may be refused."""
    terminal = box().open_terminal()
    answers = type_in(terminal, "configure terminal", *lines)
    assert not any(answers[1:])
    return type_in(terminal, "end", "show running-config")[1].splitlines()


def section(lines: list[str], header: str) -> list[str]:
    """Return the lines under a header."""
    start = lines.index(header) + 1
    return [line.strip() for line in lines[start : lines.index("!", start)]]


def test_the_prompt_follows_the_mode() -> None:
    terminal = box(privilege=1, enable_secret="s3cret").open_terminal()
    prompts = []
    for line in ("enable", "s3cret", "conf t", "int gi0/2", "router ospf 1", "exit", "end", "disable"):
        terminal.answer(line)
        prompts.append(terminal.prompt.removeprefix("lab1-sw-1"))
    modes = ["(config)#", "(config-if)#", "(config-router)#", "(config)#"]
    assert prompts == ["Password: ", "#", *modes, "#", ">"]


def test_a_wrong_enable_secret_gives_no_privilege() -> None:
    terminal = box(privilege=1, enable_secret="s3cret").open_terminal()
    assert type_in(terminal, "enable", "guess")[1] == "% Error in authentication.\n"
    assert terminal.prompt == "lab1-sw-1>"


def test_without_an_enable_secret_nobody_gets_privilege() -> None:
    terminal = box(privilege=1, enable_secret="").open_terminal()
    assert terminal.answer("enable") == "% No password set"
    assert terminal.prompt == "lab1-sw-1>"


def test_without_privilege_the_configuration_is_neither_shown_nor_changed() -> None:
    terminal = box(privilege=1).open_terminal()
    for answer in type_in(terminal, "show running-config", "configure terminal", "write memory"):
        assert answer.endswith(REFUSED)
    assert "Version" in terminal.answer("show version")


@pytest.mark.parametrize("line", ["sh ver", "show ver", "SHOW VERSION", "  show   version  "])
def test_commands_may_be_cut_short(line: str) -> None:
    assert box().open_terminal().answer(line).startswith("Cisco IOS Software")


def test_a_wrong_word_is_marked_where_it_begins() -> None:
    terminal = box().open_terminal()
    marker, message = terminal.answer("show bogus").split("\n", 1)
    assert marker.index("^") == len(terminal.prompt + "show ")
    assert message == REFUSED


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("show", "% Incomplete command.\n"),
        ("terminal length", "% Incomplete command.\n"),
        ("e", '% Ambiguous command:  "e"'),
        ("show run | frobnicate x", "% Invalid output modifier.\n"),
        ("show run | include", "% Incomplete command.\n"),
        ("show run | include [", "% Failed to compile regular expression.\n"),
        ("show run interface gi0/99", REFUSED),
    ],
)
def test_what_means_nothing_is_refused_with_the_reason(line: str, answer: str) -> None:
    assert box().open_terminal().answer(line) == answer


@pytest.mark.parametrize("line", ["bogus", "invalid line", "no bogus", "interface bogus9", "interface", "no"])
def test_a_refused_configuration_line_changes_nothing(line: str) -> None:
    device = box()
    terminal = device.open_terminal()
    before = terminal.answer("show running-config")
    assert type_in(terminal, "conf t", line)[1].endswith(REFUSED)
    assert type_in(terminal, "end", "show running-config")[1] == before


def test_a_section_opened_again_is_merged() -> None:
    lines = configured(
        "interface Loopback7", "description first", "ip address 10.9.9.1 255.255.255.255", "exit",
        "int lo7", "description second", "shutdown", "shutdown",
    )  # fmt: skip
    assert lines.count("interface Loopback7") == 1
    assert section(lines, "interface Loopback7") == [
        "description second",
        "ip address 10.9.9.1 255.255.255.255",
        "shutdown",
    ]


def test_a_value_replaces_the_value_before_it_and_lists_grow() -> None:
    lines = configured("ntp server 10.1.1.1", "ntp server 10.1.1.2", "snmp-server location a", "snmp-server location b")
    assert [line for line in lines if line.startswith("ntp")] == [
        "ntp server 10.64.0.8",
        "ntp server 10.1.1.1",
        "ntp server 10.1.1.2",
    ]
    assert [line for line in lines if line.startswith("snmp-server location")] == ["snmp-server location b"]


def test_the_order_of_an_access_list_is_kept() -> None:
    entries = ["permit tcp any any eq 22", "deny ip any 10.0.0.0 0.255.255.255", "permit ip any any"]
    assert section(configured("ip access-list extended MGMT", *entries), "ip access-list extended MGMT") == entries


def test_sections_nest() -> None:
    lines = configured(
        "router bgp 65001", "neighbor 10.0.0.2 remote-as 65002", "address-family ipv4",
        "neighbor 10.0.0.2 activate", "exit-address-family", "neighbor 10.0.0.2 remote-as 65003",
    )  # fmt: skip
    assert lines[lines.index("router bgp 65001") + 1 :][:3] == [
        " neighbor 10.0.0.2 remote-as 65003",
        " address-family ipv4",
        "  neighbor 10.0.0.2 activate",
    ]


def test_a_global_line_leaves_the_section() -> None:
    lines = configured("interface gi0/1", "logging host 10.5.5.5", "interface gi0/2", "no ip http server")
    assert "logging host 10.5.5.5" in lines
    assert "no ip http server" in lines


def test_no_removes_a_line_a_value_and_a_section() -> None:
    lines = configured(
        "no vlan 20", "no ntp server 10.64.0.8", "interface Vlan1", "no description", "no ip address", "no shutdown"
    )
    assert section(lines, "interface Vlan1") == []
    assert not [line for line in lines if line.startswith(("vlan 20", "ntp"))]


def test_what_is_on_by_default_is_shown_when_it_is_off() -> None:
    assert "no switchport" in section(configured("interface gi0/3", "no switchport"), "interface GigabitEthernet0/3")
    assert "no service pad" not in configured("service pad")


def test_a_new_hostname_is_the_prompt_of_every_session() -> None:
    device = box()
    first, second = device.open_terminal(), device.open_terminal()
    type_in(first, "conf t", "hostname renamed")
    assert second.prompt == "renamed#"
    type_in(first, "no hostname")
    assert second.prompt == "Switch#"


def test_the_running_configuration_is_kept_for_a_restart_only_when_saved() -> None:
    terminal = box().open_terminal()
    type_in(terminal, "conf t", "vlan 77", "end")
    assert "vlan 77" not in terminal.answer("show startup-config")
    assert terminal.answer("write memory").endswith("[OK]")
    assert "vlan 77" in terminal.answer("show startup-config")
    type_in(terminal, "conf t", "no vlan 77", "end")
    assert terminal.answer("copy run start").endswith("[OK]")
    assert "vlan 77" not in terminal.answer("show startup-config")


def test_do_shows_from_within_the_configuration() -> None:
    terminal = box().open_terminal()
    answers = type_in(terminal, "conf t", "interface gi0/1", "do show run interface gi0/1", "do bogus")
    assert "interface GigabitEthernet0/1\n" in answers[2]
    assert answers[3].index("^") == len(terminal.prompt + "do ")


def test_pipes_narrow_the_output() -> None:
    terminal = box().open_terminal()
    whole = terminal.answer("show run").split("\n")
    assert terminal.answer("show run | include ^interface Gi").count("\n") == 9
    assert terminal.answer("show run | exclude ^interface").split("\n") == [
        line for line in whole if not line.startswith("interface")
    ]
    assert terminal.answer("show run | begin ^line vty").startswith("line vty 0 4\n login local")
    assert terminal.answer("show run | section ^vlan 10") == "vlan 10\n name users"
    assert terminal.answer("show run | section login") == "line vty 0 4\n login local"


def test_interfaces_show_their_cables_and_their_shutdown() -> None:
    link = Link(local_port="GigabitEthernet0/4", remote_name="lab1-sw-2", remote_port="GigabitEthernet0/9")
    terminal = box(links=(link,)).open_terminal()
    assert "Gi0/4                          up             up       to lab1-sw-2 Gi" in terminal.answer("sh int desc")
    assert "lab1-sw-2           Gi0/4 " in terminal.answer("show lldp neighbors")
    type_in(terminal, "conf t", "int gi0/4", "shut", "end")
    assert "GigabitEthernet0/4     unassigned      YES unset  administratively down down" in terminal.answer(
        "show ip interface brief"
    )


def test_lines_are_told_apart_before_they_are_done() -> None:
    terminal = box(privilege=1).open_terminal()
    kinds = {line: terminal.classify(line) for line in ("", "! remark", "term len 0", "exit", "sh ver", "nonsense")}
    assert list(kinds.values()) == [
        LineKind.EMPTY, LineKind.EMPTY, LineKind.SESSION, LineKind.SESSION, LineKind.COMMAND, LineKind.COMMAND,
    ]  # fmt: skip
    terminal.answer("enable")
    assert terminal.classify("admin") is LineKind.SECRET
    type_in(terminal, "admin", "conf t")
    kinds = {line: terminal.classify(line) for line in ("vlan 9", "bogus", "do sh ver", "exit", "end")}
    assert list(kinds.values()) == [LineKind.CONFIG, LineKind.CONFIG, *[LineKind.COMMAND] * 3]


def test_devices_differ_and_stay_the_same() -> None:
    first, again, other = box("a1-sw-1"), box("a1-sw-1"), box("a1-sw-2")
    for command in ("show version", "show inventory", "show running-config"):
        answer = first.open_terminal().answer(command)
        assert answer == again.open_terminal().answer(command)
        assert answer != other.open_terminal().answer(command)


def test_exit_ends_the_login() -> None:
    terminal = box().open_terminal()
    type_in(terminal, "conf t", "exit")
    assert not terminal.closed
    terminal.answer("exit")
    assert terminal.closed
