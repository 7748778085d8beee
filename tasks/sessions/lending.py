"""Hands sessions from node to node of a host: one that was left and is still good, or a new one; and can cut them all.

A host of the service offers ``logins``; any other Nornir host brings its own username and password.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from netmiko import BaseConnection
from nornir.core.configuration import Config
from nornir.core.inventory import Host
from nornir.core.task import Task

from tasks import context
from tasks.errors import ErrorClass
from tasks.sessions.failures import BROKEN, explain
from tasks.sessions.opening import open_session
from tasks.sessions.pool import Session, SessionPool, User
from tasks.terminal import is_clean, is_open

POOL = "opsconductor"
MAX_SESSIONS = 2
"""How many sessions a host may hold that does not say so itself."""


@contextmanager
def netmiko_session(task: Task, *, credential: str | None = None) -> Iterator[BaseConnection]:
    """Give a session to the task's host: one that a node has left, if it is still good, or a new one.

    ``credential`` names the one to log in with; else the host's own logins are tried in order, each once.
    Branches that run side by side never share one: each takes its own, or waits where the host may have no more.
    Whatever goes wrong is a SessionError, and closes the session.
    """
    host = task.host
    session = _taken(host, task.nornir.config, credential)
    try:
        yield session.connection
    except BROKEN as error:
        not_ours = isinstance(error, OSError) and is_open(session.connection)
        broken = explain(error, session.line, host.name)
        _pool(host).drop(session)
        if not_ours:
            raise
        raise broken from error
    except BaseException:
        _pool(host).drop(session)
        raise
    _pool(host).keep(session)


def close_sessions(host: Host) -> None:
    """Close a host's sessions, without a word to the device."""
    _pool(host).close_all()


def interrupt(host: Host, reason: ErrorClass = "timeout", user: User | None = None) -> None:
    """Cut a host's sessions (or those of one user), from another thread; whoever uses one gets an error at once."""
    _pool(host).cut(reason, user)


def _pool(host: Host) -> SessionPool:
    pool = host.connections.setdefault(POOL, SessionPool(host.connections))
    if not isinstance(pool, SessionPool):
        raise TypeError(f"{host.name} has a connection named {POOL!r} that is not ours; give it another name")
    return pool


def _taken(host: Host, configuration: Config, credential: str | None) -> Session:
    """Return a session that is open and nobody else's, when it is this node's turn."""
    pool, surroundings = _pool(host), context.current()
    user = (surroundings.node_id, surroundings.iteration)
    most = getattr(host, "max_sessions", MAX_SESSIONS)
    session = pool.take(user, most, partial(_fits, credential), surroundings.cancelled)
    if session.plugin is None:
        try:
            open_session(host, configuration, credential, session, pool.refused)
        except BaseException:
            pool.drop(session)
            raise
        session.credential = credential
        pool.opened(session)
    return session


def _fits(credential: str | None, session: Session) -> bool:
    """Say whether a kept session may be used again."""
    age_s = time.monotonic() - session.opened_at
    is_right = session.credential == credential and age_s < context.current().timeouts.max_age_s
    return is_right and is_clean(session.connection)
