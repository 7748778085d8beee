"""What netmiko's drivers stand on: complete answers, whatever pieces they come in, and sessions that cost little."""

import hmac
import logging
from collections.abc import Callable
from types import ModuleType

import paramiko
import pytest
from netmiko import BaseConnection, ReadTimeout, platforms
from netmiko.exceptions import ReadException

from app.demo.network.devices import SimulatedDevice
from tasks.channel import LiveChannel
from tasks.ground import Ground, driver
from tasks.sessions import netmiko_session, transport, tuning
from tasks.ssh import SshCommandParams, ssh_command
from tasks.terminal import is_clean, prompt_pattern, run_command
from tests.support.node_lab import MakeLab

SSH_PLATFORMS = [name for name in platforms if not name.endswith(("_telnet", "_serial")) and name != "autodetect"]


class ScriptedShell:
    """A shell that says what it is told to say, piece by piece, once something was sent to it."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = [b"", *pieces]
        self.sent: list[bytes] = []
        self.closed = False

    def receive(self, wait_s: float) -> bytes | None:
        """Say the next piece to who waits for it; nothing to who only looks."""
        if not self.sent or not wait_s:
            return None
        return self.pieces.pop(0) or None if self.pieces else None

    def sendall(self, data: bytes) -> None:
        """Take what is sent."""
        self.sent.append(data)

    def close(self) -> None:
        """Be closed."""
        self.closed = True


def talking(*pieces: bytes, prompt: str = "sw1") -> Ground:
    connection = driver("cisco_ios")(host="sw1", username="admin", auto_connect=False)
    connection.channel = LiveChannel(ScriptedShell(*pieces), connection.encoding)
    connection.remote_conn = object()
    connection.base_prompt = prompt
    return connection


@pytest.mark.parametrize("platform", SSH_PLATFORMS)
def test_every_driver_keeps_its_own_ways_on_our_ground(platform: str) -> None:
    order = driver(platform).__mro__
    assert order.index(Ground) == order.index(BaseConnection) - 1
    assert driver(platform) is driver(platform)


def test_an_answer_is_complete_whatever_pieces_it_comes_in() -> None:
    whole = b"show clock\r\n12:00 Gr\xc3\xbc\xc3\x9fe\r\nsw1#"
    for size in range(1, len(whole)):
        pieces = [whole[start : start + size] for start in range(0, len(whole), size)]
        assert run_command(talking(*pieces), "show clock", 5) == "12:00 Gr\u00fc\u00dfe"


def test_a_line_that_looks_like_the_prompt_does_not_end_an_answer() -> None:
    shown = b"show history\r\nsw1#\r\nthe second half\r\nsw1#"
    assert run_command(talking(shown), "show history", 5) == "sw1#\nthe second half"
    assert run_command(talking(shown[:20], shown[20:]), "show history", 5) == "sw1#\nthe second half"


def test_what_stood_there_before_the_echo_is_no_part_of_an_answer() -> None:
    assert run_command(talking(b"\r\nsw1#\r\nsw1#show clock\r\n12:00\r\nsw1#"), "show clock", 5) == "12:00"


def test_a_message_behind_the_prompt_ends_up_in_no_answer() -> None:
    connection = talking(b"show clock\r\n12:00\r\nsw1#\r\n%SYS-5-CONFIG_I: by admin\r\n")
    assert run_command(connection, "show clock", 5) == "12:00"


@pytest.mark.parametrize(
    ("heard", "words"), [(b"show clock\r\n12:", "prompt"), (b"sho\r\nsw1#", "echo"), (b"show clock\r\nsw2#", "prompt")]
)
def test_an_answer_without_echo_or_prompt_of_its_own_is_none(heard: bytes, words: str) -> None:
    connection = talking(heard)
    prompt = prompt_pattern(connection)
    connection.read_timeout_override = 0.1
    with pytest.raises(ReadTimeout) as raised:
        connection.ask("show clock", prompt, 0.1)
    assert words in str(raised.value) or "Pattern not detected" in str(raised.value)


def test_an_end_is_an_error_at_once_but_not_before_all_is_read() -> None:
    class Ending(ScriptedShell):
        def receive(self, wait_s: float) -> bytes | None:
            del wait_s
            return self.pieces.pop(0) if self.pieces else b""

    channel = LiveChannel(Ending(), "utf-8")
    channel.shell.pieces[:] = [b"the last ", b"words"]  # type: ignore[attr-defined]
    assert channel.read_channel() == "the last words"
    assert channel.wait(60)
    assert not channel.is_open
    with pytest.raises(ReadException):
        channel.read_channel()


@pytest.mark.parametrize(("unread", "clean"), [(b"\r\nsw1#", True), (b"\r\nsw2#", False), (b"sw1#\r\nline\r\n", False)])
def test_only_blanks_and_its_own_prompt_may_stand_in_a_session_that_is_used_again(unread: bytes, clean: bool) -> None:
    class Unread(ScriptedShell):
        def receive(self, wait_s: float) -> bytes | None:
            del wait_s
            return self.pieces.pop() if len(self.pieces) > 1 else None

    connection = talking()
    connection.channel = LiveChannel(Unread(unread), "utf-8")
    assert is_clean(connection) is clean


def _other_parameters(first: bytes, second: bytes, third: bytes) -> bool:
    return first == second == third


@pytest.mark.parametrize("own", [None, _other_parameters, hmac.new])
def test_a_library_that_has_changed_is_left_alone_and_told(
    own: Callable[..., object] | None, caplog: pytest.LogCaptureFixture
) -> None:
    changed = ModuleType("changed")
    if own is not None:
        changed.constant_time_bytes_eq = own  # type: ignore[attr-defined]
    with caplog.at_level(logging.WARNING):
        assert not tuning.compare_at_c_speed(changed)
    assert getattr(changed, "constant_time_bytes_eq", None) is own
    assert "paramiko" in caplog.text


def test_the_installed_library_compares_in_c() -> None:
    assert tuning.compare_at_c_speed()
    assert paramiko.util.constant_time_bytes_eq is hmac.compare_digest


def test_the_thread_of_an_open_session_rests(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="sw1"))
    rests: list[float | None] = []

    def looks(task: object, params: object) -> None:
        del params
        with netmiko_session(task) as connection:  # type: ignore[arg-type]
            if isinstance(connection.remote_conn, paramiko.Channel):
                rests.append(connection.remote_conn.get_transport().sock.gettimeout())

    transport.choose("paramiko")
    devices.one(looks, SshCommandParams(command="-"))
    transport.choose("auto")
    assert rests == [tuning.IDLE_WAKE_S]
    assert not devices.one(ssh_command, SshCommandParams(command="show privilege")).failed
