"""Fixtures of the whole suite: servers, database, Redis, the application and callers with chosen permissions."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from functools import lru_cache
from pathlib import Path

import httpx
import pytest
from litestar import Litestar
from redis import Redis

from tests.support import environment

environment.isolate()

from app.core import database as core_database  # noqa: E402 — the environment comes first
from app.core import events, leases  # noqa: E402
from app.core.access import PERMISSIONS  # noqa: E402
from app.core.embedded import EmbeddedServices  # noqa: E402
from app.core.logging import configure_logging  # noqa: E402
from app.core.queue import connect  # noqa: E402
from app.core.settings import Settings, load_settings  # noqa: E402
from app.credentials import vault  # noqa: E402
from app.identity import passwords  # noqa: E402
from tests.support import callers, servers, serving  # noqa: E402
from tests.support.callers import AsUser  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def _quiet_logs() -> None:
    """Log as the product does, warnings and worse only."""
    configure_logging(os.environ["LOG_LEVEL"])


@pytest.fixture(autouse=True)
def _quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords at bcrypt's lowest cost; the test of the product's own cost undoes this."""
    monkeypatch.setattr(passwords, "COST", 4)


@pytest.fixture(scope="session")
async def services(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedServices]:
    """Run PostgreSQL and Valkey, shared by all processes of the run, with a database for this one."""
    base = tmp_path_factory.getbasetemp()
    shared: Path = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with servers.running(shared / "services") as running:
        await servers.prepare(running, shared / "services")
        yield running


@pytest.fixture(scope="session")
async def pool(services: EmbeddedServices) -> AsyncIterator[None]:
    """Open the connection pool in the loop that all tests share."""
    await core_database.open_pool()
    yield
    await core_database.close_pool()


@pytest.fixture
async def database(pool: None) -> AsyncIterator[None]:
    """Lend the database with nothing in it but the built-in roles."""
    yield
    await servers.empty_tables()


@pytest.fixture
async def sole_deliverer(pool: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Make this process the only one that delivers events, and to nobody yet: workers may run beside it."""
    opened = core_database.engine().pool
    assert opened is not None
    async with opened.acquire() as connection:
        await connection.execute("SELECT pg_advisory_lock($1)", events.LOCK)
        monkeypatch.setattr(events, "LOCK", events.LOCK + 0x1000)
        monkeypatch.setattr(events, "_subscribers", [])
        yield
        await connection.execute("SELECT pg_advisory_unlock_all()")


@pytest.fixture
def settings(services: EmbeddedServices) -> Settings:
    """Return the settings that lead to this process' servers."""
    return load_settings()


@pytest.fixture
def redis(settings: Settings) -> Iterator[Redis]:
    """Lend an empty Redis database."""
    with connect(settings.require_redis()) as client:
        _empty(client)
        yield client
        _empty(client)


def _empty(client: Redis) -> None:
    """Take everything out of a Redis database, but no reason for workers to think that it lost its data."""
    kept = f"{leases.PREFIX}epoch".encode()
    keys = client.keys("*")
    if rest := [key for key in keys if key != kept]:
        client.delete(*rest)


@pytest.fixture
def app(database: None, redis: Redis, settings: Settings) -> Litestar:
    """Return the application, its services in place of those its lifespan would open."""
    application = application_of(settings)
    vault.configure(settings.require_keyring())  # a test before this one may have tried other keys
    application.state.redis = redis
    return application


@lru_cache(maxsize=4)
def application_of(settings: Settings) -> Litestar:
    """Build the application of some settings once: it keeps nothing of a test but its Redis client."""
    from app.main import create_app  # noqa: PLC0415 — imports every area, which most tests need none of

    return create_app(settings)


@pytest.fixture
async def client(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client that is nobody."""
    async with callers.open_client(app) as opened:
        yield opened


@pytest.fixture
async def as_user(app: Litestar) -> AsyncIterator[AsUser]:
    """Return a function that makes a user with exactly these permissions and returns his client."""
    async with AsyncExitStack() as stack:
        made = 0

        async def make(*permissions: str, username: str | None = None) -> httpx.AsyncClient:
            nonlocal made
            made += 1
            user_id = await callers.make_user(username or f"user{made}", permissions)
            tokens = await callers.log_in(user_id)
            return await stack.enter_async_context(callers.open_client(app, token=tokens.access_token))

        yield make


@pytest.fixture
async def admin(app: Litestar, as_user: AsUser) -> httpx.AsyncClient:
    """Return the client of a super_admin."""
    return await as_user(*PERMISSIONS, username="admin")


@pytest.fixture(scope="session")
def server_url(services: EmbeddedServices) -> Iterator[str]:
    """Return the URL of the application served over TCP, with this process' database."""
    with serving.serving() as url:
        yield url
