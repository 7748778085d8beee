"""Executions and results put into PostgreSQL as an engine would have left them, without running anything."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from app.automation.executions import outputs
from app.core import database
from app.core.clock import now, uuid7

NOBODY = UUID(int=7)


async def add_execution(workflow: str = "audit", *, status: str = "success", age_days: float = 0, **more: Any) -> UUID:
    """Insert an execution that was created (and has ended, unless it runs) so many days ago."""
    execution_id = uuid7()
    at = now() - timedelta(days=age_days)
    ended = None if status in {"queued", "running"} else at
    values = {
        "id": execution_id,
        "workflow_id": None,
        "workflow_name": workflow,
        "workflow_version": 1,
        "definition": "{}",
        "plan": "{}",
        "targets": "{}",
        "variables": "{}",
        "trigger": "{}",
        "dry_run": False,
        "shard_size": 13,
        "status": status,
        "devices_total": 0,
        **dict.fromkeys(("succeeded", "failed", "skipped", "unknown", "cancelled", "event_seq"), 0),
        "requested_by": NOBODY,
        "requested_by_name": "nobody",
        "request_id": "",
        "created_at": at,
        "finished_at": ended,
        **more,
    }
    await _insert("executions", values)
    return execution_id


async def add_host(execution_id: UUID, name: str, *, status: str = "success") -> None:
    """Insert a host of an execution; its key is its name."""
    values = {"execution": execution_id, "host_key": name, "name": name, "status": status, "error_class": ""}
    await _insert("execution_hosts", {"id": uuid7(), **values})


async def add_node(execution_id: UUID, node_id: str) -> None:
    """Insert a device node of an execution, behind a trigger."""
    counts = dict.fromkeys(("succeeded", "failed", "skipped", "unknown", "cancelled", "handled"), 0)
    for position, (one, node_type) in enumerate((("start", "trigger:manual"), (node_id, "lab:read"))):
        named = {"execution": execution_id, "node_id": one, "node_type": node_type, "position": position}
        await _insert("node_executions", {"id": uuid7(), **named, "scope": "device", **counts})


async def add_result(
    execution_id: UUID, node_id: str = "a", host: str = "r1", *, found: Mapping[str, Any] | None = None, **more: Any
) -> UUID:
    """Insert a result with its outputs, large ones as a blob; the host ``-`` is none."""
    result_id = uuid7()
    packed = outputs.pack(found)
    async with database.transaction():
        await outputs.store_blobs([packed])
        values = {
            "id": result_id,
            "execution": execution_id,
            "node_id": node_id,
            "host_key": host,
            "device_name": "" if host == "-" else host,
            "iteration": "",
            "attempt": 1,
            "status": "success",
            "handled": False,
            "outputs": packed.inline,
            "output_hash": packed.hash,
            "error_class": "",
            "error_message": "",
            "changed": False,
            "diff": "",
            "started_at": now(),
            "duration_ms": 5,
            **more,
        }
        await _insert("device_results", values)
    return result_id


async def count(table: str, execution_id: UUID | None = None) -> int:
    """Return how many rows a table has, of one execution or in all."""
    where = "" if execution_id is None else f" WHERE execution = '{execution_id}'"
    (row,) = await database.fetch(f"SELECT count(*) AS rows FROM {table}{where}")
    return int(row["rows"])


async def age_blobs(by: timedelta) -> None:
    """Have every blob be older."""
    await database.execute("UPDATE output_blobs SET created_at = created_at - $1::interval", by)


async def _insert(table: str, values: Mapping[str, Any]) -> None:
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    given = [msgspec.json.encode(value).decode() if isinstance(value, dict) else value for value in values.values()]
    await database.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", *given)
