"""Results in PostgreSQL: written in batches with their counters and events, and read back when a walk resumes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec

from app.automation.executions import events, outputs
from app.automation.executions.events import Event
from app.automation.executions.statuses import COUNTER, ResultStatus
from app.core import database
from app.core.clock import uuid7
from inventory.records import HostRecord

ONCE = "-"
"""The host key of what runs once."""
ROUND, QUESTION, CHILD = "$round", "$approval", "$execution"
"""What a parking's body may name: the round that a loop waits for, what an approval asks, a child's id.

No node of anybody else's is taken for one of them by accident.
"""


_uuid = lru_cache(maxsize=1024)(UUID)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node runs: on a host, or once; and in which rounds of which loops (``outer:0.inner:2``)."""

    host: HostRecord | None = None
    iteration: str = ""
    forgiven: bool = False
    """A loop around takes failures here as its own affair."""

    @property
    def key(self) -> str:
        """The host's key, or that of what runs once."""
        return ONCE if self.host is None else self.host.key

    @property
    def name(self) -> str:
        """The host's name, or nothing."""
        return "" if self.host is None else self.host.name

    @property
    def device_id(self) -> UUID | None:
        """The device's id; an ad-hoc host has none."""
        return _uuid(self.host.id) if self.host is not None and self.host.id else None


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeRecord:
    """What a node did on one host."""

    node_id: str
    host_key: str
    host_name: str
    status: ResultStatus
    started_at: datetime
    device_id: UUID | None = None
    iteration: str = ""
    handled: bool = False
    branch: str | None = None
    outputs: Mapping[str, Any] | None = None
    error_class: str = ""
    message: str = ""
    changed: bool = False
    diff: str = ""
    duration_ms: int = 0
    attempt: int = 1

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "NodeRecord":
        """Return a recorded result as it was recorded, as far as a walk asks for it."""
        return cls(
            node_id=row["node_id"],
            host_key=row["host_key"],
            host_name=row["device_name"],
            iteration=row["iteration"],
            status=row["status"],
            branch=row["branch"],
            outputs=row["outputs"],
            error_class=row["error_class"],
            message=row["error_message"],
            started_at=row["started_at"],
        )

    def error(self) -> dict[str, str] | None:
        """Return the error as expressions and answers show it."""
        return {"class": self.error_class, "message": self.message} if self.error_class else None


@dataclass(frozen=True, slots=True)
class NodeStart:
    """A node begins on a host."""

    node_id: str
    host_key: str
    host_name: str
    iteration: str = ""


@dataclass(frozen=True, slots=True)
class NodeRetry:
    """A node failed on a host and is tried again after a while."""

    node_id: str
    host_key: str
    host_name: str
    iteration: str
    attempt: int
    error: Mapping[str, str]
    delay_s: float


Note = NodeStart | NodeRetry
"""What is told of a node before it has ended."""


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


async def write(execution_id: UUID, batch: Sequence[NodeRecord | Note]) -> None:
    """Commit a batch in one transaction; what was written before (a commit cut off) is neither doubled nor counted."""
    results = [item for item in batch if isinstance(item, NodeRecord)]
    async with database.transaction():
        await database.execute("SELECT 1 FROM executions WHERE id = $1 FOR UPDATE", execution_id)
        fresh = await _insert(execution_id, results)
        await _count(execution_id, [record for record in results if _identity(record) in fresh])
        await _mark_started(execution_id, {item.node_id for item in batch})
        await events.append(
            execution_id,
            [event_of(item) for item in batch if not isinstance(item, NodeRecord) or _identity(item) in fresh],
        )


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


async def load(
    execution_id: UUID,
    node_ids: Collection[str],
    host_keys: Collection[str] | None,
    *,
    with_outputs: Collection[str],
    iteration: str = "",
    without_loops: Collection[str] = (),
) -> list[dict[str, Any]]:
    """Return results of some nodes (of some hosts, or all), with the outputs of those nodes that need them.

    In a round (``iteration``) only what lies before it, in it and in rounds within it; else all but the rounds of
    some loops.
    """
    rows = await database.fetch(
        """
        SELECT node_id, host_key, device_name, iteration, status, handled, branch, started_at,
            error_class, error_message,
            CASE WHEN node_id = ANY($4) THEN outputs END AS outputs,
            CASE WHEN node_id = ANY($4) THEN output_hash END AS output_hash
        FROM device_results
        WHERE execution = $1 AND node_id = ANY($2) AND ($3::text[] IS NULL OR host_key = ANY($3))
            AND ($5 = '' OR iteration = ANY($6) OR starts_with(iteration, $5 || '.'))
            AND NOT split_part(iteration, ':', 1) = ANY($7)
        ORDER BY started_at
        """,
        execution_id,
        list(node_ids),
        None if host_keys is None else list(host_keys),
        list(with_outputs),
        iteration,
        iterations_behind(iteration),
        list(without_loops),
    )
    await outputs.unpack(rows)
    for row in rows:
        row["error"] = {"class": row["error_class"], "message": row["error_message"]} if row["error_class"] else None
    return rows


