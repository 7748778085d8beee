"""Waking: the parked hosts of an execution that are due go into new shards of the stage they wait in."""

from uuid import UUID

from app.automation.executions.sharding import LARGEST_SHARD, Cut, insert_shards
from app.automation.workflows.graph import Plan
from app.core import database

TAKE_DUE = """
WITH due AS (
    SELECT DISTINCT stage_run, host_key FROM parkings
    WHERE execution = $1 AND status = 'parked' AND due_at <= now()
), taken AS (
    UPDATE parkings SET status = 'woken' FROM due
    WHERE parkings.execution = $1 AND parkings.status = 'parked'
        AND parkings.stage_run = due.stage_run AND parkings.host_key = due.host_key
    RETURNING parkings.stage_run, parkings.host_key
)
SELECT taken.stage_run, stage_runs.stage, array_agg(DISTINCT taken.host_key) AS host_keys
FROM taken JOIN stage_runs ON stage_runs.id = taken.stage_run GROUP BY 1, 2
"""
"""All that a due host waits for in a stage is taken: it goes on in one shard, and what is not due parks again."""


async def take_up_due(execution_id: UUID, plan: Plan) -> bool:
    """Put what is due into shards, inside the caller's transaction, which holds the execution's row."""
    woken = await database.fetch(TAKE_DUE, execution_id)
    for group in woken:
        keys = sorted(group["host_keys"])
        cuts = [Cut(keys[start : start + LARGEST_SHARD]) for start in range(0, len(keys), LARGEST_SHARD)]
        await insert_shards(execution_id, group["stage_run"], plan.stages[group["stage"]], cuts)
    return bool(woken)
