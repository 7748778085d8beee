"""Starts that are sent twice: under one key they start one execution, however often and however close they come."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

import msgspec
from redis import Redis

from app.automation.executions import starting
from app.core import database
from app.core.access import Principal
from app.core.clock import uuid7
from app.core.errors import ValidationError

KEPT_H = 24
"""How long a key is remembered."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key as its caller chose it: whose it is, for which operation, and the hash of what was asked under it."""

    user_id: UUID
    operation: str
    text: str
    body_hash: str

    @classmethod
    def of(cls, text: str | None, actor: Principal, operation: str, body: Any) -> Self | None:
        """Return the key of a request, or None where the caller chose none; ``body`` is any JSON-like value."""
        if text is None:
            return None
        canonical = msgspec.json.encode(body, order="sorted")
        digest = hashlib.sha256(canonical).hexdigest()
        return cls(user_id=actor.user_id, operation=operation, text=text, body_hash=digest)


@dataclass(frozen=True, kw_only=True)
class Started:
    """What a start led to; ``replayed`` where an earlier request had started it already."""

    execution_id: UUID
    replayed: bool = False


async def once(key: Key | None, begin: Callable[[], Awaitable[UUID]]) -> Started:
    """Begin an execution, or return the one that was begun under this key; a start that fails leaves no key behind.

    Raises ValidationError when the key stands for another request. Of requests that come at once, one begins and
    the others wait for its commit.
    """
    if key is None:
        return Started(execution_id=await begin())
    async with database.transaction():
        taken = await _take(key)
        if taken is None:
            return await _find(key)
        execution_id = await begin()
        await database.execute("UPDATE idempotency_keys SET execution = $2 WHERE id = $1", taken, execution_id)
    return Started(execution_id=execution_id)


async def start(key: Key | None, begin: Callable[[], Awaitable[UUID]], redis: Redis) -> Started:
    """Begin an execution at most once for a key, and tell the queue when it is a new one."""
    started = await once(key, begin)
    if not started.replayed:
        await starting.announce(started.execution_id, redis)
    return started


async def purge() -> int:
    """Forget the keys that are older than a day, and return how many those were."""
    return await database.execute(
        "DELETE FROM idempotency_keys WHERE created_at < now() - make_interval(hours => $1)", KEPT_H
    )


async def _take(key: Key) -> UUID | None:
    """Write the key, in place of one that is too old to count; None when it is taken."""
    row = await database.fetch_one(
        """
        INSERT INTO idempotency_keys AS known (id, "user", operation, key, body_hash, created_at)
        VALUES ($1, $2, $3, $4, $5, now())
        ON CONFLICT ON CONSTRAINT idempotency_keys_once_uq DO UPDATE
            SET id = excluded.id, body_hash = excluded.body_hash, execution = NULL, created_at = now()
            WHERE known.created_at < now() - make_interval(hours => $6)
        RETURNING id
        """,
        uuid7(),
        key.user_id,
        key.operation,
        key.text,
        key.body_hash,
        KEPT_H,
    )
    return None if row is None else UUID(str(row["id"]))


async def _find(key: Key) -> Started:
    row = await database.fetch_one(
        'SELECT body_hash, execution FROM idempotency_keys WHERE "user" = $1 AND operation = $2 AND key = $3',
        key.user_id,
        key.operation,
        key.text,
    )
    if row is None or row["body_hash"] != key.body_hash:
        message = (
            f"Idempotency-Key: {key.text!r} was used for another request within the last {KEPT_H} hours. "
            "Send that one unchanged, or choose a new key."
        )
        raise ValidationError(
            message, [{"field": "Idempotency-Key", "message": message}], code="IDEMPOTENCY_KEY_REUSED"
        )
    return Started(execution_id=row["execution"], replayed=True)
