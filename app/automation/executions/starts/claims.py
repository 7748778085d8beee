"""Occasions that start one execution and no more, however many processes see them, and however often."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from app.automation.executions.idempotency import Started
from app.core import database
from app.core.clock import uuid7

KEPT_DAYS = 30


async def once(kind: str, occasion: str, begin: Callable[[], Awaitable[UUID]]) -> Started:
    """Begin the execution of an occasion in a transaction, or return the one that it has started already."""
    async with database.transaction():
        claim = uuid7()
        claimed = await database.execute(
            "INSERT INTO start_claims (id, kind, occasion, created_at) VALUES ($1, $2, $3, now()) "
            "ON CONFLICT ON CONSTRAINT start_claims_once_uq DO NOTHING",
            claim,
            kind,
            occasion,
        )
        if not claimed:
            earlier = await database.fetch(
                "SELECT execution FROM start_claims WHERE kind = $1 AND occasion = $2", kind, occasion
            )
            return Started(execution_id=earlier[0]["execution"], replayed=True)
        execution_id = await begin()
        await database.execute("UPDATE start_claims SET execution = $2 WHERE id = $1", claim, execution_id)
    return Started(execution_id=execution_id)


async def purge() -> int:
    """Forget the occasions that are long past, and return how many those were."""
    return await database.execute(
        "DELETE FROM start_claims WHERE created_at < now() - make_interval(days => $1)", KEPT_DAYS
    )
