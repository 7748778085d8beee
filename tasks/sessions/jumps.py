"""Jump hosts: one connection to each, shared by all sessions that go through it, and closed when none does any more."""

import threading
import time
from dataclasses import dataclass, field

import paramiko
from nornir.core.inventory import Host

from tasks import context, dialing
from tasks.dialing import Line
from tasks.errors import JumpError, SessionError
from tasks.ground import Transport
from tasks.keys import read_private_key
from tasks.sessions import tuning
from tasks.sessions.failures import BROKEN, explain
from tasks.sessions.host_keys import Check
from tasks.sessions.logins import Login, device_of, find_logins, known_logins, target

MOST_HOPS = 3
MOST_CHANNELS = 32
"""How many sessions share one connection; the next one opens another."""
IDLE_S = 60.0
Identity = tuple[str, int]
NOBODY = ("", 0)
SHORTAGE, REFUSED = 4, 2
"""Reasons of SSH for a channel that was not opened (RFC 4254)."""


@dataclass(eq=False)
class Hop:
    """A connection to a jump host, and the channels through it."""

    line: Line
    transport: paramiko.Transport
    identity: Identity = NOBODY
    """The credential it is logged in with, and its version."""
    channels: list[paramiko.Channel] = field(default_factory=list)
    opening: int = 1
    """How many channels are being opened just now."""
    used_at: float = field(default_factory=time.monotonic)

    def is_good(self) -> bool:
        """Say whether one more channel may be opened through it."""
        self.look()
        return self.transport.is_active() and len(self.channels) + self.opening < MOST_CHANNELS

    def look(self) -> None:
        """Forget channels that are closed, and note whether any is left."""
        for channel in [channel for channel in self.channels if channel.closed]:
            self.channels.remove(channel)
        if self.channels or self.opening:
            self.used_at = time.monotonic()

    def close(self) -> None:
        """Close the connection, and all that goes through it."""
        self.line.shut()
        self.transport.close()
        self.line.close()


class Jumps:
    """The connections to jump hosts of this process, by the jump host's key."""

    def __init__(self) -> None:
        self._hops: dict[str, list[Hop]] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def connect(self, line: Line, via: Host, timeout_s: float, depth: int = 1) -> paramiko.Channel:
        """Connect a line through a jump host; raises JumpError, which names the hop that failed, or SessionError."""
        if depth > MOST_HOPS:
            raise JumpError("validation", f"{line} is behind more than {MOST_HOPS} jump hosts. Choose a shorter way.")
        with self._lock_of(via):
            hop = self._taken(via) or self._open(via, depth)
        try:
            channel = _channel(hop, line, timeout_s)
            hop.channels.append(channel)
        finally:
            with self._lock:
                hop.opening -= 1
        line.hold_channel(channel)
        return channel

    def close_idle(self, idle_s: float = IDLE_S) -> None:
        """Close the connections that nothing has gone through for some time, and those that are dead."""
        with self._lock:
            for key, hops in list(self._hops.items()):
                for hop in list(hops):
                    hop.look()
                    if (hop.channels or hop.opening) and hop.transport.is_active():
                        continue
                    if time.monotonic() - hop.used_at >= idle_s or not hop.transport.is_active():
                        hops.remove(hop)
                        hop.close()
                if not hops:
                    del self._hops[key]
                    self._locks.pop(key, None)
            self._timer = None
            if self._hops:
                self._watch()

    def _lock_of(self, via: Host) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(_key(via), threading.Lock())

    def _taken(self, via: Host) -> Hop | None:
        """Return a connection that whoever asks could open himself now, if there is one with room."""
        known = known_logins(via, None)
        own = None if known is None else {(login.credential_id, login.version) for login in known}
        with self._lock:
            hops = self._hops.get(_key(via), ())
            hop = next((hop for hop in hops if hop.is_good() and (own is None or hop.identity in own)), None)
            if hop is not None:
                hop.opening += 1
            return hop

    def _open(self, via: Host, depth: int) -> Hop:
        refused = []
        for login in find_logins(via, None):
            hop = _log_in(self, via, login, depth)
            if hop is not None:
                hop.identity = (login.credential_id, login.version)
                with self._lock:
                    self._hops.setdefault(_key(via), []).append(hop)
                    self._watch()
                return hop
            refused.append(f"{login.credential_name} (user {login['username']})")
        raise JumpError(
            "auth", f"The jump host {via.name} refused every login tried: {', '.join(refused)}. Correct it."
        )

    def _watch(self) -> None:
        """Look again later; the lock is held."""
        if self._timer is None:
            self._timer = threading.Timer(IDLE_S / 2, self.close_idle)
            self._timer.daemon = True
            self._timer.start()


