"""What netmiko's drivers stand on here: they wait for what arrives instead of sleeping, over a shell of our choice.

``driver`` slips our ground between a driver and netmiko's base: what a driver does its own way stays its own.
"""

import functools
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

import paramiko
from netmiko import BaseConnection, ReadTimeout, ssh_dispatcher
from paramiko.auth_handler import AuthOnlyHandler

from tasks.channel import LiveChannel, ParamikoShell, Shell

ESCAPE = "\x1b"
FIRST_WORDS_S = 0.1
"""How long a device is given to show its prompt by itself, before a line end asks for it."""
BLINK_S = 0.01
"""How long nobody sleeps: the wait on a channel that cannot wake its reader."""
SETTLED_S = 0.3
"""How long a text that stands behind a prompt may stay the last word."""

OpenShell = Callable[["Ground", int, int], Shell | None]
"""Opens the shell of a driver, of a width and a height; None leaves it to netmiko and paramiko."""


class Transport(paramiko.Transport):
    """Paramiko's, but it answers questions within the login under way: some devices take no second one."""

    def auth_interactive(self, username: str, handler: Any, submethods: str = "") -> list[str]:
        """Answer a device's questions, after another way to log in was not for this device."""
        if self.auth_handler is None:
            return super().auth_interactive(username, handler, submethods)
        self.auth_handler = AuthOnlyHandler(self)
        return list(self.auth_handler.auth_interactive(username, handler, submethods))


class Ground(BaseConnection):
    """Netmiko's base, but woken by what arrives."""

    open_shell: OpenShell | None = None
    order_host_keys: Callable[[Sequence[str]], Sequence[str]] | None = None

    def establish_connection(self, width: int = 511, height: int = 1000) -> None:
        """Log in and open a shell: one of ours, or netmiko's own over paramiko."""
        shell = self.open_shell(self, width, height) if self.open_shell is not None else None
        if shell is not None:
            self.remote_conn = self.remote_conn_pre = shell  # type: ignore[assignment]
            self.channel = LiveChannel(shell, self.encoding)
            self.special_login_handler()
            return
        super().establish_connection(width=width, height=height)
        self.channel = LiveChannel(ParamikoShell(self.remote_conn), self.encoding)  # type: ignore[arg-type]

    def _connect_params_dict(self) -> dict[str, Any]:
        """Return what paramiko is given: host keys that are known come first, so that the device shows one of them."""
        return {**super()._connect_params_dict(), "transport_factory": self._transport}

    def _transport(self, *given: Any, **named: Any) -> paramiko.Transport:
        transport = Transport(*given, **named)
        if self.order_host_keys is not None:
            options = transport.get_security_options()
            options.key_types = tuple(self.order_host_keys(options.key_types))
        return transport

    def is_alive(self) -> bool:
        """Say whether the session can still carry something."""
        return isinstance(self.channel, LiveChannel) and self.channel.is_open

    def strip_ansi_escape_codes(self, string_buffer: str) -> str:
        """Remove escape sequences, where there are any."""
        return super().strip_ansi_escape_codes(string_buffer) if ESCAPE in string_buffer else string_buffer

    def read_until_pattern(
        self, pattern: str = "", read_timeout: float = 10.0, re_flags: int = 0, max_loops: int | None = None
    ) -> str:
        """Return what arrives up to a pattern, and keep what stands behind it; raises ReadTimeout."""
        del max_loops
        limit_s = self.read_timeout_override or read_timeout
        give_up_at = time.monotonic() + limit_s
        expected, output = re.compile(pattern, re_flags), ""
        while True:
            output += self.read_channel()
            if found := expected.search(output):
                self._read_buffer = output[found.end() :] + self._read_buffer
                return output[: found.end()]
            if limit_s and time.monotonic() >= give_up_at:
                raise ReadTimeout(f"Pattern not detected: {pattern!r} in output.")
            self.wait(give_up_at - time.monotonic() if limit_s else SETTLED_S)

    def clear_buffer(self, backoff: bool = True, backoff_max: float = 3.0, delay_factor: float | None = None) -> str:
        """Return whatever arrives until nothing does for a moment."""
        del backoff, backoff_max
        moment_s = 0.1 * (self.global_delay_factor if delay_factor is None else delay_factor)
        output = self.read_channel()
        while self.wait(moment_s):
            output += self.read_channel()
        return output

    def ask(self, command: str, prompt: str, timeout_s: float) -> str:
        """Return what a command prints, as ``send_command`` does; raises ReadTimeout.

        The echo must come first, and a prompt must be the last word: where text follows one, it was none.
        """
        text, give_up_at = self.normalize_cmd(command), time.monotonic() + timeout_s
        self.write_channel(text)
        output = "" if self.global_cmd_verify is False else self.command_echo_read(command.strip(), timeout_s)
        expected, searched, is_first = re.compile(prompt), 0, True
        while True:
            output += self.read_channel()
            if is_first and output:
                output, is_first = self._first_line_handler(output, prompt)[0], False
            if found := _last(expected, output, searched):
                end = found.start() + len(found.group().rstrip())
                is_last = "\n" not in output[end:]
                if is_last or not self.wait(min(SETTLED_S, max(0.0, give_up_at - time.monotonic()))):
                    return self._said(text, output[:end])
                continue
            searched = max(output.rfind("\n", 0, len(output) - 1), 0)
            if not self.wait(give_up_at - time.monotonic()):
                raise ReadTimeout(f"Pattern not detected: {prompt!r} in output.")

    def wait(self, seconds: float) -> bool:
        """Wait until there is something to read, or nothing more can come; return whether that is so."""
        if self._read_buffer:
            return True
        if isinstance(self.channel, LiveChannel):
            return self.channel.wait(seconds)
        time.sleep(min(BLINK_S, max(0.0, seconds)))
        return seconds > BLINK_S

    def _said(self, command: str, output: str) -> str:
        return self._sanitize_output(output, strip_command=True, command_string=command, strip_prompt=True)

    def _try_session_preparation(self, force_data: bool = True) -> None:
        """Prepare the session once the device has begun to talk."""
        try:
            if force_data and not self.wait(FIRST_WORDS_S):
                self.write_channel(self.RETURN)
                self.wait(FIRST_WORDS_S)
            self.session_preparation()
        except Exception:
            self.disconnect()
            raise


@functools.cache
def driver(device_type: str) -> type[Ground]:
    """Return netmiko's driver of a device type, on our ground; raises KeyError for a type that it does not know."""
    netmikos = ssh_dispatcher(device_type)
    return type(netmikos.__name__, (netmikos, Ground), {"__module__": netmikos.__module__})


def speaks_its_own_way(connection: BaseConnection) -> bool:
    """Say whether a driver has its own way to send commands, or was opened by somebody else."""
    return not isinstance(connection, Ground) or type(connection).send_command is not BaseConnection.send_command


def _last(expected: re.Pattern[str], text: str, start: int) -> re.Match[str] | None:
    """Return the last match of a pattern in what has not been searched yet."""
    found = None
    for found in expected.finditer(text, start):  # noqa: B007 — the last one is meant
        pass
    return found
