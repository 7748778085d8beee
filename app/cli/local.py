"""What a command that works without HTTP stands on: the environment completed, and the database open."""

import asyncio
import os
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeVar

import asyncpg

from app.cli.keys import kept_keys
from app.core import database, migrations
from app.core.embedded import EmbeddedServices, start_embedded
from app.core.embedded.files import ServerFiles
from app.core.errors import DatabaseError, UnavailableError
from app.core.settings import Settings, load_settings, read_environment

T = TypeVar("T")
TURNED_AWAY = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.TooManyConnectionsError,
)
"""What PostgreSQL says to those it does not let in."""


@contextmanager
def surroundings(*, redis: bool = False) -> Iterator[Settings]:
    """Complete this process' environment with what `up` keeps in the state folder, and yield the settings.

    A PostgreSQL (and, on demand, a Valkey) that `up` made is found running, or runs for as long as this lasts.
    Where there never was one, the settings stay without.
    """
    environ = read_environment()
    settings = load_settings(environ)
    completed = {**environ, **kept_keys(settings.state_dir, environ)}
    with ExitStack() as stack:
        services = start_embedded(
            settings.state_dir,
            postgres=settings.postgres is None and _was_made(settings, "postgres"),
            valkey=redis and settings.redis_url is None and _was_made(settings, "valkey"),
            os_user=settings.embedded_os_user,
        )
        stack.enter_context(services)
        completed |= addresses(services)
        os.environ.update(completed)
        yield load_settings(completed)


def addresses(services: EmbeddedServices) -> dict[str, str]:
    """Return the variables that lead to embedded servers."""
    variables: dict[str, str] = {}
    if services.postgres is not None:
        address = services.postgres.address
        variables |= {
            "DATABASE_URL": "",
            "PG_HOST": address.host,
            "PG_PORT": str(address.port),
            "PG_USER": address.user,
            "PG_PASSWORD": address.password,
            "PG_DATABASE": address.database,
        }
    if services.valkey is not None:
        variables["REDIS_URL"] = services.valkey.url
    return variables


def with_database(settings: Settings, operation: Callable[[], Awaitable[T]], *, current: bool = True) -> T:
    """Run an operation with the database open; raises ConfigurationError unless its schema is current."""
    settings.require_postgres()

    async def run() -> T:
        if current:
            await migrations.require_current()
        await database.open_pool(min_size=1, max_size=2)
        try:
            return await operation()
        finally:
            await database.close_pool()

    with postgres_faults(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "(?s).*Unable to connect to database")  # Piccolo's; the error says more
        return asyncio.run(run())


@contextmanager
def postgres_faults(settings: Settings) -> Iterator[None]:
    """Say of a PostgreSQL that is away, or turns us away, which one it is and why."""
    postgres = settings.require_postgres()
    try:
        yield
    except (*database.CONNECTION_ERRORS, *TURNED_AWAY, UnavailableError) as error:
        raise UnavailableError(
            f"PostgreSQL at {postgres.host}:{postgres.port} (database {postgres.database}, user {postgres.user}) "
            f"cannot be used: {error}. Check PG_HOST, PG_PORT, PG_DATABASE, PG_USER and PG_PASSWORD."
        ) from error
    except asyncpg.PostgresError as error:
        raise DatabaseError(f"PostgreSQL refused a statement: {error}.") from error


def _was_made(settings: Settings, name: str) -> bool:
    """Say whether the state folder holds a server's passwords, and this account may read there."""
    secret = ServerFiles(state=settings.state_dir, name=name).secret
    return os.access(secret, os.R_OK)
