"""What a worker process knows before it is given work: catalogue, settings and keys; set before the fork."""

from dataclasses import dataclass

from redis import Redis

from app.automation.workflows.graph import Catalogue
from app.core.settings import Settings


@dataclass(frozen=True)
class Runtime:
    """The node types that exist, and the settings of this process."""

    catalogue: Catalogue
    settings: Settings

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
