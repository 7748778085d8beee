"""The sessions of one host: so many at most, each in one node's hands at a time, kept for the next."""

import threading
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, cast

from netmiko import BaseConnection
from nornir_netmiko.connections import Netmiko

from tasks.dialing import Line
from tasks.errors import ErrorClass, SessionError

CONNECTION = "netmiko"
LOOK_S = 0.1
PATIENCE_S = 600.0
"""How long a node waits for others of its host to hand a session on."""

User = tuple[str, str]
"""Who holds a session: a node, in an iteration."""


@dataclass(eq=False)
class Session:
    """A session, from before its line is open until it is closed."""

    user: User | None = None
    """Who holds it; nobody while it is kept."""
    line: Line | None = None
    plugin: Netmiko | None = None
    credential: str | None = None
    opened_at: float = 0.0

    @property
    def connection(self) -> BaseConnection:
        """The netmiko session itself, once it is open."""
        if self.plugin is None:
            raise RuntimeError("the session is not open")
        return cast(BaseConnection, self.plugin.connection)

    def close(self) -> None:
        """End it, without a word to the device."""
        if self.line is not None:
            self.line.shut()
        if self.plugin is not None:
            self.plugin.connection.disconnect()
        if self.line is not None:
            self.line.close()


@dataclass(eq=False)
class SessionPool:
    """Whose turn it is; it lies among the host's ``connections``, where Nornir closes it with the others.

    Logins are tried by one node after the other, so that each is tried once (``refused``: those turned away).
    """

    connections: MutableMapping[str, Any] = field(repr=False)
    connection: None = None
    refused: dict[tuple[str, int], str] = field(default_factory=dict)
    _sessions: list[Session] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def open(self, *_: Any, **__: Any) -> None:
        """Do nothing: sessions are opened by ``netmiko_session``."""

    def close(self) -> None:
        """Close all sessions, as one of Nornir's connections; it closes that under netmiko's own name itself."""
        for session in self._leave_all():
            session.close()

    def close_all(self) -> None:
        """Close all sessions, whoever holds them."""
        for session in self._leave_all():
            self._end(session)

    def take(self, user: User, most: int, fits: Callable[[Session], bool], cancelled: Callable[[], bool]) -> Session:
        """Return a kept session that fits, or a new one that is to be opened; waits where ``most`` are held already.

        Raises SessionError of class cancelled or busy. What is taken is given back with ``keep`` or ``drop``.
        """
        give_up_at = time.monotonic() + PATIENCE_S
        with self._changed:
            self._adopt()
            while (session := self._find(most, fits)) is None:
                self._changed.wait(LOOK_S)
                if cancelled():
                    raise SessionError("cancelled", "Stopped while it waited for a session.")
                if time.monotonic() > give_up_at:
                    held = f"All {most} sessions to the device have been in use for {PATIENCE_S:.0f} s."
                    raise SessionError("busy", f"{held} Allow it more (max_sessions), or run less side by side.")
            session.user = user
            return session

    def opened(self, session: Session) -> None:
        """Note that a new session is open: Nornir's own tasks find the first, and the next may be opened."""
        with self._changed:
            session.opened_at = time.monotonic()
            self.connections.setdefault(CONNECTION, session.plugin)
            self._changed.notify_all()

    def keep(self, session: Session) -> None:
        """Take a session back, for whoever needs one next."""
        with self._changed:
            session.user = None
            self._changed.notify_all()

    def drop(self, session: Session) -> None:
        """Take a session back and close it."""
        with self._changed:
            if session in self._sessions:
                self._sessions.remove(session)
            self._changed.notify_all()
        self._end(session)

    def cut(self, reason: ErrorClass, user: User | None) -> None:
        """Cut the sessions that a user holds, or all; whoever uses one gets an error at once."""
        with self._changed:
            held = [session for session in self._sessions if user is None or session.user == user]
        for session in held:
            if session.line is not None:
                session.line.cut(reason)

    def _find(self, most: int, fits: Callable[[Session], bool]) -> Session | None:
        """Return a session to use or to open, if there is one; those that are kept and fit no more are closed."""
        for session in [session for session in self._sessions if session.user is None]:
            if fits(session):
                return session
            self._sessions.remove(session)
            self._end(session)
        is_opening = any(session.opened_at == 0.0 for session in self._sessions)
        if is_opening or len(self._sessions) >= most:
            return None
        self._sessions.append(Session())
        return self._sessions[-1]

    def _adopt(self) -> None:
        """Take in a session that Nornir opened by itself."""
        plugin = self.connections.get(CONNECTION)
        if plugin is not None and all(session.plugin is not plugin for session in self._sessions):
            self._sessions.append(Session(plugin=plugin, opened_at=time.monotonic()))

    def _leave_all(self) -> list[Session]:
        with self._changed:
            left, self._sessions = self._sessions, []
            self._changed.notify_all()
        return left

    def _end(self, session: Session) -> None:
        if session.plugin is not None and self.connections.get(CONNECTION) is session.plugin:
            self.connections.pop(CONNECTION, None)
        session.close()
