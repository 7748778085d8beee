"""Parking: hosts that wait in a node leave their shard and hold no worker, until a new shard takes them on."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.automation.executions import children, events, progress, standing, waking
from app.automation.executions.approvals import service as approvals
from app.automation.executions.changes import Claim
from app.automation.executions.events import Event
from app.automation.executions.handing import lock_shard
from app.automation.executions.progress import Round
from app.automation.executions.records import CHILD, ONCE, QUESTION, ROUND, iteration_of
from app.automation.workflows.graph import Plan
from app.core import database
from app.core.clock import uuid7
from tasks.parking import RESUMED_WITH

DUE_EXECUTIONS = 200
"""How many executions one round of waking looks after."""


@dataclass(frozen=True, kw_only=True)
class ParkedHost:
    """A host (or what runs once) that waits in a node."""

    node_id: str
    host_key: str
    host_name: str
    iteration: str
    due_at: datetime | None
    body: Mapping[str, Any]


async def park(claim: Claim, plan: Plan, hosts: Sequence[ParkedHost]) -> bool:
    """Take hosts out of their shard until they are due; False when the shard is no longer this attempt's.

    In an execution that is being stopped they stay in the shard, and end with it.
    """
    async with database.transaction():
        shard = await lock_shard(claim)
        if not isinstance(shard, dict):
            return shard == "stopping"
        leaving = [host for host in hosts if host.host_key in set(shard["host_keys"])]
        gone = {host.host_key for host in leaving}
        await database.execute(
            "UPDATE shards SET host_keys = $2 WHERE id = $1",
            claim.shard_id,
            [key for key in shard["host_keys"] if key not in gone],
        )
        await _insert(claim.execution_id, shard["stage_run"], leaving)
        for host in leaving:
            await _open_what_it_waits_for(claim.execution_id, shard["stage_run"], host, plan)
    return True


async def load(execution_id: UUID, host_keys: Collection[str]) -> list[dict[str, Any]]:
    """Return what is known of nodes that were parked on some hosts."""
    rows = await database.fetch(
        "SELECT node_id, host_key, iteration, since, body FROM parkings WHERE execution = $1 AND host_key = ANY($2)",
        execution_id,
        list(host_keys),
    )
    return [{**row, "body": msgspec.json.decode(row["body"])} for row in rows]


async def resume_due() -> list[UUID]:
    """Put hosts that are due into new shards, and return the executions concerned."""
    rows = await database.fetch(
        "SELECT execution FROM parkings WHERE status = 'parked' AND due_at <= now() "
        "GROUP BY execution ORDER BY min(due_at) LIMIT $1",
        DUE_EXECUTIONS,
    )
    return [row["execution"] for row in rows if await _resume(row["execution"])]


async def _resume(execution_id: UUID) -> bool:
    async with database.transaction():
        execution = await database.fetch_one(
            "SELECT plan FROM executions WHERE id = $1 AND stop_reason = '' AND finished_at IS NULL "
            "FOR UPDATE SKIP LOCKED",
            execution_id,
        )
        if execution is None or not await waking.take_up_due(execution_id, progress.read_plan(execution["plan"])):
            return False
        await standing.update(execution_id)
    return True


async def _open_what_it_waits_for(execution_id: UUID, stage_run: UUID, host: ParkedHost, plan: Plan) -> None:
    """Open the round that a loop waits for, or the question that an approval asks.

    What was answered, or has ended, while it was looked at, is looked at again.
    """
    if ROUND in host.body:
        around = await database.fetch_one("SELECT rounds FROM stage_runs WHERE id = $1", stage_run)
        rounds = msgspec.json.decode(around["rounds"], type=list[Round]) if around else []
        opened = msgspec.convert(host.body[ROUND], Round)
        iteration = iteration_of(host.iteration, opened.loop, opened.index)
        await progress.open_stages(execution_id, plan.stages_of(opened.loop), iteration, [*rounds, opened])
    if QUESTION in host.body:
        question = msgspec.convert(host.body[QUESTION], approvals.Question)
        if not await approvals.open_approval(execution_id, host.node_id, host.iteration, question):
            await _wake_now(execution_id, host)
    if CHILD in host.body and await children.has_ended(UUID(host.body[CHILD])):
        await _wake_now(execution_id, host)


async def _wake_now(execution_id: UUID, host: ParkedHost) -> None:
    await database.execute(
        "UPDATE parkings SET due_at = now() WHERE execution = $1 AND node_id = $2 AND host_key = $3 AND iteration = $4",
        execution_id,
        host.node_id,
        host.host_key,
        host.iteration,
    )


async def _insert(execution_id: UUID, stage_run: UUID, hosts: Sequence[ParkedHost]) -> None:
    """Write down who waits, and tell of those that did not wait before; what was resumed meanwhile is due at once."""
    rows = await database.fetch(
        """
        INSERT INTO parkings (id, execution, stage_run, node_id, host_key, iteration, status, since, due_at, body)
        SELECT id, $2, $3, node_id, host_key, iteration, 'parked', now(), due_at, body::jsonb
        FROM unnest($1::uuid[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::text[])
            AS new(id, node_id, host_key, iteration, due_at, body)
        ON CONFLICT ON CONSTRAINT parkings_once_uq DO UPDATE
            SET status = 'parked',
                due_at = CASE WHEN parkings.body ? $9 THEN now() ELSE excluded.due_at END,
                body = CASE WHEN parkings.body ? $9 THEN parkings.body ELSE excluded.body END
        RETURNING node_id, host_key, iteration, xmax = 0 AS fresh
        """,
        [uuid7() for _ in hosts],
        execution_id,
        stage_run,
        [host.node_id for host in hosts],
        [host.host_key for host in hosts],
        [host.iteration for host in hosts],
        [host.due_at for host in hosts],
        [msgspec.json.encode(host.body).decode() for host in hosts],
        RESUMED_WITH,
    )
    fresh = {(row["node_id"], row["host_key"], row["iteration"]) for row in rows if row["fresh"]}
    told = [host for host in hosts if (host.node_id, host.host_key, host.iteration) in fresh]
    await events.append(execution_id, [_waiting(host) for host in told])


def _waiting(host: ParkedHost) -> Event:
    where = {"node_id": host.node_id, "device": host.host_name, "host_key": host.host_key}
    if host.iteration:
        where["iteration"] = host.iteration
    scope = "node" if host.host_key == ONCE else "device"
    return Event(f"{scope}.waiting", {**where, "due_at": host.due_at.isoformat() if host.due_at else None})
