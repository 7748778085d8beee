"""Events that travel up: published in the transaction that makes them true, told afterwards to those who subscribed.

An area never imports those above it; what they have to know (a device changed, an execution finished) it publishes.
Every subscriber gets each event at least once, in the order in which one subject's events were committed.
"""

import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from redis import Redis

from app.core import context, database, queue
from app.core.context import RequestContext
from app.core.logging import get_logger

LOCK = 0x0C05_0003
MAX_ATTEMPTS = 5
"""How often an event is told to subscribers that break over it, before the next one takes its turn."""
KEPT_DAYS = 7
"""How long an event that could not be told is kept to be looked at."""
BUDGET_S = 1.0
"""How long one delivery goes on, so that what its process does besides is not kept waiting."""

log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened; ``depth`` counts the executions in the chain of events that led to it."""

    id: int
    name: str
    body: Mapping[str, Any]
    depth: int
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Subscriber:
    """Who wants to know: of which events, just now, and what is to be done about one.

    ``handle`` runs in the transaction that takes the event away: what it writes is written exactly once.
    """

    wants: Callable[[], Awaitable[Collection[str]]]
    handle: Callable[[Event], Awaitable[None]]


_subscribers: list[Subscriber] = []


def subscribe(subscriber: Subscriber) -> None:
    """Tell a subscriber of events from now on; a process that delivers does so before it begins."""
    if subscriber not in _subscribers:
        _subscribers.append(subscriber)


async def publish(name: str, bodies: Sequence[Mapping[str, Any]], *, depth: int = 0) -> None:
    """Write an event, once for each body, inside the caller's transaction."""
    request_id = context.current().request_id
    await database.execute_many(
        "INSERT INTO event_outbox (name, body, depth, request_id, attempts, error, created_at) "
        "VALUES ($1, $2, $3, $4, 0, '', now())",
        [(name, msgspec.json.encode(body).decode(), depth, request_id) for body in bodies],
    )


async def deliver(redis: Redis) -> int:
    """Tell the subscribers what happened and return how many events that were; one process at a time does it."""
    await _drop_unwanted()
    until, delivered = time.monotonic() + BUDGET_S, 0
    while time.monotonic() < until and await _deliver_next():
        delivered += 1
    if delivered:
        await queue.dispatch(redis)
    return delivered


async def purge() -> int:
    """Forget the events that could not be told and are old, and return how many those were."""
    return await database.execute(
        "DELETE FROM event_outbox WHERE attempts >= $1 AND created_at < now() - make_interval(days => $2)",
        MAX_ATTEMPTS,
        KEPT_DAYS,
    )


async def _drop_unwanted() -> None:
    wanted = {name for subscriber in _subscribers for name in await subscriber.wants()}
    async with database.transaction():
        if await _has_turn():
            await database.execute("DELETE FROM event_outbox WHERE name <> ALL($1)", list(wanted))


async def _deliver_next() -> bool:
    event: Event | None = None
    before = context.current()
    try:
        async with database.transaction():
            event = await _take_next()
            if event is None:
                return False
            for subscriber in _subscribers:
                if event.name in await subscriber.wants():
                    await subscriber.handle(event)
            await database.execute("DELETE FROM event_outbox WHERE id = $1", event.id)
    except database.CONNECTION_ERRORS:
        raise
    except Exception as error:
        if event is None:
            raise
        await _note_failure(event, error)
        return False
    finally:
        context.enter(before)
    return True


async def _take_next() -> Event | None:
    if not await _has_turn():
        return None
    row = await database.fetch_one(
        "SELECT id, name, body, depth, request_id, created_at FROM event_outbox WHERE attempts < $1 "
        "ORDER BY id LIMIT 1",
        MAX_ATTEMPTS,
    )
    if row is None:
        return None
    context.enter(RequestContext(row["request_id"]))
    return Event(
        id=row["id"],
        name=row["name"],
        body=msgspec.json.decode(row["body"]),
        depth=row["depth"],
        at=row["created_at"],
    )


async def _has_turn() -> bool:
    held = await database.fetch_one("SELECT pg_try_advisory_xact_lock($1) AS held", LOCK)
    return bool(held and held["held"])


async def _note_failure(event: Event, error: Exception) -> None:
    told = f"{type(error).__name__}: {error}"
    row = await database.fetch_one(
        "UPDATE event_outbox SET attempts = attempts + 1, error = $2 WHERE id = $1 RETURNING attempts", event.id, told
    )
    attempts = row["attempts"] if row else 0
    say = log.error if attempts >= MAX_ATTEMPTS else log.warning
    say("event could not be told", event_name=event.name, event_id=event.id, attempts=attempts, error=told)
