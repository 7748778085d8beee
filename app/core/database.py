"""PostgreSQL through Piccolo's engine: pools, transactions, raw statements, violations, and patience with restarts."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import cache
from typing import Any, Literal, Self, TypeVar, cast

import asyncpg
import uvloop
from piccolo.engine.finder import engine_finder
from piccolo.engine.postgres import PostgresEngine, PostgresTransaction

from app.core.errors import AppError, UnavailableError
from app.core.settings import PostgresSettings

T = TypeVar("T")

CONNECTION_ERRORS = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # when the connection is cut in the middle of an answer
)
"""What asyncpg raises while PostgreSQL is away or restarting."""


IDLE_S = 60.0
"""After so long an idle connection is closed, all but the pool's least."""


class _Connection(asyncpg.Connection):  # type: ignore[misc]
    """A connection that is lent again as it is: nothing here changes its session, and a reset costs a round trip."""

    def get_reset_query(self) -> str:
        """Return what is sent when a connection comes back: nothing."""
        return ""


class _Engine(PostgresEngine):
    """Piccolo's engine, which does not connect by itself: it is made before a fork, where nothing may be connected."""

    async def check_version(self) -> None:
        """Leave the server's version to `opsconductor doctor`."""


def make_engine(postgres: PostgresSettings) -> PostgresEngine:
    """Build the engine that all tables use."""
    return _Engine(config=postgres.connect_arguments(), extensions=())


@cache
def engine() -> PostgresEngine:
    """Return the engine named by PICCOLO_CONF."""
    return cast("PostgresEngine", engine_finder())


async def open_pool(*, min_size: int = 1, max_size: int = 10) -> None:
    """Open this process' connection pool in the running event loop."""
    try:
        await engine().start_connection_pool(
            min_size=min_size,
            max_size=max_size,
            max_inactive_connection_lifetime=IDLE_S,
            connection_class=_Connection,
        )
    except (*CONNECTION_ERRORS, asyncpg.InvalidAuthorizationSpecificationError) as error:
        raise UnavailableError(f"PostgreSQL cannot be reached: {error}") from error


async def close_pool() -> None:
    """Close the pool, if one is open."""
    if engine().pool is not None:
        await engine().close_connection_pool()


@asynccontextmanager
async def connection() -> AsyncIterator[asyncpg.Connection]:
    """Lend the connection of the transaction in hand, else one from the pool."""
    transaction = engine().current_transaction.get()
    if transaction is not None:
        yield transaction.connection
        return
    pool = engine().pool
    if pool is None:
        raise UnavailableError("No connection pool is open in this process.")
    async with pool.acquire() as lent:
        yield lent


class _Transaction(PostgresTransaction):
    """Piccolo's transaction, which gives its connection back even when PostgreSQL dies within it.

    Piccolo's own keeps the dead connection as the current one, so that every statement after it fails too.
    """

    async def __aenter__(self) -> Self:
        try:
            await super().__aenter__()
        except BaseException:
            await self._give_up()
            raise
        return self

    async def __aexit__(self, *details: object) -> Literal[False]:
        try:
            await super().__aexit__(*details)
        except BaseException:
            await self._give_up()
            raise
        return False

    async def _give_up(self) -> None:
        if self._parent is not None or not hasattr(self, "connection"):
            return
        if hasattr(self, "context") and self.engine.current_transaction.get() is self:
            self.engine.current_transaction.reset(self.context)
        with suppress(*CONNECTION_ERRORS):
            self.connection.terminate()
        if self.engine.pool is not None:
            with suppress(*CONNECTION_ERRORS):
                await self.engine.pool.release(self.connection)


def transaction() -> _Transaction:
    """Open a transaction; statements of this task inside ``async with`` belong to it."""
    return _Transaction(engine=engine(), allow_nested=True)


async def fetch(sql: str, *arguments: Any) -> list[dict[str, Any]]:
    """Run a statement with ``$1``-style arguments and return its rows."""
    async with connection() as lent:
        return [dict(row) for row in await lent.fetch(sql, *arguments)]


async def fetch_one(sql: str, *arguments: Any) -> dict[str, Any] | None:
    """Return the first row of a statement, or None."""
    async with connection() as lent:
        row = await lent.fetchrow(sql, *arguments)
    return None if row is None else dict(row)


async def execute(sql: str, *arguments: Any) -> int:
    """Run a statement and return how many rows it touched."""
    async with connection() as lent:
        tag = await lent.execute(sql, *arguments)
    last = tag.rsplit(" ", 1)[-1]
    return int(last) if last.isdigit() else 0


async def execute_many(sql: str, rows: Iterable[Sequence[Any]]) -> None:
    """Run one statement for many rows of arguments."""
    async with connection() as lent:
        await lent.executemany(sql, rows)


@contextmanager
def violations(**by_constraint: AppError) -> Iterator[None]:
    """Turn the violation of a named constraint into the error given for it."""
    try:
        yield
    except asyncpg.IntegrityConstraintViolationError as error:
        translated = by_constraint.get(getattr(error, "constraint_name", None) or "")
        if translated is None:
            raise
        raise translated from error


async def patiently(operation: Callable[[], Awaitable[T]], *, patience_s: float = 60.0) -> T:
    """Repeat an operation while PostgreSQL is away, for at most ``patience_s`` seconds.

    Only for operations that may be repeated: a transaction whose commit was cut off may have happened.
    """
    give_up_at = time.monotonic() + patience_s
    pause_s = 0.1
    while True:
        try:
            return await operation()
        except (*CONNECTION_ERRORS, UnavailableError):
            if time.monotonic() + pause_s > give_up_at:
                raise
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, 2.0)


class DatabaseThread:
    """One event loop in one thread with one small pool, for processes whose own threads are busy with devices.

    Opened after a fork, never before: an inherited pool speaks over its parent's sockets.
    """

    def __init__(self, *, max_size: int = 2) -> None:
        self._max_size = max_size
        self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="database", daemon=True)

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> Self:
        """Start the thread and open its pool, as soon as PostgreSQL is there."""
        engine().pool = None
        self._thread.start()
        try:
            self.run(patiently(lambda: open_pool(min_size=1, max_size=self._max_size)))
        except BaseException:
            self._end()
            raise
        return self

    def close(self) -> None:
        """Close the pool and end the thread."""
        self.run(close_pool())
        self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, coroutine: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
        """Run a coroutine in the database thread and wait for its result; UnavailableError when it takes too long."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(timeout_s)
        except TimeoutError as error:
            if future.done():
                raise
            future.cancel()
            raise UnavailableError(f"PostgreSQL did not answer within {timeout_s:g} s.") from error
