"""The sessions of one device: so many at most, each in one node's hands at a time, kept for the next."""

import socket
import threading
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, cast

from netmiko import BaseConnection
from nornir_netmiko.connections import Netmiko

from tasks.dialing import Line
from tasks.errors import ErrorClass, SessionError
from tasks.sessions.leases import FreeLeases, Lease, Leases, Waiting

CONNECTION = "netmiko"
LOOK_S = 0.1
PATIENCE_S = 600.0
"""How long a node waits for others of its host to hand a session on."""
LEASE_PATIENCE_S = 60.0
"""How long it waits for other executions to do so."""
SOONEST_S, LATEST_S = 0.02, 0.25
"""How often it asks meanwhile."""
OWED_S = 1.5
"""How long a session that comes back is closed because somebody else had asked for one."""
PROBE_AFTER_S, PROBE_EVERY_S, PROBES = 15, 5, 3
"""When the kernel finds out that nobody is at the other end of an idle session any more."""

User = tuple[str, str]
"""Who holds a session: a node, in an iteration."""
Identity = tuple[str, int]
"""A credential's id and version."""
Verdict = Literal["fits", "serves others", "spent"]


class Place(NamedTuple):
    """Where a session leads, and how it speaks there."""

    driver: str
    address: str
    port: int


@dataclass(eq=False)
class Session:
    """A session, from before its line is open until it is closed."""

    user: User | None = None
    """Who holds it; nobody while it is kept."""
    holder: object = None
    """The host it was lent to."""
    line: Line | None = None
    plugin: Netmiko | None = None
    asked: str | None = None
    """The credential that was asked for by name."""
    identity: Identity | None = None
    """The credential that it was opened with."""
    passed_over: frozenset[Identity] = frozenset()
    """Those that the device had refused before."""
    place: Place | None = None
    opened_at: float = 0.0
    left_at: float = 0.0
    lease: Lease | None = field(default=None, repr=False)

    @property
    def connection(self) -> BaseConnection:
        """The netmiko session itself, once it is open."""
        if self.plugin is None:
            raise RuntimeError("the session is not open")
        return cast(BaseConnection, self.plugin.connection)

    @property
    def is_cut(self) -> bool:
        """Say whether it was cut from outside, and nobody should go on with it."""
        return self.line is not None and self.line.cut_for is not None

    def serve(self, request: "Request") -> None:
        """Be somebody's."""
        self.user, self.holder = request.user, request.holder
        if self.line is not None:
            self.line.is_idle = False
        if self.lease is not None:
            self.lease.occupant, self.lease.is_idle = request.lease.occupant, False

    def rest(self) -> None:
        """Be nobody's."""
        self.user = self.holder = None
        self.left_at = time.monotonic()
        if self.line is not None:
            self.line.is_idle = True
        if self.lease is not None:
            self.lease.is_idle = True

    def close(self) -> None:
        """End it, without a word to the device."""
        if self.line is not None:
            self.line.shut()
        if self.plugin is not None:
            self.connection.cleanup = _say_nothing  # type: ignore[method-assign]  # else netmiko takes its leave
            self.connection.disconnect()
        if self.line is not None:
            self.line.close()


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a node wants: for whom, which of the kept sessions would do, and its right to a new one."""

    user: User
    holder: object
    most: int
    judge: Callable[[Session], Verdict]
    cancelled: Callable[[], bool]
    lease: Lease


@dataclass(eq=False)
class SessionPool:
    """Whose turn it is.

    Logins are tried by one node after the other, so that each is tried once. The pool of a plain host notes its first
    session among the host's ``connections``, where Nornir's own tasks find it.
    """

    connections: MutableMapping[str, Any] | None = field(default=None, repr=False)
    leases: Leases = field(default_factory=FreeLeases, repr=False)
    on_filled: Callable[["SessionPool"], None] = field(default=lambda _: None, repr=False)
    """Called before a session is opened."""
    _sessions: list[Session] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _owed_at: float = float("-inf")

    @property
    def is_filled(self) -> bool:
        """Say whether it holds a session, or one is being opened."""
        return bool(self._sessions)

    def close_all(self) -> None:
        """Close all sessions, whoever holds them."""
        with self._changed:
            left, self._sessions = self._sessions, []
            self._changed.notify_all()
        self._end(left)

    def take(self, request: Request) -> Session:
        """Return a kept session that fits, or a new one that is to be opened; waits where there is no room for it.

        Raises SessionError of class cancelled or busy. What is taken is given back with ``keep`` or ``drop``.
        """
        give_up_at = time.monotonic() + PATIENCE_S
        self._adopt()
        while True:
            session, spent = self._find(request)
            self._end(spent)
            if session is not None and (session.plugin is not None or self._may_open(session, request)):
                return session
            if request.cancelled():
                raise SessionError("cancelled", "Stopped while it waited for a session.")
            if time.monotonic() > give_up_at:
                held = f"All {request.most} sessions to the device have been in use for {PATIENCE_S:.0f} s."
                raise SessionError("busy", f"{held} Allow it more (max_sessions), or run less side by side.")

    def opened(self, session: Session) -> None:
        """Note that a new session is open: Nornir's own tasks find the first, and the next may be opened."""
        if session.line is not None and session.line.socket is not None:
            _probe(session.line.socket)
        with self._changed:
            session.opened_at = time.monotonic()
            if self.connections is not None:
                self.connections.setdefault(CONNECTION, session.plugin)
            self._changed.notify_all()

    def keep(self, session: Session) -> None:
        """Take a session back, for whoever needs one next; one that somebody else waits for is closed."""
        with self._changed:
            is_owed = time.monotonic() - self._owed_at < OWED_S
            is_ours = session in self._sessions
            if is_ours and not is_owed and not session.is_cut:
                session.rest()
                self._changed.notify_all()
                return
            self._owed_at = float("-inf")
        self.drop(session)

    def drop(self, session: Session) -> None:
        """Take a session back and close it."""
        with self._changed:
            if session in self._sessions:
                self._sessions.remove(session)
            self._changed.notify_all()
        self._end([session])

    def cut(self, reason: ErrorClass, user: User | None, holder: object = None) -> None:
        """Cut the sessions that a user of a host holds, or all of that host's; whoever uses one gets an error at once.

        Without a host all are cut, those that are kept as well.
        """
        with self._changed:
            held = [
                session
                for session in self._sessions
                if user in {None, session.user} and holder in {None, session.holder}
            ]
        for session in held:
            if session.line is not None:
                session.line.cut(reason)

    def make_room(self) -> None:
        """Close a session that others wait for: one that is idle now, or else the next that comes back."""
        with self._changed:
            idle = min(self._idle(), key=lambda session: session.left_at, default=None)
            if idle is None:
                self._owed_at = time.monotonic()
                return
            self._sessions.remove(idle)
        self._end([idle])

    def reap(self, idle_s: float, max_age_s: float) -> bool:
        """Close sessions that were idle for too long, are too old, or were cut; return whether any are left."""
        now = time.monotonic()
        with self._changed:
            over = [session for session in self._idle() if _is_over(session, now, idle_s, max_age_s)]
            over += [session for session in self._sessions if session.user is not None and session.is_cut]
            self._sessions = [session for session in self._sessions if session not in over]
            is_filled = bool(self._sessions)
            if over:
                self._changed.notify_all()
        self._end(over)
        return is_filled

    def _idle(self) -> list[Session]:
        return [session for session in self._sessions if session.user is None]

    def _find(self, request: Request) -> tuple[Session | None, list[Session]]:
        """Return a session to use or to open, if there is one, and those to close; waits a moment where there is none.

        Of those that serve others one makes room for a new session, where that is needed.
        """
        with self._changed:
            found, spent = self._look(request)
            for session in spent:
                self._sessions.remove(session)
            if found is not None:
                found.serve(request)
                if found.plugin is None:
                    self._sessions.append(found)
                    self.on_filled(self)
            elif not spent:
                self._changed.wait(LOOK_S)
            return found, spent

    def _look(self, request: Request) -> tuple[Session | None, list[Session]]:
        spare: list[Session] = []
        spent: list[Session] = []
        for session in self._idle():
            verdict = "spent" if session.is_cut else request.judge(session)
            if verdict == "fits":
                return session, spent
            (spent if verdict == "spent" else spare).append(session)
        if any(session.opened_at == 0.0 for session in self._sessions):
            return None, spent
        if len(self._sessions) - len(spent) >= request.most:
            if not spare:
                return None, spent
            spent.append(min(spare, key=lambda session: session.left_at))
        return Session(), spent

    def _may_open(self, session: Session, request: Request) -> bool:
        """Take the lease of a new session; False where a kept one of ours will do by now. Raises SessionError."""
        lease, pause_s = request.lease, SOONEST_S
        give_up_at = time.monotonic() + LEASE_PATIENCE_S
        try:
            while (waiting := self.leases.ask(lease)) is not None:
                _refuse_to_wait(waiting, request, give_up_at)
                if self._has_idle(request):
                    self.drop(session)
                    self.leases.drop(lease)
                    return False
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, LATEST_S)
        except BaseException:
            self.drop(session)
            self.leases.drop(lease)
            raise
        session.lease = lease
        return True

    def _has_idle(self, request: Request) -> bool:
        with self._changed:
            return any(not session.is_cut and request.judge(session) == "fits" for session in self._idle())

    def _adopt(self) -> None:
        """Take in a session that Nornir opened by itself."""
        if self.connections is None:
            return
        with self._changed:
            plugin = self.connections.get(CONNECTION)
            if plugin is not None and all(session.plugin is not plugin for session in self._sessions):
                self._sessions.append(Session(plugin=plugin, opened_at=time.monotonic()))

    def _end(self, sessions: list[Session]) -> None:
        for session in sessions:
            self._hide(session)
            try:
                session.close()
            finally:
                lease, session.lease = session.lease, None
                if lease is not None:
                    self.leases.drop(lease)

    def _hide(self, session: Session) -> None:
        shown = self.connections or {}
        if session.plugin is not None and shown.get(CONNECTION) is session.plugin:
            shown.pop(CONNECTION)


def _refuse_to_wait(waiting: Waiting, request: Request, give_up_at: float) -> None:
    if request.cancelled():
        raise SessionError("cancelled", "Stopped while it waited for a session.")
    if time.monotonic() > give_up_at:
        name, held = request.lease.name, ", ".join(waiting.holders) or "others that came before"
        raise SessionError(
            "busy",
            f"{name} may have {request.most} sessions at once, and was not free for {LEASE_PATIENCE_S:.0f} s. "
            f"They are held by {held}. Allow it more (max_sessions), or try later.",
        )


def _is_over(session: Session, now: float, idle_s: float, max_age_s: float) -> bool:
    return session.is_cut or now - session.left_at > idle_s or now - session.opened_at > max_age_s


def _probe(opened: socket.socket) -> None:
    """Have the kernel look whether the other end of an idle session still answers."""
    with suppress(OSError):
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (
            ("TCP_KEEPIDLE", PROBE_AFTER_S),
            ("TCP_KEEPINTVL", PROBE_EVERY_S),
            ("TCP_KEEPCNT", PROBES),
        ):
            if hasattr(socket, name):
                opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _say_nothing(command: str = "") -> None:
    del command
