"""Logs in and carries a shell with ssh2-python, which takes a fraction of paramiko's time; installed or not."""

import os
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import paramiko
from netmiko import NetmikoAuthenticationException

from tasks.channel import CHUNK_BYTES, SEND_TIMEOUT_S
from tasks.sessions.failures import LoginTimedOut
from tasks.sessions.host_keys import Check

try:
    from ssh2 import exceptions as errors
    from ssh2 import session as library
    from ssh2.error_codes import LIBSSH2_ERROR_EAGAIN as AGAIN
except ImportError:
    IS_INSTALLED = False
else:
    IS_INSTALLED = True

TERMINAL = "vt100"
INBOUND, OUTBOUND = 1, 2
PASSWORD, PROMPTS = "password", "keyboard-interactive"


class NotOurs(Exception):
    """Another library can log in there: the two sides have no algorithm in common, or the device asks questions.

    Questions are answered by ssh2-python with all other threads of the process at a standstill.
    """


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a login takes."""

    username: str
    password: str | None
    private_key: Callable[[], str | None]
    check: Check
    banner_s: float
    login_s: float
    keepalive_s: int


class Descriptor:
    """A second descriptor of a socket, closed when nobody holds it any more.

    The library touches its descriptor when a session is let go of, which may be late, in a traceback: one that was
    closed by then could be somebody else's.
    """

    def __init__(self, wire: socket.socket) -> None:
        self._number = os.dup(wire.fileno())

    def __del__(self) -> None:
        os.close(self._number)

    def fileno(self) -> int:
        """Return its number."""
        return self._number


class Ssh2Shell:
    """A shell in a channel of libssh2's, which talks over a socket that belongs to its line.

    The library must not be entered by two threads at once; whoever waits, waits outside of it.
    """

    def __init__(self, wire: socket.socket, session: Any, channel: Any) -> None:
        self._wire = wire
        self._session = session
        self._channel = channel
        self._ahead = b""
        self._ended = False
        self._lock = threading.Lock()

    @property
    def closed(self) -> bool:
        """Say whether nothing can be sent or received any more."""
        while data := self._read():
            self._ahead += data
        return self._ended

    def receive(self, wait_s: float) -> bytes | None:
        """Return what has arrived, waiting for it; None where nothing came in time, and no bytes at the end of all."""
        give_up_at = time.monotonic() + wait_s
        while True:
            ahead, self._ahead = self._ahead, b""
            data = ahead or self._read()
            if data is not None:
                return data
            left_s = give_up_at - time.monotonic()
            if left_s <= 0:
                return None
            self._await(left_s)

    def sendall(self, data: bytes) -> None:
        """Send; raises OSError where that cannot be."""
        give_up_at = time.monotonic() + SEND_TIMEOUT_S
        while data:
            sent = self._write(data)
            data = data[sent:]
            left_s = give_up_at - time.monotonic()
            if data and left_s <= 0:
                raise TimeoutError(f"the device took nothing for {SEND_TIMEOUT_S:g} s")
            if data and not sent:
                self._await(left_s)

    def close(self) -> None:
        """Close it: the line is shut, whoever waits is woken, and the library lets go of what it holds."""
        with suppress(OSError):
            self._wire.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._ended = True
            self._channel = self._session = None

    def _read(self) -> bytes | None:
        with self._lock:
            channel = self._channel
            if self._ended or channel is None:
                return b""
            try:
                size, data = channel.read(CHUNK_BYTES)
            except errors.SSH2Error:
                size, data = -1, b""
            if size > 0:
                return bytes(data)
            if size == AGAIN or (size == 0 and not channel.eof()):
                return None
            self._ended = True
            return b""

    def _write(self, data: bytes) -> int:
        """Send as much as can be sent at once, and return how much that was."""
        with self._lock:
            try:
                result, sent = self._channel.write(data) if self._channel is not None else (-1, 0)
            except errors.SSH2Error:
                result, sent = -1, 0
            if result < 0 and result != AGAIN:
                self._ended = True
                raise BrokenPipeError("the session is closed")
            return sent if result >= 0 else 0

    def _await(self, seconds: float) -> None:
        """Wait until the socket has what the library waits for, or it is time for a word to keep the line alive."""
        with self._lock:
            session = self._session
            if session is None:
                return
            try:
                pause_s = session.keepalive_send() or seconds
            except errors.SSH2Error:
                self._ended = True
                return
            directions = session.block_directions()
        poller = select.poll()
        wanted = (select.POLLIN if directions & INBOUND else 0) | (select.POLLOUT if directions & OUTBOUND else 0)
        poller.register(session.sock, wanted or select.POLLIN)
        poller.poll(max(1, int(min(seconds, pause_s) * 1000)))


def open_shell(wire: socket.socket, wanted: Wanted) -> Ssh2Shell:
    """Log in over a connected socket and open a shell.

    Raises NotOurs before any login was refused, and else what netmiko and paramiko raise.
    """
    wire.setblocking(False)  # else the library makes it so, and undoes it late, to whoever has the number by then
    session = library.Session()
    algorithms = session.supported_algs(library.LIBSSH2_METHOD_HOSTKEY)
    session.method_pref(library.LIBSSH2_METHOD_HOSTKEY, ",".join(wanted.check.preferred(algorithms)))
    _exchange_keys(session, wire, wanted.banner_s)
    blob, _ = session.hostkey()
    wanted.check.look_at(blob[4 : 4 + int.from_bytes(blob[:4], "big")].decode(), blob)
    session.set_timeout(int(wanted.login_s * 1000))
    failure = _log_in(session, wanted)
    if failure is not None:
        raise failure
    channel = _shell(session)
    session.keepalive_config(False, wanted.keepalive_s)
    session.set_blocking(False)
    return Ssh2Shell(wire, session, channel)


def _exchange_keys(session: Any, wire: socket.socket, timeout_s: float) -> None:
    session.set_timeout(int(timeout_s * 1000))
    try:
        session.handshake(Descriptor(wire))
    except (errors.SocketDisconnectError, errors.SocketRecvError, errors.SocketSendError):
        failure: Exception = EOFError("the device closed the connection")
    except (errors.Timeout, errors.BannerRecvError, errors.BannerSendError):
        failure = paramiko.SSHException(f"no SSH greeting and key within {timeout_s:g} s")
    except errors.SSH2Error as error:
        failure = NotOurs(type(error).__name__)
    else:
        return
    raise failure


def _log_in(session: Any, wanted: Wanted) -> Exception | None:
    """Log in with the key, then with the password, whichever there is; return what failed."""
    try:
        is_in = _by_key(session, wanted) or _by_password(session, wanted)
    except errors.Timeout:
        return LoginTimedOut("the login had no answer in time")
    except (errors.SocketDisconnectError, errors.SocketRecvError, errors.SocketSendError):
        return EOFError("the device closed the connection")
    except errors.SSH2Error as error:
        return paramiko.SSHException(f"the login broke: {type(error).__name__}")
    return None if is_in else NetmikoAuthenticationException("the device refused the login")


def _by_key(session: Any, wanted: Wanted) -> bool:
    key = wanted.private_key()
    return key is not None and _is_let_in(
        session, lambda: session.userauth_publickey_frommemory(wanted.username, key.encode(), "")
    )


def _by_password(session: Any, wanted: Wanted) -> bool:
    username, password = wanted.username, wanted.password
    if password is None:
        return False
    if _is_let_in(session, lambda: session.userauth_password(username, password)):
        return True
    offered = session.userauth_list(username) or []
    if PROMPTS in offered and PASSWORD not in offered:
        raise NotOurs(PROMPTS)
    return False


def _is_let_in(session: Any, attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except (errors.AuthenticationError, errors.PublickeyUnverifiedError, errors.PasswordExpiredError):
        return False
    return bool(session.userauth_authenticated())


def _shell(session: Any) -> Any:
    try:
        channel = session.open_session()
        channel.pty(TERMINAL)
        channel.shell()
    except errors.Timeout:
        failure: Exception = LoginTimedOut("no shell was opened in time")
    except (errors.SocketDisconnectError, errors.SocketRecvError, errors.SocketSendError):
        failure = EOFError("the device closed the connection")
    except errors.SSH2Error as error:
        failure = paramiko.SSHException(f"the device opens no shell: {type(error).__name__}")
    else:
        return channel
    raise failure
