"""Talks over an open session: the prompt, commands, and enable; and says what state a session is in."""

import re
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import paramiko
from netmiko import BaseConnection, ReadTimeout
from netmiko.exceptions import ReadException

from tasks.channel import LiveChannel
from tasks.dialing import endpoint
from tasks.errors import SessionError
from tasks.ground import Ground, speaks_its_own_way

_raised: "weakref.WeakSet[BaseConnection]" = weakref.WeakSet()


class NoAnswer(ReadTimeout):
    """A command had no complete answer in its time; the message says which."""


def prompt_pattern(connection: BaseConnection) -> str:
    """Return a regular expression for the device's own prompt, whatever mode or mark it shows behind the name."""
    name = re.escape(connection.base_prompt.rstrip("*"))
    return rf"(?m)^\s*{name}\S*[>#$%]\s*$"


def run_command(connection: BaseConnection, command: str, timeout_s: float) -> str:
    """Return what a command prints, without its echo and the prompt; raises NoAnswer after ``timeout_s`` seconds."""
    prompt = prompt_pattern(connection)
    with _bounded(connection, timeout_s):
        try:
            if isinstance(connection, Ground) and not speaks_its_own_way(connection):
                return connection.ask(command, prompt, timeout_s)
            return str(connection.send_command(command, expect_string=prompt, read_timeout=timeout_s))
        except ReadTimeout as error:
            raise NoAnswer(f"{command!r} had no complete answer within {timeout_s:g} s") from error


def enable(connection: BaseConnection, name: str) -> None:
    """Take full privilege where the platform has such a thing; raises SessionError of class enable.

    ``name`` is the device's in the message.
    """
    try:
        if connection.enable():  # it says nothing where nothing was to be done
            _raised.add(connection)
    except (ValueError, ReadTimeout) as error:
        if isinstance(error, ReadTimeout) and not is_open(connection):
            raise
        secret = "refused the enable secret" if connection.secret else "asks for an enable secret, and there is none"
        raise SessionError(
            "enable",
            f"{endpoint(connection.host, connection.port, name)} {secret}. "
            "Correct enable_secret in the credential, or log in as a user who needs none.",
        ) from None


def is_raised(connection: BaseConnection) -> bool:
    """Say whether a session has more privilege than its login gave it."""
    return connection in _raised


def lower(connection: BaseConnection) -> bool:
    """Give back the privilege that ``enable`` took; False where that cannot be."""
    try:
        connection.exit_enable_mode()
    except (ValueError, ReadException, ReadTimeout, OSError):
        return False
    _raised.discard(connection)
    return True


def leave_configuration(connection: BaseConnection, name: str) -> None:
    """Go back from configuration mode, and learn the prompt anew, which a change may have renamed."""
    try:
        connection.exit_config_mode()
        connection.set_base_prompt()
    except (ValueError, IndexError) as error:
        where = endpoint(connection.host, connection.port, name)
        raise SessionError("prompt", f"{where} shows no known prompt after the change. Look at the device.") from error


def is_clean(connection: BaseConnection) -> bool:
    """Say whether a kept session is alive and nothing unread stands in it but blanks and its own prompt."""
    try:
        unread = connection.read_channel().strip() if is_open(connection) else "the line is dead"
    except (ReadException, OSError):
        return False
    lines = (line for line in unread.splitlines() if line.strip())
    return all(re.fullmatch(prompt_pattern(connection), line) for line in lines)


def is_open(connection: BaseConnection) -> bool:
    """Say whether the session can still carry something."""
    if isinstance(connection, Ground):
        return connection.remote_conn is not None and connection.is_alive()
    channel = connection.remote_conn
    if not isinstance(channel, paramiko.Channel) or channel.closed or channel.eof_received:
        return False
    return channel.get_transport().is_active()


def hang_up(connection: BaseConnection) -> None:
    """End a session whose state nobody should go on from."""
    if isinstance(connection.remote_conn, paramiko.Channel):
        connection.remote_conn.close()
    elif isinstance(connection.channel, LiveChannel):
        connection.channel.shell.close()


@contextmanager
def _bounded(connection: BaseConnection, timeout_s: float) -> Iterator[None]:
    """Bound every single read, that of the echo too, for which netmiko has its own ten seconds."""
    connection.read_timeout_override = timeout_s
    try:
        yield
    finally:
        connection.read_timeout_override = None
