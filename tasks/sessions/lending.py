"""Hands sessions from node to node of a host: one that was left and is still good, or a new one; and can cut them all.

A host of the service offers ``identities`` beside its ``logins``: its sessions outlive it, and serve the next job on
the same device. Any other Nornir host keeps its sessions among its connections, and Nornir closes them.
"""

import time
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from netmiko import BaseConnection
from nornir.core.inventory import Host
from nornir.core.plugins.connections import ConnectionPlugin
from nornir.core.task import Task

from tasks import context
from tasks.errors import ErrorClass
from tasks.sessions.broker import broker
from tasks.sessions.failures import BROKEN, explain
from tasks.sessions.leases import Lease, Occupant
from tasks.sessions.logins import SSH_PORT, KnownLogin, device_of, known_logins
from tasks.sessions.opening import device_type_of, open_session
from tasks.sessions.pool import CONNECTION, Identity, Place, Request, Session, SessionPool, User, Verdict
from tasks.sessions.watch import Watch, stands_at_prompt
from tasks.terminal import is_clean, is_open, is_raised, lower

POOL = "opsconductor"
MAX_SESSIONS = 2
"""How many sessions a host may hold that does not say so itself."""


@dataclass(eq=False, kw_only=True)
class Account:
    """What lies among a host's ``connections``: its pool, and the logins that it has turned away."""

    pool: SessionPool
    is_shared: bool
    """Whether the pool belongs to the process, and outlives the host."""
    connection: None = None
    refused: dict[Identity, str] = field(default_factory=dict)

    def open(self, *_: Any, **__: Any) -> None:
        """Do nothing: sessions are opened by ``netmiko_session``."""

    def close(self) -> None:
        """Close the sessions of a plain host, as one of Nornir's connections."""
        if not self.is_shared:
            self.pool.connections = {}  # whose own entry Nornir closes itself
            self.pool.close_all()


@contextmanager
def netmiko_session(task: Task, *, credential: str | None = None, privileged: bool = False) -> Iterator[BaseConnection]:
    """Give a session to the task's host: one that a node has left, if it is still good, or a new one.

    ``credential`` names the one to log in with; else the host's own logins are tried in order, each once.
    ``privileged`` says that the node will take full privilege; any other finds a session as its login leaves it.
    Branches that run side by side never share one: each takes its own, or waits where the host may have no more.
    Whatever goes wrong is a SessionError, and closes the session.
    """
    host, account = task.host, _account(task.host)
    session = _taken(host, account, credential, privileged=privileged)
    try:
        with _shown(host, session):
            yield session.connection
    except BROKEN as error:
        not_ours = isinstance(error, OSError) and is_open(session.connection)
        broken = explain(error, session.line, host.name)
        account.pool.drop(session)
        if not_ours:
            raise
        raise broken from error
    except BaseException:
        account.pool.drop(session)
        raise
    if is_open(session.connection) and stands_at_prompt(session.connection):
        account.pool.keep(session)
    else:
        account.pool.drop(session)


@contextmanager
def _shown(host: Host, session: Session) -> Iterator[None]:
    """Have Nornir's own tasks find a session while it is lent."""
    shown = host.connections.setdefault(CONNECTION, cast(ConnectionPlugin, session.plugin))
    try:
        yield
    finally:
        if _account(host).is_shared and shown is session.plugin:
            host.connections.pop(CONNECTION, None)


def close_sessions(host: Host) -> None:
    """Close a host's sessions, without a word to the device."""
    _account(host).pool.close_all()


def leave(host: Host) -> None:
    """Close what nobody could use after this host: sessions of the service's hosts stay for the next job."""
    account = _account(host)
    if not account.is_shared:
        account.pool.close_all()


def interrupt(host: Host, reason: ErrorClass = "timeout", user: User | None = None) -> None:
    """Cut a host's sessions (or those of one user), from another thread; whoever uses one gets an error at once."""
    account = _account(host)
    account.pool.cut(reason, user, account if account.is_shared else None)


def _account(host: Host) -> Account:
    found = host.connections.get(POOL)
    if found is None:
        found = host.connections.setdefault(POOL, _opened(host))
    if not isinstance(found, Account):
        raise TypeError(f"{host.name} has a connection named {POOL!r} that is not ours; give it another name")
    return found


def _opened(host: Host) -> Account:
    if getattr(host, "is_known", False):
        return Account(pool=broker().pool(device_of(host)), is_shared=True)
    return Account(pool=SessionPool(cast(MutableMapping[str, Any], host.connections)), is_shared=False)


def _taken(host: Host, account: Account, credential: str | None, *, privileged: bool) -> Session:
    """Return a session that is open and nobody else's, when it is this node's turn."""
    request = _request(host, account, credential)
    while True:
        session = account.pool.take(request)
        if session.plugin is None:
            return _fill(host, account, credential, session)
        if privileged or not is_raised(session.connection) or lower(session.connection):
            return session
        account.pool.drop(session)


def _request(host: Host, account: Account, credential: str | None) -> Request:
    surroundings = context.current()
    most = getattr(host, "max_sessions", MAX_SESSIONS)
    occupant = Occupant(str(surroundings.execution.get("id", "")), surroundings.node_id)
    return Request(
        user=(surroundings.node_id, surroundings.iteration),
        holder=account,
        most=most,
        judge=partial(_judge, _place(host), credential, known_logins(host, credential)),
        cancelled=surroundings.cancelled,
        lease=Lease(device=device_of(host), name=host.name, most=most, occupant=occupant),
    )


def _fill(host: Host, account: Account, credential: str | None, session: Session) -> Session:
    """Open the session that was taken."""
    session.place, session.asked = _place(host), credential
    try:
        open_session(host, credential, session, account.refused)
        Watch(session.connection)
    except BaseException:
        account.pool.drop(session)
        raise
    session.passed_over = frozenset(account.refused)
    account.pool.opened(session)
    return session


def _place(host: Host) -> Place:
    parameters = host.get_connection_parameters(CONNECTION)
    return Place(device_type_of(host), parameters.hostname or host.name, parameters.port or SSH_PORT)


def _judge(place: Place, credential: str | None, known: Sequence[KnownLogin] | None, session: Session) -> Verdict:
    """Say whether a kept session may be used again: alive, clean, and opened as a login would open one now."""
    age_s = time.monotonic() - session.opened_at
    is_adopted = session.line is None
    if age_s >= context.current().timeouts.max_age_s or not is_clean(session.connection):
        return "spent"
    if session.asked != credential:
        return "serves others"
    if known is None or is_adopted:
        return "fits"
    tried = ((login.credential_id, login.version) for login in known if not login.blocked)
    first = next((identity for identity in tried if identity not in session.passed_over), None)
    return "fits" if session.place == place and first == session.identity else "spent"
