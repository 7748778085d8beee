"""How long executions are kept: by age and by number, with everything that hangs on them, and blobs nobody needs."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.core import database
from app.core.logging import get_logger

BATCH = 100
GRACE_MIN = 60
"""A blob is left alone for so long after it was stored: the results that refer to it may not be committed yet.

Whoever stores the same outputs again renews it, see `outputs.store_blobs`.
"""
DUE = """
    SELECT id, workflow_name, created_at FROM (
        SELECT id, workflow_name, created_at, finished_at, row_number() OVER (
            PARTITION BY coalesce(workflow_id::text, workflow_name) ORDER BY created_at DESC, id DESC) AS place
        FROM executions WHERE finished_at IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM executions AS around WHERE around.id = executions.parent AND around.finished_at IS NULL)
    ) AS ended
    WHERE ($1::int > 0 AND finished_at < now() - make_interval(days => $1::int)) OR ($2::int > 0 AND place > $2::int)
"""
ORPHANED = """
    FROM output_blobs WHERE created_at < now() - make_interval(mins => $1)
        AND NOT EXISTS (SELECT 1 FROM device_results WHERE output_hash = output_blobs.hash)
"""
WORKFLOWS_DUE = f"""
    SELECT workflow_name AS workflow, count(*) AS executions, min(created_at) AS oldest, max(created_at) AS newest
    FROM ({DUE}) AS due GROUP BY workflow_name ORDER BY workflow_name
"""  # noqa: S608 — our own words
RECORDS_DUE = f"""
    WITH due AS MATERIALIZED ({DUE})
    SELECT (SELECT count(*) FROM due) AS executions,
        (SELECT count(*) FROM device_results JOIN due ON due.id = execution) AS results,
        (SELECT count(*) FROM execution_events JOIN due ON due.id = execution) AS events,
        count(*) AS blobs, coalesce(sum(octet_length(body)), 0) AS blob_bytes
    FROM output_blobs WHERE created_at < now() - make_interval(mins => $3) AND NOT EXISTS (
        SELECT 1 FROM device_results WHERE output_hash = output_blobs.hash
            AND NOT EXISTS (SELECT 1 FROM due WHERE due.id = execution))
"""  # noqa: S608 — our own words

log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Retention:
    """What is kept: executions that ended within ``days``, and the last ``count`` of each workflow; 0 is no limit."""

    days: int = 0
    count: int = 0


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What a run of retention has deleted."""

    executions: int
    blobs: int


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a run of retention would delete: of each workflow, and of all."""

    workflows: list[dict[str, Any]]
    executions: int
    results: int
    events: int
    blobs: int
    blob_bytes: int


async def keep(retention: Retention) -> None:
    """Delete what is due, and log what that was."""
    done = await sweep(retention)
    if done.executions or done.blobs:
        log.info("records deleted", executions=done.executions, blobs=done.blobs)


async def sweep(retention: Retention) -> Sweep:
    """Delete what is due, each execution in a transaction of its own; any number of processes may do it at once."""
    executions = 0
    while due := await database.fetch(f"{DUE} ORDER BY created_at LIMIT {BATCH}", retention.days, retention.count):
        erased = [row["id"] for row in due if await erase(row["id"])]
        executions += len(erased)
        if not erased:
            break
    return Sweep(executions=executions, blobs=await collect_blobs())


async def erase(execution_id: UUID) -> bool:
    """Delete an ended execution with everything that hangs on it.

    False when it runs, or the execution that it is a step of, or when somebody else deletes it.
    """
    async with database.transaction():
        held = await database.fetch_one(
            "SELECT 1 FROM executions WHERE id = $1 AND finished_at IS NOT NULL AND NOT EXISTS (SELECT 1 "
            "FROM executions AS around WHERE around.id = executions.parent AND around.finished_at IS NULL) "
            "FOR UPDATE SKIP LOCKED",
            execution_id,
        )
        if held is None:
            return False
        await database.execute("DELETE FROM change_locks WHERE execution = $1", execution_id)
        await database.execute("DELETE FROM executions WHERE id = $1", execution_id)
    return True


async def collect_blobs() -> int:
    """Delete the outputs that no result refers to, and return how many those were.

    The statement that deletes asks again: where a worker has just renewed a blob, it waits for that worker's commit,
    and then finds the blob too young.
    """
    deleted = 0
    while found := await database.fetch(f"SELECT hash {ORPHANED} ORDER BY hash LIMIT {BATCH}", GRACE_MIN):
        hashes = [row["hash"] for row in found]
        gone = await database.execute(f"DELETE {ORPHANED} AND hash = ANY($2)", GRACE_MIN, hashes)
        deleted += gone
        if not gone:
            break
    return deleted


async def forecast(retention: Retention) -> Forecast:
    """Say what a run would delete now."""
    workflows = await database.fetch(WORKFLOWS_DUE, retention.days, retention.count)
    counts = await database.fetch_one(RECORDS_DUE, retention.days, retention.count, GRACE_MIN)
    assert counts is not None, "an aggregate has a row"  # noqa: S101 — an invariant, not input
    return Forecast(workflows=workflows, **{name: int(value) for name, value in counts.items()})
