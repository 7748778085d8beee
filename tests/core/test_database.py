import asyncpg
import pytest

from app.core import database

pytestmark = pytest.mark.usefixtures("database")


async def kill_own_backend() -> None:
    """End the connection that the statement itself runs on, as a dying PostgreSQL does."""
    await database.fetch("SELECT pg_terminate_backend(pg_backend_pid())")


async def test_a_transaction_whose_connection_dies_does_not_spoil_the_next_one() -> None:
    for _ in range(25):
        with pytest.raises(database.CONNECTION_ERRORS):
            async with database.transaction():
                await kill_own_backend()
    async with database.transaction():
        assert await database.fetch("SELECT 1 AS one") == [{"one": 1}]


async def test_what_may_be_repeated_is_repeated_until_it_goes_well() -> None:
    tries = 0

    async def twice() -> int:
        nonlocal tries
        tries += 1
        async with database.transaction():
            if tries < 3:
                await kill_own_backend()
            (row,) = await database.fetch("SELECT 2 AS two")
        return int(row["two"])

    assert await database.patiently(twice) == 2
    assert tries == 3


async def test_patience_ends() -> None:
    async def never() -> None:
        raise ConnectionRefusedError("away")

    with pytest.raises(ConnectionRefusedError):
        await database.patiently(never, patience_s=0.2)


async def test_an_error_within_a_transaction_undoes_it() -> None:
    async def change_and_fail() -> None:
        async with database.transaction():
            await database.execute("UPDATE roles SET description = 'changed'")
            await database.fetch("SELECT 1 / 0")

    with pytest.raises(asyncpg.DivisionByZeroError):
        await change_and_fail()
    assert not await database.fetch("SELECT 1 FROM roles WHERE description = 'changed'")
