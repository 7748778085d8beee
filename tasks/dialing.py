"""Opens TCP connections that say precisely why they failed, and that another thread can cut at any moment."""

import errno
import socket
import threading
import time
import weakref
from contextlib import suppress
from typing import Protocol, Self

from tasks.errors import ErrorClass, SessionError

_UNREACHABLE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL})
_REFUSED = frozenset({errno.ECONNREFUSED, errno.ECONNRESET})
SHORTEST_WAIT_S = 0.05
_CUTS = {
    "cancelled": "was cut because the execution was cancelled",
    "timeout": "was cut because the node's time was over",
}


class Channel(Protocol):
    """What a line runs over behind a jump host."""

    def close(self) -> None:
        """Close it; whoever reads from it gets an error at once."""


class Line:
    """One TCP connection to a device, from before it is open until it is closed."""

    def __init__(self, address: str, port: int, name: str = "") -> None:
        self.address = address
        self.port = port
        self.name = name
        self.cut_for: ErrorClass | None = None
        self.is_idle = False
        """Whether it is kept, with nobody who uses it."""
        self.socket: socket.socket | None = None
        self.channel: Channel | None = None
        self._lock = threading.Lock()
        with _lines_lock:
            _lines.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __str__(self) -> str:
        return endpoint(self.address, self.port, self.name)

    def hold(self, candidate: socket.socket) -> None:
        """Make a socket this line's own; raises SessionError when the line has been cut."""
        with self._lock:
            if self.cut_for is None:
                self.socket = candidate
                return
        candidate.close()
        raise self.cut_error()

    def hold_channel(self, candidate: Channel) -> None:
        """Make a channel this line's own; raises SessionError when the line has been cut."""
        with self._lock:
            if self.cut_for is None:
                self.channel = candidate
                return
        candidate.close()
        raise self.cut_error()

    def cut(self, reason: ErrorClass) -> None:
        """Break the connection, whatever its owner is doing with it; he gets an error at once."""
        with self._lock:
            self.cut_for = self.cut_for or reason
            self._wake()

    def shut(self) -> None:
        """End the connection, but leave the closing to whoever reads from it."""
        with self._lock:
            self._wake()

    def close(self) -> None:
        """Close the connection and forget it."""
        self.let_go()
        with _lines_lock:
            _lines.discard(self)

    def let_go(self) -> None:
        """Close the connection; the line may be connected again."""
        self.shut()
        with self._lock:
            self.channel = None
            if self.socket is not None:
                self.socket.close()
                self.socket = None

    def _wake(self) -> None:
        if self.channel is not None:
            with suppress(EOFError, OSError):  # the connection to the jump host has gone, and with it all within
                self.channel.close()
        if self.socket is not None:
            _shut(self.socket)

    def cut_error(self) -> SessionError:
        """Return the error of a line that was cut."""
        reason = self.cut_for or "cancelled"
        return SessionError(reason, f"The connection to {self} {_CUTS.get(reason, 'was cut')}.")


_lines: "weakref.WeakSet[Line]" = weakref.WeakSet()
_lines_lock = threading.Lock()


def endpoint(address: str, port: int, name: str = "") -> str:
    """Return how messages name a device: by its name, address and port."""
    written = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    return f"{name} ({written})" if name and name != address else written


def dial(address: str, port: int, timeout_s: float, name: str = "") -> Line:
    """Open a line; raises SessionError of class dns, tcp_refused, tcp_timeout or cancelled."""
    line = Line(address, port, name)
    try:
        connect(line, timeout_s)
    except BaseException:
        line.close()
        raise
    return line


def connect(line: Line, timeout_s: float) -> socket.socket:
    """Connect a line, trying all addresses of its host within the time; raises SessionError as ``dial`` does."""
    give_up_at = time.monotonic() + timeout_s
    failure: OSError = TimeoutError()
    targets = _resolve(line)
    for left, (family, kind, protocol, _, target) in zip(range(len(targets), 0, -1), targets, strict=True):
        try:
            candidate = socket.socket(family, kind, protocol)
        except OSError as error:
            failure = error
            continue
        line.hold(candidate)
        candidate.settimeout(max(SHORTEST_WAIT_S, (give_up_at - time.monotonic()) / left))
        try:
            candidate.connect(target)
        except OSError as error:
            candidate.close()
            failure = error
            continue
        candidate.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if line.cut_for is None:
            return candidate
    if line.cut_for is not None:
        raise line.cut_error()
    raise _explained(line, failure, timeout_s) from failure


def redial(line: Line, timeout_s: float) -> socket.socket:
    """Connect a line anew, to the same place; raises SessionError as ``dial`` does."""
    line.let_go()
    return connect(line, timeout_s)


def interrupt_all(reason: ErrorClass = "cancelled") -> None:
    """Cut every line that is in use in this process; whoever uses one gets an error at once."""
    with _lines_lock:
        lines = [line for line in _lines if not line.is_idle]
    for line in lines:
        line.cut(reason)


def _resolve(line: Line) -> list[tuple[int, int, int, str, tuple[object, ...]]]:
    try:
        return socket.getaddrinfo(line.address, line.port, type=socket.SOCK_STREAM)  # type: ignore[return-value]
    except (socket.gaierror, UnicodeError) as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else "no valid name"
        message = f"{line} has no address: {reason}. Correct the name, or the DNS, or give an IP address."
        raise SessionError("dns", message) from error


def _explained(line: Line, failure: OSError, timeout_s: float) -> SessionError:
    if failure.errno in _REFUSED:
        message = f"{line} refused the connection. Check that the service runs there and that the port is right."
        return SessionError("tcp_refused", message)
    if isinstance(failure, TimeoutError):
        message = (
            f"{line} did not answer within {timeout_s:g} s. Check the address, the route and the firewalls between."
        )
        return SessionError("tcp_timeout", message)
    reason = failure.strerror or type(failure).__name__
    advice = "Check the route to it." if failure.errno in _UNREACHABLE else "Check the address."
    return SessionError("tcp_timeout", f"{line} cannot be reached: {reason}. {advice}")


def _shut(open_socket: socket.socket) -> None:
    """Wake whoever waits on a socket; one that is not connected needs no waking."""
    try:
        socket.socket.shutdown(open_socket, socket.SHUT_RDWR)  # not that of an SSLSocket, which is not for two threads
    except OSError as error:
        if error.errno not in {errno.ENOTCONN, errno.EBADF}:
            raise
