"""What can be done with nodes that wait to be resumed: resume them, all or those of one device, once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from redis import Redis

from app.automation.executions import events, progress, standing, waking
from app.automation.executions.events import Event
from app.automation.executions.resuming.schemas import ResumeRead
from app.core import database
from app.core.access import Principal
from app.core.errors import ConflictError, NotFoundError
from app.system import service as audit
from tasks.parking import AWAITS_RESUME, RESUMED_WITH

MINE = """
    parkings.execution = $1 AND parkings.node_id = $2 AND ($3::text IS NULL OR parkings.host_key = $3)
    AND ($4::text IS NULL OR parkings.iteration = $4) AND parkings.body ? $5
"""
RESUME = f"""
UPDATE parkings SET body = body || jsonb_build_object($6::text, $7::jsonb), due_at = now()
WHERE {MINE} AND NOT body ? $6::text AND NOT EXISTS (
    SELECT 1 FROM device_results AS ended WHERE ended.execution = parkings.execution
        AND ended.node_id = parkings.node_id AND ended.host_key = parkings.host_key
        AND ended.iteration = parkings.iteration)
"""  # noqa: S608 — put together from our own text alone
RESUMED_SO = f"SELECT EXISTS (SELECT 1 FROM parkings WHERE {MINE} AND body -> $6::text = $7::jsonb) AS found"  # noqa: S608 — likewise


@dataclass(frozen=True, kw_only=True)
class Resumption:
    """Which node is resumed: everywhere it waits, or on one device, or in one round of the loops around it."""

    execution_id: UUID
    node_id: str
    device: str | None = None
    iteration: str | None = None


async def resume(asked: Resumption, data: Mapping[str, Any], actor: Principal, redis: Redis) -> ResumeRead:
    """Let what waits in a node go on with some data; told a second time, nothing happens again.

    Raises NotFoundError where there is no such execution, node or device, and ConflictError where nothing waits there,
    or it was resumed with other data.
    """
    async with database.transaction():
        plan = await _lock(asked)
        host_key = await _host_key(asked)
        encoded = msgspec.json.encode(data).decode().replace("\\u0000", "\\ufffd")
        where = (asked.execution_id, asked.node_id, host_key, asked.iteration, AWAITS_RESUME, RESUMED_WITH, encoded)
        resumed = await database.execute(RESUME, *where)
        if not resumed:
            await _require_repetition(asked, where)
            return ResumeRead(node_id=asked.node_id, resumed=0)
        await waking.take_up_due(asked.execution_id, progress.read_plan(plan))
        await standing.update(asked.execution_id)
        told = {"node_id": asked.node_id, "by": actor.username, "resumed": resumed, "device": asked.device}
        await events.append(asked.execution_id, [Event("node.resumed", told)])
        await audit.record(
            "execution.resumed", actor, subject_type="execution", subject_id=asked.execution_id, details=told
        )
    await progress.dispatch(redis)
    events.wake(redis, asked.execution_id)
    return ResumeRead(node_id=asked.node_id, resumed=resumed)


async def _lock(asked: Resumption) -> str:
    """Lock the execution and return its plan."""
    row = await database.fetch_one(
        "SELECT plan, finished_at, stop_reason, EXISTS (SELECT 1 FROM node_executions "
        "WHERE execution = $1 AND node_id = $2) AS has_node FROM executions WHERE id = $1 FOR UPDATE",
        asked.execution_id,
        asked.node_id,
    )
    if row is None:
        raise NotFoundError(f"There is no execution {asked.execution_id}.", code="EXECUTION_NOT_FOUND")
    if not row["has_node"]:
        raise NotFoundError(f"The execution has no node {asked.node_id!r}.", code="NODE_NOT_FOUND")
    if row["finished_at"] is not None or row["stop_reason"]:
        raise ConflictError("The execution has ended, or is being stopped.", code="EXECUTION_ENDED")
    return str(row["plan"])


async def _host_key(asked: Resumption) -> str | None:
    if asked.device is None:
        return None
    row = await database.fetch_one(
        "SELECT host_key FROM execution_hosts WHERE execution = $1 AND (name = $2 OR host_key = $2)",
        asked.execution_id,
        asked.device,
    )
    if row is None:
        raise NotFoundError(f"The execution has no device {asked.device!r}.", code="DEVICE_NOT_FOUND")
    return str(row["host_key"])


async def _require_repetition(asked: Resumption, where: tuple[Any, ...]) -> None:
    row = await database.fetch_one(RESUMED_SO, *where)
    if row is None or not row["found"]:
        place = f"{asked.node_id!r} on {asked.device}" if asked.device else f"{asked.node_id!r}"
        raise ConflictError(
            f"Nothing waits at {place} to be resumed: it has not come there, has gone on, or was resumed otherwise.",
            code="NOTHING_TO_RESUME",
        )
