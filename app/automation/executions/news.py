"""What executions tell the areas above them and each other, by the events of the house."""

from uuid import UUID

import msgspec

from app.core import database
from app.core.events import publish


async def publish_finished(execution_id: UUID) -> None:
    """Publish that an execution has finished, inside the transaction that settles it."""
    row = await database.fetch_one(
        "SELECT workflow_id, workflow_name, status, trigger_kind, trigger->'depth' AS depth, dry_run, "
        "requested_by_name, devices_total, succeeded, failed, skipped, unknown, cancelled "
        "FROM executions WHERE id = $1",
        execution_id,
    )
    if row is None:
        return
    depth = msgspec.json.decode(row.pop("depth") or "0")
    counts = {name: row.pop(name) for name in ("succeeded", "failed", "skipped", "unknown", "cancelled")}
    execution = {
        "id": execution_id,
        "workflow_id": row["workflow_id"],
        "workflow": row["workflow_name"],
        "status": row["status"],
        "trigger_kind": row["trigger_kind"],
        "dry_run": row["dry_run"],
        "started_by": row["requested_by_name"],
        "counts": {"devices": row["devices_total"], **counts},
    }
    own = row["trigger_kind"] == "event" and isinstance(depth, int)
    await publish("execution.finished", [{"execution": execution}], depth=depth if own else 0)
