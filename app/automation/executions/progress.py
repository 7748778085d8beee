"""How an execution moves on: stages begin, shards end, and the last of them settles it; each exactly once."""

import time
from collections.abc import Sequence
from uuid import UUID

import msgspec
from redis import Redis
from redis.exceptions import RedisError

from app.automation.executions import events, standing, timing, waking
from app.automation.executions.changes import Claim
from app.automation.executions.events import Event
from app.automation.executions.records import ONCE
from app.automation.executions.sharding import Limits, cut, insert_shards
from app.automation.workflows.graph import Plan, Stage
from app.core import database, queue
from app.core.clock import uuid7
from app.core.database import DatabaseThread
from app.core.logging import get_logger

log = get_logger(__name__)


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """A round of a loop whose body has stages of its own."""

    loop: str
    index: int
    item: object = None
    is_loop: bool = True
    forgiven: bool = False


async def open_stages(
    execution_id: UUID, stages: Sequence[Stage], iteration: str = "", rounds: Sequence[Round] = ()
) -> None:
    """Write down stages that are to be run, once or in a round of a loop, and begin those that wait for no other."""
    described = msgspec.json.encode(rounds).decode()
    await database.execute_many(
        "INSERT INTO stage_runs (id, execution, stage, iteration, rounds, status, predecessors_left, devices_left, "
        "wave, wave_left) VALUES ($1, $2, $3, $4, $5, 'pending', $6, 0, 0, 0)",
        [(uuid7(), execution_id, stage.index, iteration, described, len(stage.predecessors)) for stage in stages],
    )
    await start_stages(execution_id, [stage for stage in stages if not stage.predecessors], iteration)


async def start_stages(execution_id: UUID, stages: Sequence[Stage], iteration: str = "") -> None:
    """Begin stages inside the caller's transaction: their first (or only) wave of hosts."""
    limits = await Limits.of(execution_id)
    for stage in stages:
        host_keys = [ONCE] if stage.scope == "once" else await _host_keys(execution_id)
        wave = limits.wave(stage.index, 0, host_keys)
        stage_run = await database.fetch_one(
            "UPDATE stage_runs SET status = 'running', devices_left = $4, wave = 0, wave_left = $5, started_at = now() "
            "WHERE execution = $1 AND stage = $2 AND iteration = $3 RETURNING id",
            execution_id,
            stage.index,
            iteration,
            len(host_keys),
            len(wave),
        )
        if stage_run is None:
            raise RuntimeError(f"stage {stage.index} of execution {execution_id} was never opened")
        await insert_shards(execution_id, stage_run["id"], stage, cut(wave, limits, stage.index))
        await _tell_wave(execution_id, stage, 0, wave, host_keys)


async def claim_shard(shard_id: UUID, owner: str) -> Claim | None:
    """Claim a shard that nobody works on; None when another delivery has it, it is done, or nothing more may begin."""
    asked_at = time.monotonic()
    async with database.transaction():
        await database.execute(
            "SELECT 1 FROM executions WHERE id = (SELECT execution FROM shards WHERE id = $1) FOR UPDATE", shard_id
        )
        row = await database.fetch_one(
            """
            UPDATE shards SET status = 'running', attempt = attempt + 1, owner = $2,
                lease_until = now() + make_interval(secs => $3)
            WHERE id = $1 AND (status = 'queued' OR (status = 'running' AND lease_until < now()))
                AND NOT EXISTS (SELECT 1 FROM executions WHERE executions.id = shards.execution
                    AND executions.stop_reason <> '')
            RETURNING attempt, execution
            """,
            shard_id,
            owner,
            timing.current().lease_s,
        )
        if row is None:
            return None
        begun = await database.fetch_one(
            "UPDATE executions SET status = 'running', started_at = now(), "
            "deadline_at = now() + make_interval(secs => (settings ->> 'timeout_s')::float) "
            "WHERE id = $1 AND status = 'queued' RETURNING id",
            row["execution"],
        )
        if begun is not None:
            await events.append(row["execution"], [Event("execution.started", {"status": "running"})])
    return Claim(shard_id=shard_id, attempt=row["attempt"], execution_id=row["execution"], claimed_at=asked_at)


async def finish_shard(claim: Claim, plan: Plan) -> bool:
    """End a shard whose results are committed, and move the execution on; False when the shard was taken over."""
    async with database.transaction():
        await database.execute("SELECT 1 FROM executions WHERE id = $1 FOR UPDATE", claim.execution_id)
        done = await database.fetch_one(
            "UPDATE shards SET status = 'done', finished_at = now(), lease_until = NULL "
            "WHERE id = $1 AND attempt = $2 AND status = 'running' "
            "RETURNING stage_run, cardinality(host_keys) AS hosts",
            claim.shard_id,
            claim.attempt,
        )
        if done is None:
            return False
        if done["hosts"]:  # a shard that everybody has left for a parking ends nothing
            await _leave_stage(claim.execution_id, plan, done["stage_run"], done["hosts"])
        await standing.update(claim.execution_id)
    return True


async def release_shard(claim: Claim) -> None:
    """Give a shard back whose work broke off, so that the next attempt need not wait until the lease runs out."""
    await database.execute(
        "UPDATE shards SET lease_until = now() WHERE id = $1 AND attempt = $2 AND status = 'running'",
        claim.shard_id,
        claim.attempt,
    )


