"""What a worker process knows before it is given work, set before the fork, and what it opens for itself after it."""

import os
from dataclasses import dataclass
from functools import lru_cache

from redis import Redis

from app.automation.workflows.graph import Catalogue
from app.core.database import DatabaseThread
from app.core.settings import Settings

CONNECTIONS = 3
"""One for the recorder, one for the heartbeat, one for the hosts' threads."""


@dataclass(frozen=True)
class Runtime:
    """The node types that exist, and the settings of this process."""

    catalogue: Catalogue
    settings: Settings

    def redis(self) -> Redis:
        """Return this process' client; one made before a fork must not be used after it."""
        return _redis(self.settings.require_redis(), os.getpid())


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
