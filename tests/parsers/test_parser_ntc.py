"""Commands that ntc-templates reads."""

from importlib import resources
from io import StringIO
from pathlib import Path

import pytest
import textfsm
from jsonschema import Draft202012Validator

import parsers
from parsers import ntc

ROUTER = (Path(__file__).parent / "cases/cisco_ios/show_version/synthetic_router.txt").read_text()
MODULES = """
Mod Ports Card Type                              Model              Serial No.
--- ----- -------------------------------------- ------------------ -----------
  1   24  SFM-capable 24 port 1000 mb GBIC       WS-X6824-GBIC      SYN00000001
  5    2  Supervisor Engine 720 (Active)         WS-SUP720-3B       SYN00000002

Mod MAC addresses                       Hw    Fw           Sw           Status
--- ---------------------------------- ------ ------------ ------------ -------
  1  0011.22aa.0000 to 0011.22aa.0017   3.1   12.2(14r)S5  12.2(33)SXI  Ok
"""


def _refusal(platform: str, command: str, text: str) -> parsers.ParseError:
    with pytest.raises(parsers.ParseError) as caught:
        parsers.parse(platform, command, text)
    return caught.value


def test_a_template_is_a_parser_like_any_other() -> None:
    version = parsers.find("cisco_ios", "Show  Version")
    assert (version.id, version.platform, version.commands) == (
        "ntc.cisco_ios.show_version",
        "cisco_ios",
        ("show version",),
    )
    schema = version.schema()
    assert schema["properties"]["hostname"] == {"type": "string"}
    assert schema["properties"]["serial"] == {"type": "array", "items": {"type": "string"}}
    record = version.parse(ROUTER)[0]
    assert (record["hostname"], record["version"]) == ("branch-rtr-04", "15.5(3)S5")


@pytest.mark.parametrize(
    ("platform", "command", "found"),
    [
        ("cisco_ios", "sh ver", "ntc.cisco_ios.show_version"),
        ("cisco_ios", "show interfaces GigabitEthernet1/0/1", "ntc.cisco_ios.show_interfaces"),
        ("cisco_ios", "show ip route | include 10.", "ntc.cisco_ios.show_ip_route"),
        ("juniper_junos", "show chassis hardware", "ntc.juniper_junos.show_chassis_hardware"),
        ("cisco_ftd", "show arp", "ntc.cisco_ftd.show_arp"),
        ("vyatta_vyos", "show interfaces", "ntc.vyatta_vyos.show_interfaces"),
        ("aruba_procurve", "show lldp info remote-device", "ntc.aruba_procurve.show_lldp_info_remote-device"),
    ],
)
def test_short_forms_arguments_and_platform_patterns_are_known(platform: str, command: str, found: str) -> None:
    assert parsers.find(platform, command).id == found


@pytest.mark.parametrize("command", ["show versions", "show i", "show", "version"])
def test_a_command_that_only_begins_or_ends_like_another_is_unknown(command: str) -> None:
    with pytest.raises(parsers.UnknownParser):
        parsers.find("cisco_ios_xr", command)


def test_every_template_of_a_platform_is_reached_by_its_own_name() -> None:
    for platform in ("cisco_ios", "arista_eos", "juniper_junos", "ciena_saos"):
        for command in ntc.commands(platform):
            assert ntc.find(platform, command.lower()) is not None


def test_several_templates_of_one_command_join_on_their_keys() -> None:
    module = parsers.find("cisco_ios", "show module")
    rows = module.parse(MODULES)
    assert [(row["module"], row["model"], row["mod_hw"]) for row in rows] == [
        ("1", "WS-X6824-GBIC", "3.1"),
        ("5", "WS-SUP720-3B", ""),
    ]
    for row in rows:
        Draft202012Validator(module.schema()).validate(row)


def test_every_command_of_several_templates_joins_them() -> None:
    joined = {
        found
        for platform in ntc.platforms()
        for command in ntc.commands(platform)
        if (found := ntc.find(platform, command)) and len(found.templates) > 1
    }
    assert len(joined) > 1
    for found in joined:
        keys, *others = (_columns(name, keys_only=not place) for place, name in enumerate(found.templates))
        assert keys
        assert all(keys <= other for other in others)


def _columns(template: str, *, keys_only: bool) -> set[str]:
    source = (resources.files("ntc_templates") / "templates" / template).read_text()
    values = textfsm.TextFSM(StringIO(source)).values
    return {value.name for value in values if not keys_only or "Key" in value.OptionNames()}


def test_a_line_that_a_template_forbids_is_refused_with_its_number() -> None:
    error = _refusal("ciena_saos", "vlan show", "\n\nERROR: Invalid command\n")
    assert (error.line_number, error.line) == (3, "ERROR: Invalid command")
    assert "ciena_saos_vlan_show.textfsm" in str(error)


def test_text_of_which_no_line_is_known_is_refused() -> None:
    error = _refusal("cisco_ios", "show version", "\nonce upon a time\n")
    assert "does not look like the output of 'show version'" in str(error)
    assert (error.line_number, error.line) == (2, "once upon a time")


def test_text_that_is_known_but_empty_of_records_gives_none() -> None:
    assert parsers.parse("cisco_ios", "show version", " \r\n\n") == []
    head = "Device ID           Local Intf     Hold-time  Capability      Port ID"
    nobody = f"Capability codes:\n    (R) Router, (B) Bridge\n\n{head}\nTotal entries displayed: 0\n"
    assert parsers.parse("cisco_ios", "show lldp neighbors", nobody) == []
