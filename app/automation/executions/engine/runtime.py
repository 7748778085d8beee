"""What a worker process knows before it is given work: catalogue, settings and keys; set before the fork."""

from collections.abc import Callable
from dataclasses import dataclass

from redis import Redis

from app.automation.workflows.graph import Catalogue
from app.core.settings import Settings


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
        """Return a new client; one made before a fork must not be used after it."""
        return Redis.from_url(self.settings.require_redis(), socket_connect_timeout=5, driver_info=None)


_runtime: list[Runtime] = []


def configure(runtime: Runtime) -> None:
    """Set what this process and its children work with."""
    _runtime[:] = [runtime]


def current() -> Runtime:
    """Return what this process works with."""
    if not _runtime:
        raise RuntimeError("No runtime is configured: worker.py does that before it takes work.")
    return _runtime[0]
