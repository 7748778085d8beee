"""config:push on simulated devices: dry run, push, nothing to do, refusals, and being cut short."""

import threading
from dataclasses import replace
from typing import Any

import pytest
from nornir.core.task import Result

from app.demo.network.devices import Fault, Platform, SimulatedDevice
from app.demo.network.journal import EventKind
from tasks import dialects, sessions
from tasks.config import ConfigPushParams, config_lines, config_push
from tasks.errors import NodeError
from tasks.ssh import SshCommandParams, ssh_command
from tests.support.node_lab import Lab, MakeLab, error_class

SAOS = Platform.CIENA_SAOS
IOS_LINES = "interface GigabitEthernet0/2\n description uplink\n switchport access vlan 20\nhostname renamed\n"
SAOS_LINES = 'port set port 2 description "uplink"\nsystem set host-name renamed'


def push(lab: Lab, lines: str, *, save: bool = False, timeout: int = 5, **surroundings: Any) -> Result:
    return lab.one(config_push, ConfigPushParams(lines=lines, save=save, timeout=timeout), **surroundings)


def changed_lines(diff: str) -> set[str]:
    return {line for line in diff.splitlines()[2:] if line.startswith(("+", "-"))}


@pytest.mark.parametrize(
    ("platform", "lines", "expected"),
    [
        (
            Platform.CISCO_IOS,
            IOS_LINES,
            {
                "+ description uplink",
                "- switchport access vlan 10",
                "+ switchport access vlan 20",
                "-hostname dev1",
                "+hostname renamed",
            },
        ),
        (
            SAOS,
            SAOS_LINES,
            {
                '+port set port 2 description "uplink"',
                "-system set host-name dev1",
                "+system set host-name renamed",
            },
        ),
    ],
)
def test_a_dry_run_foresees_what_the_push_then_does_and_a_second_push_does_nothing(
    lab: MakeLab, platform: Platform, lines: str, expected: set[str]
) -> None:
    devices = lab(SimulatedDevice(name="dev1", platform=platform))
    foreseen = push(devices, lines, dry_run=True)
    assert devices.count(EventKind.CONFIG) == 0
    assert devices.changes == []
    real = push(devices, lines)
    again = push(devices, lines)
    assert changed_lines(foreseen.diff) == changed_lines(real.diff) == expected
    assert (foreseen.changed, real.changed, again.changed) == (True, True, False)
    assert again.result == {"diff": "", "changed": False, "sent": [], "saved": False}
    assert devices.changes == [lines.splitlines()]
    assert devices.count(EventKind.CONFIG) == len(lines.splitlines())
    assert devices.count(EventKind.LOGIN) == 1


def test_a_diff_names_the_device_and_the_section(lab: MakeLab) -> None:
    result = push(lab(SimulatedDevice(name="sw1")), "interface GigabitEthernet0/2\n shutdown")
    lines = result.diff.splitlines()
    assert lines[:2] == ["--- sw1 running-config before", "+++ sw1 running-config after"]
    assert "interface GigabitEthernet0/2" in result.diff


@pytest.mark.parametrize(
    ("platform", "lines", "command"),
    [(Platform.CISCO_IOS, "vlan 40", "write memory"), (SAOS, "vlan create vlan 40", "configuration save")],
)
def test_saving_comes_after_the_lines_and_is_announced_with_them(
    lab: MakeLab, platform: Platform, lines: str, command: str
) -> None:
    devices = lab(SimulatedDevice(name="dev1", platform=platform))
    result = push(devices, lines, save=True)
    assert result.result["saved"] is True
    assert devices.changes == [[lines, command]]
    assert devices.heard(EventKind.COMMAND)[-1] == command


def test_a_push_that_was_announced_and_not_allowed_sends_nothing(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="sw1"))

    def refuse(_: object) -> None:
        raise NodeError("cancelled", "it is no longer ours to make")

    result = push(devices, "vlan 40", before_change=refuse)
    assert error_class(result) == "cancelled"
    assert devices.count(EventKind.CONFIG) == 0


@pytest.mark.parametrize(
    ("platform", "lines", "words"),
    [
        (Platform.CISCO_IOS, "vlan 40\nbogus line\nvlan 41", "% Invalid input"),
        (SAOS, "vlan create vlan 40\nbogus line\nvlan create vlan 41", "SHELL PARSER FAILURE"),
    ],
)
def test_a_refused_line_ends_the_push_and_is_named_with_what_was_taken(
    lab: MakeLab, platform: Platform, lines: str, words: str
) -> None:
    devices = lab(SimulatedDevice(name="dev1", platform=platform))
    result = push(devices, lines, save=True)
    message = str(result.exception)
    assert error_class(result) == "config_rejected"
    assert "line 2 of 3, 'bogus line'" in message
    assert words in message
    assert "taken before it: 1." in message
    assert result.result["sent"] == lines.splitlines()[:2]
    assert result.result["saved"] is False
    assert changed_lines(result.diff) == {f"+{lines.splitlines()[0]}"}
    assert "41" not in " ".join(devices.heard(EventKind.CONFIG))


