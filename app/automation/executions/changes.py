"""The change lock and the intent: one change at a time on a device, and none that is sent twice."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from app.automation.executions import timing
from app.core import database
from app.core.clock import uuid7


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A shard in the hands of one worker: everything it writes names the attempt, and a later attempt voids it."""

    shard_id: UUID
    attempt: int
    execution_id: UUID


async def take_lock(claim: Claim, host_key: str) -> bool:
    """Take a device's change lock, or one whose lease has run out; False while another change holds it."""
    taken = await database.execute(
        """
        INSERT INTO change_locks (host_key, execution, shard, shard_attempt, lease_until)
        VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5))
        ON CONFLICT (host_key) DO UPDATE SET execution = excluded.execution, shard = excluded.shard,
            shard_attempt = excluded.shard_attempt, lease_until = excluded.lease_until
        WHERE change_locks.lease_until < now()
            OR (change_locks.shard = excluded.shard AND change_locks.shard_attempt = excluded.shard_attempt)
        """,
        host_key,
        claim.execution_id,
        claim.shard_id,
        claim.attempt,
        timing.current().lease_s,
    )
    return taken == 1


async def release_lock(claim: Claim, host_key: str) -> None:
    """Give a change lock back, if it is still ours."""
    await database.execute(
        "DELETE FROM change_locks WHERE host_key = $1 AND shard = $2 AND shard_attempt = $3",
        host_key,
        claim.shard_id,
        claim.attempt,
    )


async def renew_locks(claim: Claim) -> None:
    """Lengthen the leases of all locks that a shard's attempt holds."""
    await database.execute(
        "UPDATE change_locks SET lease_until = now() + make_interval(secs => $3) "
        "WHERE shard = $1 AND shard_attempt = $2",
        claim.shard_id,
        claim.attempt,
        timing.current().lease_s,
    )


async def record_intent(claim: Claim, node_id: str, host_key: str, iteration: str, lines: Sequence[str]) -> bool:
    """Record that a change is about to be sent; False when it is not, or no longer, this attempt's to send.

    The row is inserted only while the shard's lease is ours and the execution is not cancelled, and only once for
    a node, host and iteration in an execution: it is the fence that keeps a change from being sent twice.
    """
    inserted = await database.execute(
        """
        INSERT INTO intents (id, execution, node_id, host_key, iteration, shard, shard_attempt, lines, created_at)
        SELECT $1, $2, $3, $4, $8, held.id, held.attempt, $7, now()
        FROM (
            SELECT shards.id, shards.attempt FROM shards JOIN executions ON executions.id = shards.execution
            WHERE shards.id = $5 AND shards.attempt = $6 AND shards.status = 'running'
                AND shards.lease_until > now() AND executions.cancel_requested_at IS NULL
            FOR SHARE OF shards
        ) AS held
        ON CONFLICT ON CONSTRAINT intents_once_uq DO NOTHING
        """,
        uuid7(),
        claim.execution_id,
        node_id,
        host_key,
        claim.shard_id,
        claim.attempt,
        msgspec.json.encode(list(lines)).decode(),
        iteration,
    )
    return inserted == 1


async def open_intents(execution_id: UUID, host_keys: Collection[str]) -> list[dict[str, Any]]:
    """Return the intents on some hosts that have no result beside them: nobody knows whether they were sent."""
    rows = await database.fetch(
        """
        SELECT node_id, host_key, iteration, lines FROM intents
        WHERE execution = $1 AND host_key = ANY($2) AND NOT EXISTS (
            SELECT 1 FROM device_results AS done WHERE done.execution = intents.execution
                AND done.node_id = intents.node_id AND done.host_key = intents.host_key
                AND done.iteration = intents.iteration
        )
        """,
        execution_id,
        list(host_keys),
    )
    return [{**row, "lines": msgspec.json.decode(row["lines"])} for row in rows]
