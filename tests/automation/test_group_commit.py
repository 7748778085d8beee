"""What the threads of a shard write together: results in order, intents that fence, locks that pass on in time."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID

import anyio
import anyio.to_thread
import httpx
import pytest

from app.automation.executions import changes, standing, timing, writer
from app.automation.executions.changes import Claim, Intent
from app.automation.executions.engine.lease import Lease
from app.automation.executions.engine.stopping import Heartbeat, Stop
from app.automation.executions.outputs import pack
from app.automation.executions.records import NodeRecord, NodeStart
from app.automation.executions.timing import Timing
from app.automation.executions.writer import LockReleased, LockWanted, Writer
from app.core import database
from app.core.clock import now
from tests.support.loop_database import LoopDatabase, claimed

LOOK_S = 0.02


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Timing:
    """Return short times, which hold for the test."""
    times = Timing(lease_s=3.0, margin_s=1.0)
    monkeypatch.setattr(timing, "_timing", [times])
    return times


def intent(host_key: str, *, locked: bool = True) -> Intent:
    return Intent(node_id="c", host_key=host_key, iteration="", lines=["mtu 9000"], locked=locked)


def result(host_key: str, text: str = "") -> NodeRecord:
    outputs = {"text": text}
    return NodeRecord(
        node_id="c", host_key=host_key, host_name="", status="success", started_at=now(), stored=pack(outputs)
    )


@asynccontextmanager
async def writing(claim: Claim) -> AsyncIterator[Writer]:
    opened = Writer(claim, LoopDatabase(asyncio.get_running_loop()), lambda _: None)
    await anyio.to_thread.run_sync(opened.__enter__)
    try:
        yield opened
    finally:
        await anyio.to_thread.run_sync(opened.__exit__)


@asynccontextmanager
async def held(table: str, row_id: UUID) -> AsyncIterator[None]:
    """Hold a row, so that whoever wants to write it has to wait."""
    pool = database.engine().pool
    assert pool is not None
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(f"SELECT 1 FROM {table} WHERE id = $1 FOR UPDATE", row_id)
        yield


async def in_threads(calls: Sequence[Callable[[], object]]) -> list[threading.Thread]:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    return threads


async def join(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        await anyio.to_thread.run_sync(thread.join)


async def test_changes_of_many_hosts_share_their_commits(admin: httpx.AsyncClient) -> None:
    claim, keys = await claimed(admin, [f"r{number}" for number in range(12)])
    granted: list[bool] = []
    async with writing(claim) as opened:

        def change(key: str) -> None:
            granted.append(opened.ask(LockWanted(key)))
            granted.append(opened.ask(intent(key)))
            opened.put(LockReleased(key))
            opened.put(result(key))

        async with held("executions", claim.execution_id):
            threads = await in_threads([lambda key=key: change(key) for key in keys])  # type: ignore[misc]
            while len(granted) < len(keys):
                await anyio.sleep(LOOK_S)
            await anyio.sleep(0.2)
        await join(threads)
    assert granted == [True] * 2 * len(keys)
    intents = await database.fetch("SELECT DISTINCT xmin::text FROM intents WHERE execution = $1", claim.execution_id)
    assert len(intents) <= 2
    assert not await database.fetch("SELECT 1 FROM change_locks")
    assert await changes.open_intents(claim.execution_id, keys) == []


async def test_an_intent_stands_once_and_only_under_the_lock(admin: httpx.AsyncClient) -> None:
    claim, (key,) = await claimed(admin)
    first = intent(key)
    assert await changes.record_intents(claim, [first]) == set()
    assert await changes.take_locks(claim, [key]) == {key}
    assert await changes.record_intents(claim, [first]) == {first.id}
    assert await changes.record_intents(claim, [first]) == {first.id}, "a commit that was cut off and repeated"
    assert await changes.record_intents(claim, [intent(key)]) == set()


async def test_an_intent_of_a_lost_or_cancelled_shard_does_not_stand(admin: httpx.AsyncClient) -> None:
    claim, (key,) = await claimed(admin)
    assert await changes.record_intents(replace(claim, attempt=2), [intent(key, locked=False)]) == set()
    await database.execute("UPDATE shards SET lease_until = now() WHERE id = $1", claim.shard_id)
    assert await changes.record_intents(claim, [intent(key, locked=False)]) == set()
    await database.execute("UPDATE shards SET lease_until = now() + interval '9 s' WHERE id = $1", claim.shard_id)
    await standing.stop(claim.execution_id, "cancelled")
    assert await changes.record_intents(claim, [intent(key, locked=False)]) == set()


async def test_a_lock_passes_on_when_it_is_given_back_or_its_lease_has_run_out(admin: httpx.AsyncClient) -> None:
    claim, (key,) = await claimed(admin)
    other = replace(claim, attempt=2)
    assert await changes.take_locks(claim, [key]) == {key}
    assert await changes.take_locks(other, [key]) == set()
    await changes.release_locks(other, [key])
    assert await changes.take_locks(other, [key]) == set()
    await changes.release_locks(claim, [key])
    assert await changes.take_locks(other, [key]) == {key}
    await database.execute("UPDATE change_locks SET lease_until = now() - interval '1 s'")
    assert await changes.take_locks(claim, [key]) == {key}
    await changes.renew_locks(other)
    assert await changes.record_intents(claim, [intent(key)])


async def test_a_lock_given_back_and_asked_for_at_once_stays(admin: httpx.AsyncClient) -> None:
    claim, (key,) = await claimed(admin)
    async with writing(claim) as opened:
        assert await anyio.to_thread.run_sync(opened.ask, LockWanted(key))
        opened.put(LockReleased(key))
        assert await anyio.to_thread.run_sync(opened.ask, LockWanted(key))
        assert await anyio.to_thread.run_sync(opened.ask, intent(key))
    assert await database.fetch("SELECT 1 FROM change_locks WHERE host_key = $1", key)


@pytest.mark.parametrize("size", [0, 1000])
async def test_a_slow_database_slows_the_hosts_and_loses_nothing(
    admin: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(writer, "BACKLOG_ROWS", 50)
    monkeypatch.setattr(writer, "BATCH_ROWS", 20)
    monkeypatch.setattr(writer, "BACKLOG_BYTES", 10_000)
    monkeypatch.setattr(writer, "BATCH_BYTES", 5000)
    claim, _ = await claimed(admin)
    rows, taken = 200, [0]
    async with writing(claim) as opened:

        def tell() -> None:
            for number in range(rows):
                opened.put(result(f"h{number}", "x" * size) if size else NodeStart("c", f"h{number}", ""))
                taken[0] += 1

        async with held("executions", claim.execution_id):
            threads = await in_threads([tell])
            before = -1
            while before != taken[0] or not taken[0]:
                before = taken[0]
                await anyio.sleep(0.3)
            assert 0 < taken[0] <= (10_000 // size if size else 50 + 20)
        await join(threads)
    events = await database.fetch(
        "SELECT body ->> 'host_key' AS host FROM execution_events WHERE execution = $1 AND kind LIKE 'device.%' "
        "ORDER BY seq",
        claim.execution_id,
    )
    assert [event["host"] for event in events] == [f"h{number}" for number in range(rows)]
    (node,) = await database.fetch(
        "SELECT succeeded FROM node_executions WHERE execution = $1 AND node_id = 'c'", claim.execution_id
    )
    assert node["succeeded"] == (rows if size else 0)


async def test_what_cannot_be_written_is_told_to_all_who_wait(admin: httpx.AsyncClient) -> None:
    claim, (key,) = await claimed(admin)
    opened = Writer(claim, LoopDatabase(asyncio.get_running_loop()), lambda _: None)
    await anyio.to_thread.run_sync(opened.__enter__)
    opened.put(replace(result(key), duration_ms=2**40))
    with pytest.raises(writer.RecorderFailed, match="out of range"):
        await anyio.to_thread.run_sync(opened.ask, intent(key, locked=False))
    with pytest.raises(writer.RecorderFailed):
        await anyio.to_thread.run_sync(opened.__exit__)
    assert not await database.fetch("SELECT 1 FROM intents")


async def test_changes_are_cut_while_the_lease_still_runs(admin: httpx.AsyncClient, quick: Timing) -> None:
    claim, _ = await claimed(admin)
    cut, stop, lease = threading.Event(), Stop(), Lease(claim.claimed_at)
    heartbeat = Heartbeat(claim, LoopDatabase(asyncio.get_running_loop()), stop, lease, cut.set)
    await anyio.to_thread.run_sync(heartbeat.__enter__)
    async with held("shards", claim.shard_id):
        while not cut.is_set():
            await anyio.sleep(LOOK_S)
        (row,) = await database.fetch("SELECT lease_until > now() AS ours FROM shards WHERE id = $1", claim.shard_id)
        assert row["ours"]
        assert not lease.holds()
    while not lease.holds():
        await anyio.sleep(LOOK_S)
    assert not stop.is_set()
    await anyio.to_thread.run_sync(heartbeat.__exit__)


async def test_a_heartbeat_of_a_shard_that_another_has_taken_stops_the_work(
    admin: httpx.AsyncClient, quick: Timing
) -> None:
    claim, _ = await claimed(admin)
    await database.execute("UPDATE shards SET attempt = 2 WHERE id = $1", claim.shard_id)
    stop = Stop()
    heartbeat = Heartbeat(claim, LoopDatabase(asyncio.get_running_loop()), stop, Lease(claim.claimed_at), lambda: None)
    await anyio.to_thread.run_sync(heartbeat.__enter__)
    while not stop.is_taken_over():
        await anyio.sleep(LOOK_S)
    assert not stop.is_cancelled()
    await anyio.to_thread.run_sync(heartbeat.__exit__)
