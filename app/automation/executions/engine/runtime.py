"""What a worker process knows before it is given work, set before the fork, and what it opens for itself after it."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from redis import Redis

from app.automation.workflows.graph import Catalogue
from app.core.database import DatabaseThread
from app.core.leases import connect_briefly
from app.core.settings import Settings

CONNECTIONS = 3
"""One for the recorder, one for the heartbeat, one for the hosts' threads."""


def _never() -> bool:
    return False


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Runtime:
    """The node types that exist, the settings of this process, and what it is to its parent."""

    catalogue: Catalogue
    settings: Settings
    is_draining: Callable[[], bool] = _never
    """Says whether this process is to come to its end: a shard then takes on no further hosts."""
    spend: Callable[[], None] = _nothing
    """Called when a call lives on that nobody waits for: this process must not take another job."""

    def redis(self) -> Redis:
        """Return this process' client; one made before a fork must not be used after it."""
        return _redis(self.settings.require_redis(), os.getpid())

    def brief_redis(self) -> Redis:
        """Return this process' client for what can be done without Redis: it gives up soon."""
        return _brief_redis(self.settings.require_redis(), os.getpid())


_runtime: list[Runtime] = []
_database: list[DatabaseThread] = []


def configure(runtime: Runtime) -> None:
    """Set what this process and its children work with."""
    _runtime[:] = [runtime]


def current() -> Runtime:
    """Return what this process works with."""
    if not _runtime:
        raise RuntimeError("No runtime is configured: worker.py does that before it takes work.")
    return _runtime[0]


def database() -> DatabaseThread:
    """Return this process' database thread, which lives as long as the process and is never open before a fork."""
    if not _database:
        _database.append(DatabaseThread(max_size=CONNECTIONS).open())
    return _database[0]


def close() -> None:
    """Close what this process has opened."""
    while _database:
        _database.pop().close()


@lru_cache(maxsize=1)
def _redis(url: str, process: int) -> Redis:
    del process
    return Redis.from_url(url, socket_connect_timeout=5, driver_info=None)


@lru_cache(maxsize=1)
def _brief_redis(url: str, process: int) -> Redis:
    del process
    return connect_briefly(url)
