"""Waking: the parked hosts of an execution that are due go into new shards of the stage they wait in."""

from uuid import UUID

from app.automation.executions.sharding import Limits, cut, insert_shards
from app.automation.workflows.graph import Plan
from app.core import database

TAKE_DUE = """
WITH due AS (
    SELECT DISTINCT stage_run, host_key FROM parkings
    WHERE execution = $1 AND status = 'parked' AND due_at <= now() AND stage_run <> ALL($2)
), taken AS (
    UPDATE parkings SET status = 'woken', due_at = NULL FROM due
    WHERE parkings.execution = $1 AND parkings.status = 'parked'
        AND parkings.stage_run = due.stage_run AND parkings.host_key = due.host_key
    RETURNING parkings.stage_run, parkings.host_key
)
SELECT taken.stage_run, stage_runs.stage, array_agg(DISTINCT taken.host_key) AS host_keys
FROM taken JOIN stage_runs ON stage_runs.id = taken.stage_run GROUP BY 1, 2
"""
"""All that a due host waits for in a stage is taken: it goes on in one shard, and what is not due parks again."""


BUSY = """
SELECT stage_run, stage, sum(least(threads, cardinality(host_keys)))::int AS hosts FROM shards
WHERE execution = $1 AND status IN ('queued', 'running') GROUP BY 1, 2
"""


async def take_up_due(execution_id: UUID, plan: Plan) -> bool:
    """Put what is due into shards, inside the caller's transaction, which holds the execution's row.

    Where only so many hosts may be worked on at once, and as many are, the others stay parked until there is room.
    """
    limits = await Limits.of(execution_id)
    busy = await _busy(execution_id, limits)
    full = [run for run, (stage, hosts) in busy.items() if hosts >= (limits.at_once(stage) or 0)]
    woken = await database.fetch(TAKE_DUE, execution_id, full)
    for group in woken:
        stage = plan.stages[group["stage"]]
        _, hosts = busy.get(group["stage_run"], (stage.index, 0))
        cuts = cut(sorted(group["host_keys"]), limits, stage.index, busy=hosts)
        await insert_shards(execution_id, group["stage_run"], stage, cuts)
    return bool(woken)


async def _busy(execution_id: UUID, limits: Limits) -> dict[UUID, tuple[int, int]]:
    """Return, by run of a stage that has a limit, the stage and how many of its hosts are worked on."""
    if limits.settings.concurrency is None and not limits.by_stage:
        return {}
    rows = await database.fetch(BUSY, execution_id)
    return {row["stage_run"]: (row["stage"], row["hosts"]) for row in rows if limits.at_once(row["stage"])}
