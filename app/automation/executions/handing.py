"""Handing over: hosts that a shard has not begun leave it for a new one, at the back of the queue."""

from collections.abc import Sequence
from typing import Any, Literal

from app.automation.executions.changes import Claim
from app.automation.executions.sharding import Cut, insert_shards
from app.automation.workflows.graph import Stage
from app.core import database


async def lock_shard(claim: Claim) -> dict[str, Any] | Literal["stopping", "taken over"]:
    """Lock a shard that hosts are to leave, and its execution before it; or say why nobody leaves.

    In an execution that is being stopped they end with their shard.
    """
    execution = await database.fetch_one(
        "SELECT stop_reason FROM executions WHERE id = $1 FOR UPDATE", claim.execution_id
    )
    if execution is None or execution["stop_reason"]:
        return "stopping"
    shard = await database.fetch_one(
        "SELECT stage_run, host_keys, siblings FROM shards "
        "WHERE id = $1 AND attempt = $2 AND status = 'running' FOR UPDATE",
        claim.shard_id,
        claim.attempt,
    )
    return shard or "taken over"


async def hand_over(claim: Claim, stage: Stage, host_keys: Sequence[str], threads: int) -> bool:
    """Put hosts into a shard of their own, with ``threads`` of this one's; False when it is no longer this attempt's.

    Safe to repeat, and in an execution that is being stopped they stay and end with their shard.
    """
    async with database.transaction():
        shard = await lock_shard(claim)
        if not isinstance(shard, dict):
            return shard == "stopping"
        asked = set(host_keys)
        leaving = [key for key in shard["host_keys"] if key in asked]
        if not leaving:
            return True
        await database.execute(
            "UPDATE shards SET host_keys = $2, threads = CASE WHEN threads > $3 THEN threads - $3 ELSE threads END "
            "WHERE id = $1",
            claim.shard_id,
            [key for key in shard["host_keys"] if key not in asked],
            threads,
        )
        await insert_shards(
            claim.execution_id, shard["stage_run"], stage, [Cut(leaving, threads)], siblings=shard["siblings"]
        )
    return True
