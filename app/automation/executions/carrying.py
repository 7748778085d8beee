"""Carrying over: recorded results of one execution that another begins with, so that it need not run those nodes."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.core import database

COPY = """
INSERT INTO device_results (
    id, execution, node_id, host_key, device_id, device_name, iteration, attempt, status, handled, branch,
    outputs, output_hash, error_class, error_message, changed, diff, started_at, duration_ms)
SELECT gen_random_uuid(), $2, node_id, host_key, device_id, device_name, iteration, attempt, status, handled, branch,
    outputs, output_hash, error_class, error_message, changed, diff, started_at, duration_ms
FROM device_results
WHERE execution = $1 AND node_id = ANY($3) AND (host_key = '-' OR host_key = ANY($4))
    AND status IN ('success', 'failed', 'skipped')
"""
COUNT = """
UPDATE node_executions SET
    succeeded = counted.succeeded, failed = counted.failed, skipped = counted.skipped, handled = counted.handled,
    started_at = now()
FROM (
    SELECT node_id,
        count(*) FILTER (WHERE status = 'success') AS succeeded,
        count(*) FILTER (WHERE status = 'failed') AS failed,
        count(*) FILTER (WHERE status = 'skipped') AS skipped,
        count(*) FILTER (WHERE handled) AS handled
    FROM device_results WHERE execution = $1 AND node_id = ANY($2) GROUP BY node_id
) AS counted
WHERE node_executions.execution = $1 AND node_executions.node_id = counted.node_id
"""


@dataclass(frozen=True, kw_only=True)
class Carried:
    """Which nodes' results are carried over, and from which execution."""

    source: UUID
    node_ids: Sequence[str]


async def carry_over(carried: Carried, execution_id: UUID, host_keys: Sequence[str]) -> None:
    """Copy results inside the caller's transaction; what was unknown or cancelled is run again."""
    nodes = list(carried.node_ids)
    await database.execute(COPY, carried.source, execution_id, nodes, list(host_keys))
    await database.execute(COUNT, execution_id, nodes)
