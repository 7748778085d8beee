"""The change lock and the intent: one change at a time on a device, and none that is sent twice."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec

from app.automation.executions import outputs, timing
from app.core import database
from app.core.clock import uuid7


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A shard in the hands of one worker: everything it writes names the attempt, and a later attempt voids it."""

    shard_id: UUID
    attempt: int
    execution_id: UUID
    claimed_at: float
    """By this process' own clock, and before PostgreSQL's lease began."""


INTENT_FIELDS = ("id", "node_id", "host_key", "iteration", "lines", "locked")


@dataclass(frozen=True, kw_only=True, slots=True)
class Intent:
    """The wish to change something: that these lines are about to be sent by a node on a host, or once."""

    node_id: str
    host_key: str
    iteration: str
    lines: Sequence[str]
    locked: bool
    """Whether the change needs the host's change lock."""
    id: UUID = field(default_factory=uuid7)


TAKE_LOCKS = """
INSERT INTO change_locks (host_key, execution, shard, shard_attempt, lease_until)
SELECT wanted.host_key, $2, $3, $4, now() + make_interval(secs => $5)
FROM unnest($1::text[]) AS wanted(host_key)
WHERE NOT EXISTS (
    SELECT 1 FROM change_locks AS held WHERE held.host_key = wanted.host_key AND held.lease_until >= now()
        AND (held.shard <> $3 OR held.shard_attempt <> $4))
ON CONFLICT (host_key) DO UPDATE SET execution = excluded.execution, shard = excluded.shard,
    shard_attempt = excluded.shard_attempt, lease_until = excluded.lease_until
WHERE change_locks.lease_until < now()
    OR (change_locks.shard = excluded.shard AND change_locks.shard_attempt = excluded.shard_attempt)
RETURNING host_key
"""
OWN_LOCKS = """
SELECT host_key FROM change_locks WHERE shard = $1 AND shard_attempt = $2
    AND ($3::text[] IS NULL OR host_key = ANY($3)) ORDER BY host_key FOR UPDATE
"""
"""Always in the same order, so that nobody waits for somebody who waits for him."""
RECORD_INTENTS = """
WITH held AS (
    SELECT shards.id, shards.attempt FROM shards JOIN executions ON executions.id = shards.execution
    WHERE shards.id = $2 AND shards.attempt = $3 AND shards.status = 'running'
        AND shards.lease_until > now() AND executions.cancel_requested_at IS NULL
    FOR SHARE OF shards
), wanted AS (
    SELECT * FROM json_to_recordset($4::json)
        AS new(id uuid, node_id text, host_key text, iteration text, lines jsonb, locked bool)
), allowed AS (
    SELECT wanted.*, held.id AS shard, held.attempt FROM wanted, held
    WHERE NOT wanted.locked OR EXISTS (
        SELECT 1 FROM change_locks WHERE change_locks.host_key = wanted.host_key AND change_locks.shard = held.id
            AND change_locks.shard_attempt = held.attempt AND change_locks.lease_until > now())
), inserted AS (
    INSERT INTO intents (id, execution, node_id, host_key, iteration, shard, shard_attempt, lines, created_at)
    SELECT id, $1, node_id, host_key, iteration, shard, attempt, lines, now() FROM allowed
    ON CONFLICT ON CONSTRAINT intents_once_uq DO NOTHING RETURNING id
)
SELECT id FROM inserted UNION ALL SELECT intents.id FROM intents JOIN allowed USING (id)
"""
"""The second half finds intents of ours whose commit was cut off, and happened."""


async def take_locks(claim: Claim, host_keys: Collection[str]) -> set[str]:
    """Take the change locks of hosts, where no other change holds them under a lease; return those now ours."""
    rows = await database.fetch(
        TAKE_LOCKS,
        sorted(host_keys),
        claim.execution_id,
        claim.shard_id,
        claim.attempt,
        timing.current().lease_s,
    )
    return {row["host_key"] for row in rows}


async def release_locks(claim: Claim, host_keys: Collection[str]) -> None:
    """Give change locks back, those that are still ours."""
    await database.execute(
        f"DELETE FROM change_locks WHERE host_key IN ({OWN_LOCKS})",  # noqa: S608 — our own text
        claim.shard_id,
        claim.attempt,
        list(host_keys),
    )


async def renew_locks(claim: Claim) -> None:
    """Lengthen the leases of all locks that a shard's attempt holds."""
    await database.execute(
        f"UPDATE change_locks SET lease_until = now() + make_interval(secs => $4) "  # noqa: S608 — our own text
        f"WHERE host_key IN ({OWN_LOCKS})",
        claim.shard_id,
        claim.attempt,
        None,
        timing.current().lease_s,
    )


async def record_intents(claim: Claim, intents: Sequence[Intent]) -> set[UUID]:
    """Record what is about to be sent, and return the intents that stand: the others are not this attempt's to send.

    A row is inserted only while the shard's lease is ours, the execution is not cancelled and the host's change lock,
    where one is needed, is held; and only once for a node, host and iteration in an execution. It is the fence that
    keeps a change from being sent twice. To be repeated with the same intents is safe.
    """
    rows = await database.fetch(
        RECORD_INTENTS,
        claim.execution_id,
        claim.shard_id,
        claim.attempt,
        outputs.storable([{field: getattr(intent, field) for field in INTENT_FIELDS} for intent in intents]),
    )
    return {row["id"] for row in rows}


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
