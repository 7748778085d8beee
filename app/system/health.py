"""How the services that this one needs are doing, each asked and timed."""

import platform
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

import anyio
import anyio.to_thread
from redis import Redis
from redis.exceptions import RedisError

from app import __version__
from app.core import database
from app.core.clock import now
from app.core.database import CONNECTION_ERRORS
from app.core.errors import UnavailableError
from app.system import queues

PATIENCE_S = 5.0
STARTED_AT = now()
AWAY = (*CONNECTION_ERRORS, RedisError, UnavailableError, TimeoutError)


@dataclass(frozen=True, kw_only=True)
class Component:
    """A service that this one needs, as it answered just now."""

    name: str
    status: Literal["up", "down"]
    latency_ms: float
    detail: str


async def check_components(redis: Redis) -> list[Component]:
    """Ask PostgreSQL, Redis and the workers, each for at most five seconds."""
    checks: dict[str, Callable[[], Awaitable[str]]] = {
        "postgresql": _check_postgresql,
        "redis": lambda: _check_redis(redis),
        "workers": lambda: _check_workers(redis),
    }
    found: dict[str, Component] = {}

    async def check(name: str) -> None:
        found[name] = await _timed(name, checks[name])

    async with anyio.create_task_group() as tasks:
        for name in checks:
            tasks.start_soon(check, name)
    return [found[name] for name in checks]


def overall(components: list[Component]) -> Literal["up", "down"]:
    """Say whether all components are up."""
    return "up" if all(component.status == "up" for component in components) else "down"


async def versions(redis: Redis) -> dict[str, Any]:
    """Return the versions of what runs here, and since when."""
    postgresql = await database.fetch_one("SHOW server_version")
    server = await anyio.to_thread.run_sync(redis.info, "server")
    return {
        "name": "OpsConductor",
        "version": __version__,
        "python_version": platform.python_version(),
        "postgresql_version": (postgresql or {}).get("server_version", ""),
        "redis_version": str(server.get("valkey_version") or server.get("redis_version", "")),
        "started_at": STARTED_AT,
        "uptime_s": int((now() - STARTED_AT).total_seconds()),
    }


async def _timed(name: str, check: Callable[[], Awaitable[str]]) -> Component:
    started = time.perf_counter()
    status: Literal["up", "down"] = "up"
    try:
        with anyio.fail_after(PATIENCE_S):
            detail = await check()
    except AWAY as error:
        status, detail = "down", str(error) or f"no answer within {PATIENCE_S:.0f} s"
    latency_ms = round((time.perf_counter() - started) * 1000, 1)
    return Component(name=name, status=status, latency_ms=latency_ms, detail=detail)


async def _check_postgresql() -> str:
    await database.fetch_one("SELECT 1")
    return "answers"


async def _check_redis(redis: Redis) -> str:
    await anyio.to_thread.run_sync(redis.ping, abandon_on_cancel=True)
    return "answers"


async def _check_workers(redis: Redis) -> str:
    workers = await queues.list_workers(redis)
    if not workers:
        raise UnavailableError("no worker was heard from; start one with `opsconductor worker`")
    return f"{len(workers)} heard from"