def test_a_refused_first_line_changes_nothing_and_the_session_is_not_used_again(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="sw1"))
    result = push(devices, "bogus line")
    assert "nothing was changed" in str(result.exception)
    assert (result.changed, result.diff) == (False, "")
    assert not devices.one(ssh_command, SshCommandParams(command="show version")).failed
    assert devices.count(EventKind.LOGIN) == 2


def test_privilege_is_taken_with_the_enable_secret(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="sw1", privilege=1, enable_secret="s3cret-15"))
    assert push(devices, "vlan 40").changed


def test_a_wrong_enable_secret_fails_before_anything_is_announced(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="sw1", privilege=1, enable_secret="s3cret-15"))
    devices.host("sw1").connection_options["netmiko"].extras = {"secret": "wrong"}
    assert error_class(push(devices, "vlan 40")) == "enable"
    assert devices.changes == []


def test_a_platform_whose_configuration_nobody_can_read_is_unsupported(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="box1"), platform="linux")
    result = push(devices, "vlan 40")
    assert error_class(result) == "unsupported"
    assert devices.count(EventKind.LOGIN) == 0


@pytest.mark.parametrize(("fault", "expected"), [(Fault.HANG, "read_timeout"), (Fault.DROP, "connection_lost")])
def test_a_device_that_fails_before_the_push_has_been_sent_nothing(lab: MakeLab, fault: Fault, expected: str) -> None:
    devices = lab(SimulatedDevice(name="sick", fault=fault))
    result = push(devices, "vlan 40", timeout=1)
    assert error_class(result) == expected
    assert devices.changes == []
    assert devices.count(EventKind.CONFIG) == 0


def test_a_push_cut_in_the_middle_says_how_far_it_came(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="slow", latency_s=0.05))
    results: list[Result] = []
    lines = "\n".join(f"vlan {number}" for number in range(100, 400))
    thread = threading.Thread(target=lambda: results.append(push(devices, lines)))
    thread.start()
    while devices.count(EventKind.CONFIG) < 2:
        threading.Event().wait(0.01)
    sessions.interrupt_all()
    thread.join()
    (result,) = results
    sent = len(result.result["sent"])
    assert error_class(result) == "cancelled"
    assert f"Of 300 lines {sent} had been sent." in str(result.exception)
    assert 2 <= sent < 300


def test_a_cancelled_push_stops_between_two_lines(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="sw1"))
    result = push(devices, "vlan 40\nvlan 41\nvlan 42", cancelled=lambda: devices.count(EventKind.CONFIG) >= 2)
    assert error_class(result) == "cancelled"
    assert result.result["sent"] == ["vlan 40", "vlan 41"]
    assert "'vlan 42'" in str(result.exception)


def test_a_user_who_may_not_configure_is_told_so(lab: MakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    devices = lab(SimulatedDevice(name="sw1"))

    def stay_out(self: Any, *_: object, **__: object) -> str:
        raise ValueError("Failed to enter configuration mode.")

    monkeypatch.setattr("netmiko.cisco.cisco_ios.CiscoIosBase.config_mode", stay_out)
    result = push(devices, "vlan 40")
    assert error_class(result) == "config_rejected"
    assert "Check the user's rights" in str(result.exception)
    assert result.result["sent"] == []


def test_a_refused_save_is_told_apart_from_a_refused_line(lab: MakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    devices = lab(SimulatedDevice(name="c1", platform=SAOS))
    unsavable = replace(dialects.DIALECTS["ciena_saos"], save="configuration stash")
    monkeypatch.setattr(dialects, "DIALECTS", {"ciena_saos": unsavable})
    result = push(devices, "vlan create vlan 40", save=True)
    assert error_class(result) == "config_rejected"
    assert "took the lines but refused 'configuration stash'" in str(result.exception)
    assert result.changed


def test_a_banner_is_sent_as_text(lab: MakeLab) -> None:
    result = push(lab(SimulatedDevice(name="sw1")), "banner motd ^C welcome ^C")
    assert changed_lines(result.diff) == {"+banner motd ^C welcome ^C"}


def test_blank_lines_and_comments_are_not_sent() -> None:
    assert config_lines("\n! a comment\nvlan 40  \n name x\n") == ["vlan 40", " name x"]
    with pytest.raises(NodeError, match="no configuration line"):
        config_lines("!\n\n")
