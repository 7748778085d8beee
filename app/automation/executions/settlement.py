"""How an execution ends: hosts from their results, the execution from its hosts."""

from collections.abc import Mapping
from typing import Literal
from uuid import UUID

from app.automation.executions import events, news
from app.automation.executions.events import Event
from app.automation.executions.records import CHILD, ONCE
from app.automation.executions.statuses import execution_status
from app.core import database

SETTLE_HOSTS = """
WITH ends AS (
    SELECT host_key,
        bool_or(status = 'unknown') AS unknown,
        bool_or(status = 'failed' AND NOT handled) AS failed,
        bool_or(status = 'cancelled') AS cancelled,
        bool_or(status = 'success' OR (status = 'failed' AND handled)) AS succeeded,
        (array_agg(error_class ORDER BY started_at)
            FILTER (WHERE status IN ('unknown', 'failed') AND NOT handled))[1] AS error_class
    FROM device_results WHERE execution = $1 AND host_key <> '-' GROUP BY host_key
)
UPDATE execution_hosts SET
    status = CASE WHEN ends.unknown THEN 'unknown' WHEN ends.failed THEN 'failed'
        WHEN ends.cancelled OR ($2 AND execution_hosts.host_key <> ALL($3)) THEN 'cancelled'
        WHEN ends.succeeded THEN 'success' ELSE 'skipped' END,
    error_class = coalesce(ends.error_class, '')
FROM ends WHERE execution_hosts.execution = $1 AND execution_hosts.host_key = ends.host_key
"""

UNKNOWN_INTENTS = """
WITH lost AS (
    INSERT INTO device_results (
        id, execution, node_id, host_key, device_id, device_name, iteration, attempt, status, handled, outputs,
        error_class, error_message, changed, diff, started_at, duration_ms)
    SELECT gen_random_uuid(), intents.execution, intents.node_id, intents.host_key, hosts.device_id,
        coalesce(hosts.name, ''), intents.iteration, 1, 'unknown', false, jsonb_build_object('lines', intents.lines),
        'worker_lost', 'The worker ended after it began to send this; the execution was cancelled: look at the device.',
        false, '', intents.created_at, 0
    FROM intents LEFT JOIN execution_hosts AS hosts
        ON hosts.execution = intents.execution AND hosts.host_key = intents.host_key
    WHERE intents.execution = $1
    ON CONFLICT ON CONSTRAINT device_results_once_uq DO NOTHING
    RETURNING node_id
)
UPDATE node_executions SET unknown = node_executions.unknown + counted.results
FROM (SELECT node_id, count(*)::int AS results FROM lost GROUP BY node_id) AS counted
WHERE node_executions.execution = $1 AND node_executions.node_id = counted.node_id
"""


async def settle(execution_id: UUID) -> None:
    """End an execution inside the caller's transaction, which holds its row."""
    execution = await database.fetch_one(
        "SELECT stop_reason, finished_at, failure_limit, parent FROM executions WHERE id = $1", execution_id
    )
    if execution is None or execution["finished_at"] is not None:
        return
    stopped = execution["stop_reason"]
    await _leave_intents_unknown(execution_id)
    await _settle_hosts(execution_id, stopped=bool(stopped))
    await _settle_nodes(execution_id, "cancelled" if stopped else "skipped")
    hosts = await _host_counts(execution_id)
    once = await database.fetch(
        "SELECT status, node_id, error_class, error_message FROM device_results "
        "WHERE execution = $1 AND host_key = $2 AND NOT handled AND status <> 'success' "
        "ORDER BY iteration <> '', started_at, id",
        execution_id,
        ONCE,
    )
    unfinished = {"cancelled"} if stopped and await _has_pending_stages(execution_id) else set()
    status = execution_status(hosts, {row["status"] for row in once} | unfinished, stop_reason=stopped)
    broken = next((row for row in once if row["status"] in {"failed", "unknown"}), None)
    error = broken or _reason(stopped if status in {"timeout", "failed"} else "", hosts)
    await database.execute(
        """
        UPDATE executions SET status = $2, finished_at = now(), succeeded = $3, failed = $4, skipped = $5, unknown = $6,
            cancelled = $7, started_at = coalesce(started_at, now()),
            error = CASE WHEN $9::text IS NULL THEN NULL
                ELSE jsonb_build_object('node_id', $8::text, 'class', $9::text, 'message', $10::text) END
        WHERE id = $1
        """,
        execution_id,
        status,
        *(hosts.get(name, 0) for name in ("success", "failed", "skipped", "unknown", "cancelled")),
        *((error["node_id"], error["error_class"], error["error_message"]) if error else (None, None, None)),
    )
    if execution["parent"] is not None:
        await _wake_parent(execution["parent"], execution_id)
    await events.append(execution_id, [Event("execution.finished", {"status": status, "counts": hosts})])
    await news.publish_finished(execution_id)


