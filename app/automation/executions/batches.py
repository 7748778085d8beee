"""Batches: everything that a shard has to write at a moment, committed in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec

from app.automation.executions import changes, events, outputs
from app.automation.executions.changes import Claim, Intent
from app.automation.executions.events import Event
from app.automation.executions.records import ONCE, NodeRecord, NodeRetry, NodeStart, Note
from app.automation.executions.statuses import COUNTER
from app.core import database
from app.core.clock import uuid7

Row = NodeRecord | Note
Key = tuple[str, str, str]
COUNTERS = (*dict.fromkeys(COUNTER.values()), "handled")
INSERT = """
INSERT INTO device_results (
    id, execution, node_id, host_key, device_id, device_name, iteration, attempt, status, handled, branch,
    outputs, output_hash, error_class, error_message, changed, diff, started_at, duration_ms)
SELECT id, $1, node_id, host_key, device_id, device_name, iteration, attempt, status, handled, branch,
    outputs, output_hash, error_class, error_message, changed, diff, started_at, duration_ms
FROM json_to_recordset($2::json) AS new(id uuid, node_id text, host_key text, device_id uuid, device_name text,
    iteration text, attempt int, status text, handled bool, branch text, outputs jsonb, output_hash text,
    error_class text, error_message text, changed bool, diff text, started_at timestamptz, duration_ms int)
ON CONFLICT ON CONSTRAINT device_results_once_uq DO NOTHING
RETURNING node_id, host_key, iteration
"""
"""The rows go as one document: an array for every column costs several times as much to hand over."""
COUNT = f"""
UPDATE node_executions SET {", ".join(f"{name} = node_executions.{name} + new.{name}" for name in COUNTERS)},
    started_at = coalesce(node_executions.started_at, now())
FROM json_to_recordset($2::json) AS new(node_id text, {", ".join(f"{name} int" for name in COUNTERS)})
WHERE node_executions.execution = $1 AND node_executions.node_id = new.node_id
"""  # noqa: S608 — the counters are our own column names


@dataclass
class Batch:
    """What is committed together: results and notes in order, intents, and change locks given back or asked for."""

    rows: list[Row] = field(default_factory=list)
    intents: list[Intent] = field(default_factory=list)
    released: set[str] = field(default_factory=set)
    wanted: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.rows or self.intents or self.released or self.wanted)


@dataclass(frozen=True, kw_only=True)
class Granted:
    """The intents that stand, and the hosts whose change locks are ours, once a batch is committed."""

    intents: set[UUID]
    locks: set[str]


async def write(claim: Claim, batch: Batch) -> Granted:
    """Commit a batch; what was written before (a commit cut off) is neither doubled nor counted.

    Locks are taken by themselves, beforehand: whoever holds several things in PostgreSQL waits for nobody else's.
    A lock that is given back and asked for again stays.
    """
    locks = await changes.take_locks(claim, batch.wanted) if batch.wanted else set()
    released = batch.released - batch.wanted
    intents: set[UUID] = set()
    if batch.rows or batch.intents or released:
        async with database.transaction():
            await database.execute("SELECT 1 FROM executions WHERE id = $1 FOR UPDATE", claim.execution_id)
            if batch.rows:
                await _write_rows(claim.execution_id, batch.rows)
            if batch.intents:
                intents = await changes.record_intents(claim, batch.intents)
            if released:
                await changes.release_locks(claim, released)
    return Granted(intents=intents, locks=locks)


async def _write_rows(execution_id: UUID, rows: Sequence[Row]) -> None:
    results = [row for row in rows if isinstance(row, NodeRecord)]
    fresh = await _insert(execution_id, results)
    told = [row for row in rows if not isinstance(row, NodeRecord) or _identity(row) in fresh]
    await database.execute(COUNT, execution_id, msgspec.json.encode(_counts(told)).decode())
    await events.append(execution_id, [event_of(row) for row in told])


def _counts(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return by how much the counters of nodes grow; a node that has only begun is among them with nothing."""
    counts: dict[str, dict[str, int]] = {}
    for row in rows:
        of_node = counts.setdefault(row.node_id, dict.fromkeys(COUNTERS, 0))
        if isinstance(row, NodeRecord):
            of_node[COUNTER[row.status]] += 1
            of_node["handled"] += row.handled
    return [{"node_id": node_id, **grown} for node_id, grown in sorted(counts.items())]


def event_of(item: NodeRecord | Note) -> Event:
    """Return the event that tells of a node's start or end on a host."""
    where = {"node_id": item.node_id, "device": item.host_name, "host_key": item.host_key}
    if item.iteration:
        where["iteration"] = item.iteration
    scope = "node" if item.host_key == ONCE else "device"
    if isinstance(item, NodeStart):
        return Event(f"{scope}.started", where)
    if isinstance(item, NodeRetry):
        retry = {"attempt": item.attempt, "error": dict(item.error), "delay_s": item.delay_s}
        return Event(f"{scope}.retrying", {**where, **retry})
    ended = {
        **where,
        "status": item.status,
        "branch": item.branch,
        "changed": item.changed,
        "error": item.error(),
        "handled": item.handled,
        "duration_ms": item.duration_ms,
        "attempt": item.attempt,
    }
    return Event(f"{scope}.{'skipped' if item.status == 'skipped' else 'finished'}", ended)


async def _insert(execution_id: UUID, results: Sequence[NodeRecord]) -> set[Key]:
    if not results:
        return set()
    await outputs.store_blobs([record.stored for record in results])
    rows = await database.fetch(INSERT, execution_id, msgspec.json.encode(list(map(_described, results))).decode())
    return {(row["node_id"], row["host_key"], row["iteration"]) for row in rows}


def _described(record: NodeRecord) -> dict[str, Any]:
    stored = record.stored
    return {
        "id": uuid7(),
        "node_id": record.node_id,
        "host_key": record.host_key,
        "device_id": record.device_id,
        "device_name": record.host_name,
        "iteration": record.iteration,
        "attempt": record.attempt,
        "status": record.status,
        "handled": record.handled,
        "branch": record.branch,
        "outputs": None if stored.inline is None else msgspec.Raw(stored.inline.encode()),
        "output_hash": stored.hash,
        "error_class": record.error_class,
        "error_message": _storable(record.message),
        "changed": record.changed,
        "diff": _storable(record.diff),
        "started_at": record.started_at,
        "duration_ms": record.duration_ms,
    }


def _identity(record: NodeRecord) -> Key:
    return record.node_id, record.host_key, record.iteration


def _storable(text: str) -> str:
    """Replace NUL, which PostgreSQL's text cannot hold."""
    return text.replace("\x00", "\ufffd")