async def _leave_stage(execution_id: UUID, plan: Plan, stage_run_id: UUID, hosts: int) -> None:
    """Take hosts that have come through off a stage: the last of a wave lets the next begin, the last one ends it."""
    row = await database.fetch_one(
        "UPDATE stage_runs SET devices_left = devices_left - $2, wave_left = wave_left - $2 WHERE id = $1 "
        "RETURNING id, stage, iteration, devices_left, wave, wave_left, "
        "(SELECT stop_reason FROM executions WHERE id = $3) AS stop_reason",
        stage_run_id,
        hosts,
        execution_id,
    )
    if row is None or row["wave_left"] > 0:
        return
    stage = plan.stages[row["stage"]]
    if row["devices_left"] == 0:
        await _end_stage(execution_id, plan, stage, row["iteration"], stopped=bool(row["stop_reason"]))
    elif not row["stop_reason"]:
        await _start_wave(execution_id, stage, row["id"], row["wave"] + 1)


async def _start_wave(execution_id: UUID, stage: Stage, stage_run_id: UUID, number: int) -> None:
    limits = await Limits.of(execution_id)
    host_keys = await _host_keys(execution_id)
    wave = limits.wave(stage.index, number, host_keys)
    await database.execute(
        "UPDATE stage_runs SET wave = $2, wave_left = $3 WHERE id = $1", stage_run_id, number, len(wave)
    )
    await insert_shards(execution_id, stage_run_id, stage, cut(wave, limits, stage.index))
    await _tell_wave(execution_id, stage, number, wave, host_keys)


async def _tell_wave(
    execution_id: UUID, stage: Stage, number: int, wave: Sequence[str], host_keys: Sequence[str]
) -> None:
    if len(wave) < len(host_keys):
        told = {"stage": stage.index, "wave": number, "devices": len(wave), "of": len(host_keys)}
        await events.append(execution_id, [Event("execution.wave_started", told)])


async def _end_stage(execution_id: UUID, plan: Plan, stage: Stage, iteration: str, *, stopped: bool) -> None:
    await database.execute(
        "UPDATE stage_runs SET status = 'done', finished_at = now() "
        "WHERE execution = $1 AND stage = $2 AND iteration = $3",
        execution_id,
        stage.index,
        iteration,
    )
    if not iteration:
        ended = await database.fetch(
            "UPDATE node_executions SET finished_at = now() WHERE execution = $1 AND node_id = ANY($2) "
            "RETURNING node_id, succeeded, failed, skipped, unknown, cancelled",
            execution_id,
            list(stage.nodes),
        )
        await events.append(execution_id, [Event("node.ended", row) for row in ended])
    released = await database.fetch(
        "UPDATE stage_runs SET predecessors_left = predecessors_left - 1 "
        "WHERE execution = $1 AND stage = ANY($2) AND iteration = $3 RETURNING stage, predecessors_left",
        execution_id,
        list(stage.successors),
        iteration,
    )
    if stopped:
        return
    ready = [row["stage"] for row in released if row["predecessors_left"] == 0]
    await start_stages(execution_id, [plan.stages[index] for index in sorted(ready)], iteration)
    if iteration and not ready:
        await _end_round(execution_id, plan, stage.loop, iteration)


async def _end_round(execution_id: UUID, plan: Plan, loop: str, iteration: str) -> None:
    """Let the loop go on that waits for the end of a round, once all the round's stages are done."""
    over = await database.execute(
        "UPDATE parkings SET due_at = now() WHERE execution = $1 AND node_id = $2 AND iteration = $3 "
        "AND status = 'parked' AND NOT EXISTS (SELECT 1 FROM stage_runs WHERE stage_runs.execution = $1 "
        "AND stage_runs.stage = ANY($5) AND stage_runs.iteration = $4 AND stage_runs.status <> 'done')",
        execution_id,
        loop,
        outer_of(iteration),
        iteration,
        [stage.index for stage in plan.stages_of(loop)],
    )
    if over:
        await waking.take_up_due(execution_id, plan)


def outer_of(iteration: str) -> str:
    """Return the iteration around one: ``a:0.b:2`` lies in ``a:0``."""
    return iteration.rpartition(".")[0]


async def _host_keys(execution_id: UUID) -> list[str]:
    rows = await database.fetch("SELECT host_key FROM execution_hosts WHERE execution = $1 ORDER BY id", execution_id)
    return [row["host_key"] for row in rows]


def read_plan(text: str) -> Plan:
    """Read a stored plan."""
    return msgspec.json.decode(text, type=Plan)


def dispatch_quietly(db: DatabaseThread, redis: Redis) -> None:
    """Send the outbox now; when Redis is away the reconciler sends it later."""
    try:
        db.run(queue.dispatch(redis))
    except (RedisError, *database.CONNECTION_ERRORS) as error:
        log.warning("queue jobs wait in the outbox", error=str(error))


async def dispatch(redis: Redis) -> None:
    """Send the outbox now, from a request; when Redis is away the reconciler sends it later."""
    try:
        await queue.dispatch(redis)
    except RedisError as error:
        log.warning("queue jobs wait in the outbox", error=str(error))