def _reason(stopped: str, hosts: Mapping[str, int]) -> dict[str, str | None] | None:
    bad = hosts.get("failed", 0) + hosts.get("unknown", 0)
    messages = {
        "timeout": "The execution lasted longer than its workflow's timeout_s allows; what was left was cancelled.",
        "max_failed": f"{bad} device{'' if bad == 1 else 's'} failed, more than the workflow's settings allow: "
        "no further one was begun.",
        "broken": "A part of it broke off however often it was tried; the workers' logs say why.",
    }
    if stopped not in messages:
        return None
    error_class = {"timeout": "timeout", "broken": "internal"}.get(stopped, "cancelled")
    return {"node_id": None, "error_class": error_class, "error_message": messages[stopped]}


async def _wake_parent(parent: UUID, execution_id: UUID) -> None:
    """Let the execution go on that waits for this one as a step of its own."""
    await database.execute(
        "UPDATE parkings SET due_at = now() WHERE execution = $1 AND status = 'parked' AND body ->> $3 = $2",
        parent,
        str(execution_id),
        CHILD,
    )


async def _leave_intents_unknown(execution_id: UUID) -> None:
    """Record what was begun and never reported: its worker died, and nobody goes on with a cancelled execution."""
    await database.execute(UNKNOWN_INTENTS, execution_id)


async def _settle_hosts(execution_id: UUID, *, stopped: bool) -> None:
    """Settle each host; in an execution that was stopped, one that has not come to its end is cancelled."""
    complete = await _complete_hosts(execution_id) if stopped else []
    await database.execute(SETTLE_HOSTS, execution_id, stopped, complete)
    await database.execute(
        "UPDATE execution_hosts SET status = $2 WHERE execution = $1 AND status = 'pending'",
        execution_id,
        "cancelled" if stopped else "skipped",
    )


async def _complete_hosts(execution_id: UUID) -> list[str]:
    rows = await database.fetch(
        """
        SELECT host_key FROM device_results WHERE execution = $1 AND host_key <> '-' GROUP BY host_key
        HAVING count(DISTINCT node_id) >= (
            SELECT count(*) FROM node_executions WHERE execution = $1 AND scope = 'device')
        """,
        execution_id,
    )
    return [row["host_key"] for row in rows]


async def _settle_nodes(execution_id: UUID, counter: Literal["cancelled", "skipped"]) -> None:
    """Count what never began, so that a node's counts add up to its hosts."""
    await database.execute(
        f"""
        UPDATE node_executions SET finished_at = coalesce(finished_at, now()),
            {counter} = node_executions.{counter} + greatest(0, expected.hosts - (node_executions.succeeded
                + node_executions.failed + node_executions.skipped + node_executions.unknown
                + node_executions.cancelled))
        FROM (
            SELECT node_id, CASE WHEN scope = 'device' THEN devices_total ELSE 1 END AS hosts
            FROM node_executions JOIN executions ON executions.id = node_executions.execution
            WHERE node_executions.execution = $1
        ) AS expected
        WHERE node_executions.execution = $1 AND node_executions.node_id = expected.node_id
        """,  # noqa: S608 — counter is one of our own column names
        execution_id,
    )


async def _host_counts(execution_id: UUID) -> dict[str, int]:
    rows = await database.fetch(
        "SELECT status, count(*) AS hosts FROM execution_hosts WHERE execution = $1 GROUP BY status", execution_id
    )
    return {row["status"]: row["hosts"] for row in rows}


async def _has_pending_stages(execution_id: UUID) -> bool:
    row = await database.fetch_one(
        "SELECT EXISTS (SELECT 1 FROM stage_runs WHERE execution = $1 AND status <> 'done') AS pending", execution_id
    )
    return bool(row and row["pending"])