JUMPS = Jumps()


def connect(host: Host, line: Line, timeout_s: float) -> object:
    """Connect a line to a host: straight, or through its jump host."""
    via = getattr(host, "jump", None)
    return dialing.connect(line, timeout_s) if via is None else JUMPS.connect(line, via, timeout_s)


def _key(via: Host) -> str:
    """Return what the connections to a jump host are kept under: the device, and where it is dialled."""
    return f"{device_of(via)} {via.hostname}:{via.port}"


def _channel(hop: Hop, line: Line, timeout_s: float) -> paramiko.Channel:
    try:
        return hop.transport.open_channel(
            "direct-tcpip", (line.address, line.port), ("127.0.0.1", 0), timeout=timeout_s
        )
    except paramiko.ChannelException as error:
        hint = "Check that it runs there." if error.code == REFUSED else "Check that the jump host may forward to it."
        message = f"{line} was not reached through the jump host {hop.line}: {error.text or error.code}. {hint}"
        raise JumpError("busy" if error.code == SHORTAGE else "tcp_refused", message) from error
    except (*BROKEN,) as error:
        if not hop.transport.is_active():
            raise JumpError("connection_lost", f"The jump host {hop.line} closed the connection to {line}.") from error
        message = f"{line} did not answer through the jump host {hop.line} within {timeout_s:g} s."
        raise JumpError("tcp_timeout", message) from error


def _log_in(jumps: Jumps, via: Host, login: Login, depth: int) -> Hop | None:
    """Log in at a jump host; None where it refuses the login."""
    line, timeouts = Line(*target(via, login), via.name), context.current().timeouts
    hop: Hop | None = None
    try:
        behind = getattr(via, "jump", None)
        wire = (
            jumps.connect(line, behind, timeouts.connect_s, depth + 1)
            if behind is not None
            else dialing.connect(line, timeouts.connect_s)
        )
        check, hop = Check(via, line), Hop(line, Transport(wire))
        _authenticate(hop.transport, check, login)
        tuning.let_rest(hop.transport)
    except paramiko.AuthenticationException as error:
        _discard(line, hop)
        if line.cut_for is not None:
            raise line.cut_error() from error
        return None
    except (*BROKEN, SessionError) as error:
        _discard(line, hop)
        told = error if isinstance(error, SessionError) else explain(error, line, via.name)
        if isinstance(told, JumpError):
            raise
        raise JumpError(told.error_class, f"The jump host failed: {told.message}") from error
    return hop


def _authenticate(transport: paramiko.Transport, check: Check, login: Login) -> None:
    timeouts = context.current().timeouts
    transport.banner_timeout, transport.auth_timeout = timeouts.banner_s, timeouts.login_s
    options = transport.get_security_options()
    options.key_types = tuple(check.preferred(options.key_types))
    transport.start_client(timeout=timeouts.banner_s)
    key = transport.get_remote_server_key()
    check.look_at(key.get_name(), key.asbytes())
    if login["private_key"]:
        own = read_private_key(login["private_key"], login["passphrase"], login.credential_name)
        transport.auth_publickey(login["username"], own)
    else:
        transport.auth_password(login["username"], login["password"])
    transport.set_keepalive(int(IDLE_S))


def _discard(line: Line, hop: Hop | None) -> None:
    if hop is not None:
        hop.close()
    line.close()
