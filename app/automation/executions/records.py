"""Records: what is told of nodes on hosts, and the results in PostgreSQL read back when a walk resumes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from app.automation.executions import outputs
from app.automation.executions.outputs import NO_OUTPUT, StoredOutput
from app.automation.executions.statuses import ResultStatus
from app.core import database
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
    stored: StoredOutput = NO_OUTPUT
    """The outputs as they are written."""

    @property
    def counts_as_failure(self) -> bool:
        """Say whether it is one of the failures that a workflow's settings limit."""
        return self.status in {"failed", "unknown"} and not self.handled

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