async def load_set(
    execution_id: UUID, node_ids: Collection[str], host_keys: Collection[str], iteration: str
) -> list[dict[str, Any]]:
    """Return how nodes that set variables ended last in rounds before ``iteration``; nothing outside of rounds."""
    if not iteration or not node_ids:
        return []
    rows = await database.fetch(
        """
        SELECT DISTINCT ON (node_id, host_key) node_id, host_key, iteration, status, outputs, output_hash
        FROM device_results
        WHERE execution = $1 AND node_id = ANY($2) AND host_key = ANY($3) AND status = 'success' AND iteration <> $4
        ORDER BY node_id, host_key, started_at DESC
        """,
        execution_id,
        list(node_ids),
        list(host_keys),
        iteration,
    )
    await outputs.unpack(rows)
    return [{**row, "error": None} for row in rows]


async def load_failures(
    execution_id: UUID, node_ids: Collection[str], iteration: str | None = None
) -> list[NodeRecord]:
    """Return the failed and unknown results of some nodes, in one round or in all, the earliest first; no outputs."""
    rows = await database.fetch(
        "SELECT node_id, host_key, device_name, iteration, status, branch, NULL AS outputs, error_class, "
        "error_message, started_at FROM device_results WHERE execution = $1 AND node_id = ANY($2) "
        "AND status IN ('failed', 'unknown') "
        "AND ($3::text IS NULL OR iteration = $3) ORDER BY started_at",
        execution_id,
        list(node_ids),
        iteration,
    )
    return [NodeRecord.of(row) for row in rows]


def iteration_of(outer: str, loop: str, index: int) -> str:
    """Return the name of a round of a loop that lies in the round ``outer`` (or in none)."""
    return f"{outer}{'.' if outer else ''}{loop}:{index}"


def iterations_behind(iteration: str) -> list[str]:
    """Return an iteration and those around it: for ``a:0.b:2`` also ``a:0`` and nothing."""
    parts = iteration.split(".") if iteration else []
    return [".".join(parts[:count]) for count in range(len(parts) + 1)]


async def _insert(execution_id: UUID, results: Sequence[NodeRecord]) -> set[tuple[str, str, str]]:
    if not results:
        return set()
    packed = [outputs.pack(record.outputs) for record in results]
    await outputs.store_blobs(packed)
    described = [_described(record, output) for record, output in zip(results, packed, strict=True)]
    rows = await database.fetch(INSERT, execution_id, msgspec.json.encode(described).decode())
    return {(row["node_id"], row["host_key"], row["iteration"]) for row in rows}


def _described(record: NodeRecord, output: outputs.StoredOutput) -> dict[str, Any]:
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
        "outputs": None if output.inline is None else msgspec.Raw(output.inline.encode()),
        "output_hash": output.hash,
        "error_class": record.error_class,
        "error_message": _storable(record.message),
        "changed": record.changed,
        "diff": _storable(record.diff),
        "started_at": record.started_at,
        "duration_ms": record.duration_ms,
    }


def _identity(record: NodeRecord) -> tuple[str, str, str]:
    return record.node_id, record.host_key, record.iteration


async def _count(execution_id: UUID, results: Sequence[NodeRecord]) -> None:
    counts: dict[tuple[str, str], int] = {}
    for record in results:
        for counter in (COUNTER[record.status], *(["handled"] if record.handled else [])):
            counts[record.node_id, counter] = counts.get((record.node_id, counter), 0) + 1
    for (node_id, counter), count in sorted(counts.items()):
        await database.execute(
            f"UPDATE node_executions SET {counter} = {counter} + $3 WHERE execution = $1 AND node_id = $2",  # noqa: S608 — counter is one of our own column names
            execution_id,
            node_id,
            count,
        )


async def _mark_started(execution_id: UUID, node_ids: Collection[str]) -> None:
    await database.execute(
        "UPDATE node_executions SET started_at = now() "
        "WHERE execution = $1 AND node_id = ANY($2) AND started_at IS NULL",
        execution_id,
        list(node_ids),
    )


def _storable(text: str) -> str:
    """Replace NUL, which PostgreSQL's text cannot hold."""
    return text.replace("\x00", "\ufffd")
