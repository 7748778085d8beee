"""ssh:command on simulated devices: output, records, refusals, privilege."""

import threading
from typing import Any

import pytest

from app.demo.network.devices import Platform, SimulatedDevice
from app.demo.network.journal import EventKind
from app.demo.network.threaded import run_in_thread
from parsers import registry
from parsers.errors import ParseError
from tasks import sessions
from tasks.errors import NodeError
from tasks.node import Params
from tasks.ssh import SshCommandParams, commands_in, ntc_name, parser_by_id, ssh_command
from tests.support.node_lab import MakeLab, error_class, nornir_of, plain_host

SAOS = Platform.CIENA_SAOS


def test_a_bare_script_runs_the_node_with_nornir_alone() -> None:
    device = SimulatedDevice(name="sw1")
    with run_in_thread([device]) as network:
        nornir = nornir_of([plain_host(device, network.ports["sw1"])])
        result = nornir.run(task=ssh_command, params=SshCommandParams(command="show version"))["sw1"][0]
        nornir.close_connections()
        assert result.result["records"][0]["hostname"] == "sw1"
        assert result.host is nornir.inventory.hosts["sw1"]
        while network.journal.open_sessions:
            threading.Event().wait(0.01)


def test_a_command_gives_its_output_without_echo_and_prompt(lab: MakeLab) -> None:
    result = lab(SimulatedDevice(name="sw1")).one(ssh_command, SshCommandParams(command="show privilege"))
    assert result.result == {
        "stdout": "Current privilege level is 15",
        "records": None,
        "parser": None,
        "commands": [
            {
                "command": "show privilege",
                "stdout": "Current privilege level is 15",
                "records": None,
                "parser": None,
                "parse_error": None,
            }
        ],
    }


def test_auto_finds_the_parser_of_each_platform(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="c1", platform=SAOS))
    result = devices.one(ssh_command, SshCommandParams(command="port show")).result
    assert result["parser"] == "ciena_saos.port_show"
    assert result["records"][0]["port"] == "1"


def test_several_commands_stand_beside_each_other(lab: MakeLab) -> None:
    params = SshCommandParams(command="show version\n\n  show privilege\n")
    result = lab(SimulatedDevice(name="sw1")).one(ssh_command, params).result
    assert [output["command"] for output in result["commands"]] == ["show version", "show privilege"]
    assert result["commands"][0]["parser"] == "ntc.cisco_ios.show_version"
    assert result["records"] is None
    assert result["stdout"].endswith("\nCurrent privilege level is 15")


@pytest.mark.parametrize("parser", ["ntc.cisco_ios.show_version", "auto"])
def test_a_parser_is_found_by_its_id_or_by_the_command(lab: MakeLab, parser: str) -> None:
    params = SshCommandParams(command="show version", parser=parser)
    result = lab(SimulatedDevice(name="sw1")).one(ssh_command, params).result
    assert result["parser"] == "ntc.cisco_ios.show_version"


def test_no_parser_is_tried_where_none_is_wanted(lab: MakeLab) -> None:
    params = SshCommandParams(command="show version", parser="none")
    assert lab(SimulatedDevice(name="sw1")).one(ssh_command, params).result["parser"] is None


def test_a_parser_asked_for_by_id_must_fit(lab: MakeLab) -> None:
    params = SshCommandParams(command="show privilege", parser="ntc.cisco_ios.show_version")
    result = lab(SimulatedDevice(name="sw1")).one(ssh_command, params)
    assert error_class(result) == "parse"
    assert "'show privilege'" in str(result.exception)


def test_a_parser_that_does_not_exist_is_named(lab: MakeLab) -> None:
    params = SshCommandParams(command="show version", parser="ciena_saos.port_shw")
    result = lab(SimulatedDevice(name="sw1")).one(ssh_command, params)
    assert error_class(result) == "parse"
    assert "'ciena_saos.port_shw'" in str(result.exception)


