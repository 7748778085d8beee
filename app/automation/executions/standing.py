"""How an execution stands: running, waiting, stopped by somebody or something, over."""

from typing import Literal
from uuid import UUID

from app.automation.executions import events
from app.automation.executions.events import Event
from app.automation.executions.settlement import settle
from app.core import database

StopReason = Literal["cancelled", "timeout", "max_failed", "broken"]
TELLS: dict[StopReason, str] = {
    "cancelled": "execution.cancelling",
    "timeout": "execution.timing_out",
    "max_failed": "execution.stopping",
    "broken": "execution.stopping",
}


async def update(execution_id: UUID) -> None:
    """Settle the execution when nothing is left that runs or will run, else say whether it runs or only waits."""
    row = await database.fetch_one(
        """
        SELECT EXISTS (SELECT 1 FROM shards WHERE execution = $1 AND status IN ('queued', 'running')) AS working,
            EXISTS (SELECT 1 FROM stage_runs WHERE execution = $1 AND status <> 'done') AS pending,
            stop_reason, status, started_at
        FROM executions WHERE id = $1 AND finished_at IS NULL
        """,
        execution_id,
    )
    if row is None:
        return
    if not row["working"] and (row["stop_reason"] or not row["pending"]):
        await settle(execution_id)
        return
    if row["started_at"] is None:
        return
    status = "running" if row["working"] else "waiting"
    if status != row["status"]:
        await database.execute("UPDATE executions SET status = $2 WHERE id = $1", execution_id, status)
        kind = "execution.waiting" if status == "waiting" else "execution.resumed"
        await events.append(execution_id, [Event(kind, {"status": status})])


async def stop(execution_id: UUID, reason: StopReason) -> bool:
    """Let nothing new begin, and drop what no worker has begun; False when it has ended or is being stopped already.

    Cancelled and timed out, what runs stops too; after too many failures the devices under way come to their end.
    """
    async with database.transaction():
        stopped = await database.fetch_one(
            "UPDATE executions SET stop_reason = $2::text, "
            "cancel_requested_at = CASE WHEN $2::text <> 'max_failed' THEN now() END "
            "WHERE id = $1 AND finished_at IS NULL AND cancel_requested_at IS NULL AND stop_reason <> $2 RETURNING id",
            execution_id,
            reason,
        )
        if stopped is None:
            return False
        await events.append(execution_id, [Event(TELLS[reason], {"reason": reason})])
        await database.execute(
            "UPDATE shards SET status = 'cancelled', finished_at = now() WHERE execution = $1 AND status = 'queued'",
            execution_id,
        )
        await database.execute(
            "UPDATE parkings SET status = 'stopped', due_at = NULL WHERE execution = $1 AND status = 'parked'",
            execution_id,
        )
        await database.execute(
            "UPDATE approvals SET status = 'cancelled', decided_at = now() WHERE execution = $1 AND status = 'open'",
            execution_id,
        )
        await update(execution_id)
    for child in await database.fetch(
        "SELECT id FROM executions WHERE parent = $1 AND finished_at IS NULL", execution_id
    ):
        await stop(child["id"], "cancelled")
    return True


async def stop_overdue() -> list[UUID]:
    """Stop the executions whose time is up, and return them."""
    rows = await database.fetch(
        "SELECT id FROM executions WHERE deadline_at <= now() AND finished_at IS NULL AND cancel_requested_at IS NULL"
    )
    return [row["id"] for row in rows if await stop(row["id"], "timeout")]


async def stop_orphans() -> list[UUID]:
    """Stop the steps of executions that were stopped by somebody who then died, and return them."""
    rows = await database.fetch(
        "SELECT step.id FROM executions AS step JOIN executions AS around ON around.id = step.parent "
        "WHERE step.status IN ('queued', 'running', 'waiting') AND step.stop_reason = '' AND around.stop_reason <> ''"
    )
    return [row["id"] for row in rows if await stop(row["id"], "cancelled")]


async def stop_after_failures(execution_id: UUID) -> bool:
    """Stop an execution in which more devices have failed than its settings allow; False where that is not so."""
    row = await database.fetch_one(
        """
        SELECT failure_limit, (
            SELECT count(DISTINCT host_key) FROM device_results
            WHERE execution = $1 AND (status = 'unknown' OR (status = 'failed' AND NOT handled))
                AND (host_key <> '-' OR executions.settings ->> 'error_handling' = 'stop')
        ) AS failed
        FROM executions WHERE id = $1 AND failure_limit IS NOT NULL AND stop_reason = '' AND finished_at IS NULL
        """,
        execution_id,
    )
    return row is not None and row["failed"] > row["failure_limit"] and await stop(execution_id, "max_failed")


async def drop_shard(execution_id: UUID, shard_id: UUID) -> None:
    """Give up what is left of a shard of a stopped execution, and settle the execution if that was the last."""
    async with database.transaction():
        await database.execute("SELECT 1 FROM executions WHERE id = $1 FOR UPDATE", execution_id)
        await database.execute(
            "UPDATE shards SET status = 'cancelled', finished_at = now(), lease_until = NULL "
            "WHERE id = $1 AND status IN ('queued', 'running')",
            shard_id,
        )
        await update(execution_id)
