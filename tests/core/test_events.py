"""Events are told once their transaction has committed, in order, and one that breaks its subscriber stops nothing."""

import contextlib
from collections.abc import Collection

import pytest
from redis import Redis

from app.core import database, events
from app.core.events import Event, Subscriber
from app.core.queue import QueueJob, post

pytestmark = pytest.mark.usefixtures("database", "sole_deliverer")


class Listener:
    """Keeps what it is told, and breaks over what a test says."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.told: list[Event] = []
        self.breaks_over: set[int] = set()
        self.subscriber = Subscriber(wants=self.wants, handle=self.handle)

    async def wants(self) -> Collection[str]:
        """Say what it listens for."""
        return self.names

    async def handle(self, event: Event) -> None:
        """Keep an event."""
        await post([QueueJob(queue="default", function="told", arguments=[event.body["n"]])])
        if event.body["n"] in self.breaks_over:
            raise ZeroDivisionError(event.body["n"])
        self.told.append(event)

    def numbers(self) -> list[int]:
        """Return the numbers that it was told."""
        return [event.body["n"] for event in self.told]


async def left() -> list[tuple[str, int]]:
    rows = await database.fetch("SELECT name, attempts FROM event_outbox ORDER BY id")
    return [(row["name"], row["attempts"]) for row in rows]


async def test_events_are_told_in_order_with_what_they_carry(redis: Redis) -> None:
    listener = Listener("a", "b")
    events.subscribe(listener.subscriber)
    events.subscribe(listener.subscriber)
    async with database.transaction():
        await events.publish("a", [{"n": 1}, {"n": 2}], depth=2)
        await events.publish("b", [{"n": 3}])
    assert await events.deliver(redis) == 3
    assert [(event.name, event.body["n"], event.depth) for event in listener.told] == [
        ("a", 1, 2),
        ("a", 2, 2),
        ("b", 3, 0),
    ]
    assert await left() == []
    assert await database.fetch("SELECT 1 FROM queue_outbox") == [], "what was posted is sent at once"
    assert await events.deliver(redis) == 0


async def test_what_was_rolled_back_never_happened(redis: Redis) -> None:
    listener = Listener("a")
    events.subscribe(listener.subscriber)
    with contextlib.suppress(ZeroDivisionError):
        async with database.transaction():
            await events.publish("a", [{"n": 1}])
            raise ZeroDivisionError
    assert await events.deliver(redis) == 0
    assert listener.told == []


async def test_events_that_nobody_wants_are_dropped(redis: Redis) -> None:
    events.subscribe(Listener("a").subscriber)
    await events.publish("b", [{"n": number} for number in range(5)])
    assert await events.deliver(redis) == 0
    assert await left() == []


async def test_an_event_that_breaks_its_subscriber_is_tried_again_then_passed_over(redis: Redis) -> None:
    listener = Listener("a")
    listener.breaks_over = {1}
    events.subscribe(listener.subscriber)
    await events.publish("a", [{"n": 1}, {"n": 2}])
    for attempt in range(1, events.MAX_ATTEMPTS + 1):
        assert await events.deliver(redis) == 0
        assert (await left())[0] == ("a", attempt)
    assert await database.fetch("SELECT 1 FROM queue_outbox") == [], "what it had written is rolled back"
    assert await events.deliver(redis) == 1
    assert listener.numbers() == [2]
    (row,) = await database.fetch("SELECT error FROM event_outbox")
    assert row["error"] == "ZeroDivisionError: 1"


async def test_one_that_mends_itself_is_told_in_its_turn(redis: Redis) -> None:
    listener = Listener("a")
    listener.breaks_over = {1}
    events.subscribe(listener.subscriber)
    await events.publish("a", [{"n": 1}, {"n": 2}])
    assert await events.deliver(redis) == 0
    listener.breaks_over = set()
    assert await events.deliver(redis) == 2
    assert listener.numbers() == [1, 2]


async def test_only_old_events_that_could_not_be_told_are_purged() -> None:
    await events.publish("a", [{"n": 1}, {"n": 2}, {"n": 3}])
    old = f"now() - interval '{events.KEPT_DAYS} days 1 hour'"
    await database.execute(f"UPDATE event_outbox SET attempts = {events.MAX_ATTEMPTS} WHERE body->>'n' <> '3'")
    await database.execute(f"UPDATE event_outbox SET created_at = {old} WHERE body->>'n' <> '2'")
    assert await events.purge() == 1
    assert len(await left()) == 2


async def test_while_one_process_delivers_another_leaves_it_alone(redis: Redis) -> None:
    listener = Listener("a")
    events.subscribe(listener.subscriber)
    await events.publish("a", [{"n": 1}])
    pool = database.engine().pool
    assert pool is not None
    async with pool.acquire() as other, other.transaction():
        await other.execute("SELECT pg_advisory_xact_lock($1)", events.LOCK)
        assert await events.deliver(redis) == 0
    assert await events.deliver(redis) == 1