def test_a_parser_found_automatically_may_fail_without_failing_the_node(
    lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Strict:
        id = "lab.strict"

        def parse(self, text: str) -> list[dict[str, Any]]:
            raise ParseError("not what I read", 1, text.splitlines()[0])

    monkeypatch.setattr(registry, "find", lambda *_: Strict())
    result = lab(SimulatedDevice(name="sw1")).one(ssh_command, SshCommandParams(command="show version"))
    assert not result.failed
    assert result.result["records"] is None
    assert "not what I read" in result.result["commands"][0]["parse_error"]


@pytest.mark.parametrize(("platform", "words"), [("cisco_ios", "% Invalid input"), ("ciena_saos", "SHELL PARSER")])
def test_a_command_the_device_does_not_know_is_unsupported(lab: MakeLab, platform: str, words: str) -> None:
    devices = lab(SimulatedDevice(name="dev1", platform=Platform(platform)))
    result = devices.one(ssh_command, SshCommandParams(command="frobnicate"))
    assert error_class(result) == "unsupported"
    assert "dev1 (127.0.0.1:" in str(result.exception)
    assert "'frobnicate'" in str(result.exception)
    assert words in str(result.exception)


def test_a_refused_command_leaves_the_session_usable(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="sw1"))
    devices.one(ssh_command, SshCommandParams(command="frobnicate"))
    assert not devices.one(ssh_command, SshCommandParams(command="show version")).failed
    assert devices.count(EventKind.LOGIN) == 1


def test_enable_takes_full_privilege_with_the_secret(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="sw1", privilege=1, enable_secret="s3cret-15"))
    plain = devices.one(ssh_command, SshCommandParams(command="show privilege"))
    enabled = devices.one(ssh_command, SshCommandParams(command="show privilege", enable=True))
    assert plain.result["stdout"].endswith(" 1")
    assert enabled.result["stdout"].endswith(" 15")


@pytest.mark.parametrize(("secret", "words"), [("wrong-secret", "refused the enable secret"), ("", "there is none")])
def test_a_wrong_enable_secret_is_an_enable_error(lab: MakeLab, secret: str, words: str) -> None:
    device = SimulatedDevice(name="sw1", privilege=1, enable_secret="s3cret-15")
    devices = lab(device)
    devices.host("sw1").connection_options["netmiko"].extras = {"secret": secret}
    result = devices.one(ssh_command, SshCommandParams(command="show privilege", enable=True))
    assert error_class(result) == "enable"
    assert words in str(result.exception)
    assert "s3cret" not in str(result.exception)


def test_privilege_is_not_asked_for_where_the_platform_has_none(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="c1", platform=SAOS))
    assert not devices.one(ssh_command, SshCommandParams(command="port show", enable=True)).failed


def test_a_cancelled_execution_sends_no_further_command(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="sw1"))
    result = devices.one(ssh_command, SshCommandParams(command="show version"), cancelled=lambda: True)
    assert error_class(result) == "cancelled"
    assert devices.count(EventKind.COMMAND) == 0


def test_empty_text_is_no_command() -> None:
    with pytest.raises(NodeError, match="command is empty"):
        commands_in("  \n ")


def test_parsers_know_a_driver_by_the_name_of_its_platform() -> None:
    assert ntc_name("cisco_xe") == "cisco_ios"
    assert ntc_name("cisco_ios_ssh") == "cisco_ios"
    assert ntc_name("ciena_saos") == "ciena_saos"
    assert ntc_name("no_such_driver") == "no_such_driver"


def test_own_parsers_are_found_by_id() -> None:
    assert parser_by_id("ciena_saos.port_show").id == "ciena_saos.port_show"


def test_a_platform_without_a_driver_is_refused_before_anything_is_sent(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="sw1"), platform="abacus_os")
    result = devices.one(ssh_command, SshCommandParams(command="show version"))
    assert error_class(result) == "unsupported"
    assert "'abacus_os'" in str(result.exception)
    assert devices.count(EventKind.LOGIN) == 0


def test_what_follows_finds_the_session_closed_when_it_was_closed(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="sw1"))
    devices.one(ssh_command, SshCommandParams(command="show version"))
    sessions.close_sessions(devices.host("sw1"))
    sessions.close_sessions(devices.host("sw1"))
    assert not devices.one(ssh_command, SshCommandParams(command="show version")).failed
    assert devices.count(EventKind.LOGIN) == 2


def test_parameters_have_bounds() -> None:
    assert issubclass(SshCommandParams, Params)
    assert SshCommandParams(command="x").timeout == 30
