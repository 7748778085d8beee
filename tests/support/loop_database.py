"""The database as a shard's threads reach it, over the pool of the tests' own loop; and shards in a test's hands."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import httpx

from app.automation.executions import progress
from app.automation.executions.changes import Claim
from app.core import database
from app.core.database import DatabaseThread
from tests.support.graphs import step, workflow
from tests.support.working import make_devices, start


class LoopDatabase(DatabaseThread):
    """Runs coroutines in a loop that runs already; called from other threads, as the product's own is."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop


async def claimed(admin: httpx.AsyncClient, names: Sequence[str] = ("r1",)) -> tuple[Claim, list[str]]:
    """Start an execution, claim its shard, and return the claim and the hosts' keys.

    Both in one transaction, so that workers that may be there see the shard only when it is taken.
    """
    ids = await make_devices(admin, names)
    definition = workflow(step("c", "lab:change"), edges=("start -> c",))
    async with database.transaction():
        execution = await start(admin, definition, ids)
        rows = await database.fetch("SELECT id FROM shards WHERE execution = $1::uuid", execution["id"])
        claim = await progress.claim_shard(UUID(str(rows[0]["id"])), "test:0")
    assert claim is not None
    return claim, ids
