"""Configurations as paths: reading, what typed lines mean, diffs, predictions. Pure."""

import re

import pytest

from tasks.configurations import intended, is_there, predict, read, unified_diff
from tasks.dialects import DIALECTS, Dialect, dialect_of

IOS = DIALECTS["cisco_ios"]
SAOS = DIALECTS["ciena_saos"]
RUNNING = """\
Building configuration...

Current configuration : 1234 bytes
!
! Last configuration change at 10:00:00 UTC
version 15.2
hostname sw1
!
interface Vlan1
 description management
 ip address 10.0.0.1 255.0.0.0
!
interface Vlan2
 no ip address
!
ip access-list extended GUESTS
 permit ip any any
 deny ip any any
!
ntp clock-period 17179865
ntp server 10.0.0.8
line vty 0 4
 login local
end
"""


def foreseen(text: str, lines: str, dialect: Dialect) -> set[str]:
    before, after = predict(text, intended(lines.splitlines(), dialect), dialect)
    diff = unified_diff(before, after, name="sw1", then="predicted").splitlines()[2:]
    return {line for line in diff if line.startswith(("+", "-"))}


def test_noise_is_no_configuration() -> None:
    paths = read(RUNNING, IOS)
    assert ("hostname sw1",) in paths
    assert ("interface Vlan1", "description management") in paths
    assert not [path for path in paths if path[0].startswith(("!", "Building", "Current", "ntp clock", "end"))]


def test_noise_alone_makes_no_difference() -> None:
    later = RUNNING.replace("1234 bytes", "9 bytes").replace("10:00", "11:00").replace("17179865", "1")
    assert unified_diff(read(RUNNING, IOS), read(later, IOS), name="sw1") == ""


@pytest.mark.parametrize(
    "typed",
    [
        "interface Vlan1\n shutdown\nhostname x",
        "interface Vlan1\nshutdown\nexit\nhostname x",
        "interface Vlan1\n shutdown\n exit\nhostname x",
        "interface Vlan1\nshutdown\nend\nhostname x",
    ],
)
def test_lines_mean_the_same_indented_or_not(typed: str) -> None:
    assert intended(typed.splitlines(), IOS) == [
        ("interface Vlan1",),
        ("interface Vlan1", "shutdown"),
        ("hostname x",),
    ]


def test_a_section_that_opens_ends_the_one_before() -> None:
    assert intended(["interface Vlan1", "shutdown", "interface Vlan2", "mtu 9000"], IOS)[2:] == [
        ("interface Vlan2",),
        ("interface Vlan2", "mtu 9000"),
    ]


def test_sections_stand_in_sections() -> None:
    typed = ["router bgp 1", " address-family ipv4", "  neighbor 10.0.0.9 activate", " bgp router-id 1.1.1.1"]
    assert intended(typed, IOS)[2:] == [
        ("router bgp 1", "address-family ipv4", "neighbor 10.0.0.9 activate"),
        ("router bgp 1", "bgp router-id 1.1.1.1"),
    ]


def test_lines_are_there_only_in_their_own_section() -> None:
    before = read(RUNNING, IOS)
    assert is_there(before, intended(["interface Vlan1", " description management"], IOS))
    assert not is_there(before, intended(["interface Vlan2", " description management"], IOS))
    assert not is_there(before, intended(["description management"], IOS))


def test_taking_away_and_giving_back_is_a_change() -> None:
    typed = ["no ip access-list extended GUESTS", "ip access-list extended GUESTS", " permit ip any any"]
    assert not is_there(read(RUNNING, IOS), intended(typed, IOS))
    assert foreseen(RUNNING, "\n".join(typed), IOS) == {"- 20 deny ip any any"}


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("interface Vlan1\n description x", {"- description management", "+ description x"}),
        ("interface Vlan1\n no description", {"- description management"}),
        ("no interface Vlan1", {"-interface Vlan1", "- description management", "- ip address 10.0.0.1 255.0.0.0"}),
        ("hostname sw9", {"-hostname sw1", "+hostname sw9"}),
        ("ntp server 10.0.0.9", {"+ntp server 10.0.0.9"}),
        ("vlan 7\n name x", {"+vlan 7", "+ name x"}),
        ("hostname sw1", set()),
        ("banner motd ^C\nnever finished", {"+banner motd ^C", "+never finished"}),
    ],
)  # fmt: skip
def test_a_prediction_knows_what_replaces_and_what_removes(typed: str, expected: set[str]) -> None:
    assert foreseen(RUNNING, typed, IOS) == expected


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("system set host-name c2", {"-system set host-name c1", "+system set host-name c2"}),
        ("port set port 1 description b", {'-port set port 1 description "a b"', "+port set port 1 description b"}),
        ("port unset port 1 description", {'-port set port 1 description "a b"'}),
        ("vlan remove vlan 10 port 1", {"-vlan add vlan 10 port 1"}),
        ("vlan delete vlan 10", {"-vlan create vlan 10 name users"}),
        ("port enable port 2", {"-port disable port 2", "+port enable port 2"}),
        ("vlan create vlan 11", {"+vlan create vlan 11"}),
        ("vlan add vlan 10 port 1", set()),
    ],
)  # fmt: skip
def test_a_flat_configuration_is_predicted_line_by_line(typed: str, expected: set[str]) -> None:
    running = """\
! Chassis MAC: 00:00
system set host-name c1
vlan create vlan 10 name users
vlan add vlan 10 port 1
port set port 1 description "a b"
port disable port 2
!
"""
    assert foreseen(running, typed, SAOS) == expected


def test_a_hunk_in_the_middle_of_a_section_names_it() -> None:
    many = [("interface Vlan1",), *[("interface Vlan1", f"ip helper-address 10.0.0.{n}") for n in range(20)]]
    diff = unified_diff(many, [*many[:15], *many[16:]], name="sw1")
    assert "@@ interface Vlan1" in diff


@pytest.mark.parametrize("name", ["cisco_ios", "cisco_ios_ssh", "cisco_xe", "arista_eos", "cisco_nxos", "ciena_saos"])
def test_a_dialect_is_known_by_its_driver(name: str) -> None:
    assert dialect_of(name) is not None


def test_an_unknown_driver_has_no_dialect() -> None:
    assert dialect_of("abacus") is None


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("% Invalid input detected at '^' marker.", "unsupported"),
        ("          ^\n% Incomplete command.", "unsupported"),
        ('% Ambiguous command:  "sh"', "unsupported"),
        ("Command authorization failed.", "auth"),
    ],
)
def test_refusals_have_a_class(words: str, expected: str) -> None:
    refusal = IOS.refusal_in(words)
    assert refusal is not None
    assert refusal[0] == expected


def test_words_of_refusal_further_down_are_what_was_asked_for() -> None:
    assert IOS.refusal_in("\n".join(["a log line"] * 8 + ["% Invalid input detected"])) is None
    assert IOS.refusal_in("5 minute input rate 0 bits/sec, % Invalid input") is None


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        ("% Invalid input detected at '^' marker.", True),
        ("% 10.0.0.0 overlaps with Vlan1", True),
        ("Command rejected: not a switching port", True),
        ("%Warning: portfast should only be enabled on ports", False),
        ("% Access VLAN does not exist. Creating vlan 30", False),
        ("%SYS-5-CONFIG_I: Configured from console", False),
    ],
)
def test_what_a_device_says_to_a_line_is_a_refusal_or_only_news(answer: str, refused: bool) -> None:
    assert bool(re.search(IOS.config_refusal, answer, re.MULTILINE)) is refused
