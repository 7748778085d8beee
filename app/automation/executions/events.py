"""The events of an execution: numbered in the transaction that makes them true, read again from any number on."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

import anyio
import msgspec
import redis.asyncio as aredis
from redis import Redis
from redis.exceptions import RedisError

from app.automation.executions import outputs
from app.automation.executions.statuses import ENDED
from app.core import database
from app.core.clock import uuid7
from app.core.logging import get_logger

READ_BATCH = 500
POLL_S = 1.0
"""How long a reader waits for a wake-up before it looks by itself: Redis only wakes, PostgreSQL tells."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: ``kind`` is execution.*, node.* or device.*."""

    kind: str
    body: dict[str, Any]
    seq: int = 0


async def append(execution_id: UUID, events: Sequence[Event]) -> None:
    """Append events inside the caller's transaction; the execution's row stays locked until it commits.

    That lock makes the order of numbers the order of commits, so that a reader who saw number n missed none before.
    """
    if not events:
        return
    row = await database.fetch_one(
        "UPDATE executions SET event_seq = event_seq + $2 WHERE id = $1 RETURNING event_seq", execution_id, len(events)
    )
    if row is None:
        return
    first = row["event_seq"] - len(events) + 1
    described = [
        {"id": uuid7(), "seq": first + index, "kind": event.kind, "body": event.body}
        for index, event in enumerate(events)
    ]
    await database.execute(
        "INSERT INTO execution_events (id, execution, seq, kind, body, at) SELECT id, $1, seq, kind, body, now() "
        "FROM json_to_recordset($2::json) AS new(id uuid, seq bigint, kind text, body jsonb)",
        execution_id,
        outputs.storable(described),
    )


async def read(execution_id: UUID, after: int, limit: int = READ_BATCH) -> list[Event]:
    """Return the events after a number, oldest first."""
    rows = await database.fetch(
        "SELECT seq, kind, body, at FROM execution_events WHERE execution = $1 AND seq > $2 ORDER BY seq LIMIT $3",
        execution_id,
        after,
        limit,
    )
    return [
        Event(row["kind"], {**msgspec.json.decode(row["body"]), "at": row["at"].isoformat()}, row["seq"])
        for row in rows
    ]


async def follow(execution_id: UUID, after: int, redis_url: str) -> AsyncIterator[Event]:
    """Yield an execution's events after a number, as they come, until it has ended and all were given."""
    async with _Waker(redis_url, execution_id) as waker:
        while True:
            ended = await _has_ended(execution_id)
            batch = await read(execution_id, after)
            for event in batch:
                yield event
                after = event.seq
            if ended and len(batch) < READ_BATCH:
                return
            if not batch:
                await waker.wait()


def wake(redis: Redis, execution_id: UUID) -> None:
    """Wake those who follow an execution; when Redis is away they find out by themselves a little later."""
    try:
        redis.publish(channel(execution_id), b"")
    except RedisError as error:
        log.debug("wake-up not sent", execution=str(execution_id), error=str(error))


def channel(execution_id: UUID) -> str:
    """Return the name of an execution's wake-up channel."""
    return f"opsconductor:execution:{execution_id}"


async def _has_ended(execution_id: UUID) -> bool:
    row = await database.fetch_one("SELECT status FROM executions WHERE id = $1", execution_id)
    return row is None or row["status"] in ENDED


class _Waker:
    """Waits for the next wake-up of one execution, or for ``POLL_S``."""

    def __init__(self, redis_url: str, execution_id: UUID) -> None:
        self._client = aredis.Redis.from_url(redis_url)
        self._pubsub = self._client.pubsub(ignore_subscribe_messages=True)
        self._channel = channel(execution_id)
        self._subscribed = False

    async def __aenter__(self) -> Self:
        await self._subscribe()
        return self

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(RedisError):
            await self._pubsub.aclose()  # type: ignore[no-untyped-call]
        await self._client.aclose()

    async def wait(self) -> None:
        if not self._subscribed:
            await anyio.sleep(POLL_S)
            await self._subscribe()
            return
        try:
            await self._pubsub.get_message(timeout=POLL_S)
        except RedisError as error:
            self._subscribed = False
            log.debug("wake-ups interrupted", error=str(error))

    async def _subscribe(self) -> None:
        try:
            await self._pubsub.subscribe(self._channel)
        except RedisError as error:
            log.debug("no wake-ups", error=str(error))
        else:
            self._subscribed = True
