"""One shard from claim to end: what it needs is loaded, its hosts are walked, its results committed."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import msgspec

from app.automation.executions import events, handing, parking, progress, standing
from app.automation.executions.batches import Row
from app.automation.executions.changes import Claim, open_intents
from app.automation.executions.engine import runtime
from app.automation.executions.engine.changing import Changing
from app.automation.executions.engine.devices import walk_devices
from app.automation.executions.engine.ground import Ground
from app.automation.executions.engine.holds import Holds
from app.automation.executions.engine.lease import Lease
from app.automation.executions.engine.lot import Lot
from app.automation.executions.engine.once import walk_once
from app.automation.executions.engine.performance import Performance
from app.automation.executions.engine.stopping import Heartbeat, LeaseLost, Stop
from app.automation.executions.engine.yielding import Turn, others_wait
from app.automation.executions.masks import Masker
from app.automation.executions.mocks import read_mocks
from app.automation.executions.recorder import Recorder
from app.automation.executions.records import NodeRecord
from app.automation.executions.scope import Background
from app.automation.executions.standing import stop_after_failures
from app.automation.executions.walk import Course
from app.automation.executions.writer import Writer
from app.automation.workflows.graph import Plan, Stage
from app.automation.workflows.validation import as_it_runs
from app.core import database
from app.core.access import Principal
from app.core.database import CONNECTION_ERRORS, DatabaseThread, patiently
from app.core.errors import UnavailableError
from app.core.logging import get_logger
from tasks.artifacts import Limits
from tasks.parking import Parked

MAX_ATTEMPTS = 3
"""After so many workers died over a shard, what is left of it fails instead of being tried again."""
LAST_ATTEMPT = 2 * MAX_ATTEMPTS
"""After so many attempts not even that was possible, and the execution is stopped."""

log = get_logger(__name__)


@dataclass(frozen=True)
class ShardWork:
    """What a claimed shard is: the execution's row, its course, the stage and its ground, and the hosts."""

    claim: Claim
    execution: dict[str, Any]
    course: Course
    stage: Stage
    ground: Ground
    host_keys: Sequence[str]
    threads: int
    siblings: int

    @property
    def counts_failures(self) -> bool:
        """Say whether the execution stops after some number of failures."""
        return self.execution["failure_limit"] is not None

    def slots(self) -> dict[str, int]:
        """Return how many hosts of this shard may be in each node at once, where the node says so."""
        limits = {node_id: self.course.node(node_id).options.concurrency for node_id in self.stage.nodes}
        return {node_id: max(1, limit // self.siblings) for node_id, limit in limits.items() if limit}


def run_shard(shard_id: UUID, owner: str, db: DatabaseThread) -> None:
    """Claim a shard and bring it to its end; a shard that somebody else has is left alone."""
    claim = db.run(patiently(lambda: progress.claim_shard(shard_id, owner)))
    if claim is None:
        log.info("shard not claimed: done, cancelled, or in other hands", shard=str(shard_id))
        return
    redis = runtime.current().redis()
    announce = partial(events.wake, redis, claim.execution_id)
    announce()
    if claim.attempt > LAST_ATTEMPT:
        _give_up(claim, db)
    else:
        _bring_to_end(claim, db, announce)
    announce()
    progress.dispatch_quietly(db, redis)


def _bring_to_end(claim: Claim, db: DatabaseThread, announce: Callable[[], None]) -> None:
    try:
        work = db.run(patiently(lambda: _load(claim)))
        if work.host_keys:
            _walk(work, db, announce)
        db.run(patiently(lambda: progress.finish_shard(claim, work.course.plan)))
    except LeaseLost:
        log.warning("shard taken over by another worker", shard=str(claim.shard_id), attempt=claim.attempt)
    except Exception:
        with suppress(*CONNECTION_ERRORS, UnavailableError):  # then the lease runs out by itself
            db.run(progress.release_shard(claim))
        raise


def _give_up(claim: Claim, db: DatabaseThread) -> None:
    log.error("shard breaks off again and again, its execution is stopped", shard=str(claim.shard_id))
    db.run(patiently(lambda: standing.stop(claim.execution_id, "broken")))
    db.run(patiently(lambda: standing.drop_shard(claim.execution_id, claim.shard_id)))


def _walk(work: ShardWork, db: DatabaseThread, announce: Callable[[], None]) -> None:
    stop = Stop()
    writer = Writer(work.claim, db, partial(_committed, work, db, stop, announce))
    performance = _performance(work, db, stop, writer)
    if work.course.parks_in(work.stage):
        _recall_parked(performance, work.host_keys)
    lot = Lot(work.claim, work.course.plan, db, stop, performance.masker, writer.flush)
    heartbeat = Heartbeat(work.claim, db, stop, performance.changing.lease, performance.oversight.cut_changes)
    try:
        with writer, heartbeat:
            _walk_stage(work, performance, lot)
            lot.flush()
    finally:
        if performance.left_behind:
            runtime.current().spend()
    if stop.reason == "taken_over":
        raise LeaseLost


def _performance(work: ShardWork, db: DatabaseThread, stop: Stop, writer: Writer) -> Performance:
    masker, settings, holds = Masker(), runtime.current().settings, Holds(work.slots())
    recorder = Recorder(work.course, writer, masker)
    recorder.cancelled = stop.is_cancelled
    recorder.taken_over = stop.is_taken_over
    lease = Lease(work.claim.claimed_at)
    return Performance(
        claim=work.claim,
        course=work.course,
        background=background_of(work.execution),
        actor=Principal(user_id=work.execution["requested_by"], username=work.execution["requested_by_name"]),
        recorder=recorder,
        masker=masker,
        db=db,
        stop=stop,
        changing=Changing(writer=writer, recorder=recorder, stop=stop, lease=lease, holds=holds),
        dry_run=work.execution["dry_run"],
        given_up=work.claim.attempt > MAX_ATTEMPTS,
        counts_failures=work.counts_failures,
        holds=holds,
        outbound_allow=settings.outbound_allow,
        mocks=read_mocks(work.execution["mocks"]) if work.execution["test"] else None,
        artifact_limits=Limits(file_bytes=settings.artifact_file_bytes, total_bytes=settings.artifact_execution_bytes),
    )


def _walk_stage(work: ShardWork, performance: Performance, lot: Lot) -> None:
    db = performance.db
    intents = db.run(patiently(lambda: open_intents(work.claim.execution_id, work.host_keys)))
    if work.stage.scope == "once":
        lot.add(walk_once(performance, work.stage, work.ground, intents))
        return
    turn = _turn(work, db, performance.stop)
    walk_devices(performance, work.stage, work.ground, work.host_keys, intents, turn=turn, lot=lot)


def _committed(
    work: ShardWork, db: DatabaseThread, stop: Stop, announce: Callable[[], None], rows: Sequence[Row]
) -> None:
    """Tell of what was committed, and where failures are counted, look whether they are too many."""
    if rows:
        announce()
    failed = any(isinstance(row, NodeRecord) and row.counts_as_failure for row in rows)
    if failed and work.counts_failures and db.run(patiently(lambda: stop_after_failures(work.claim.execution_id))):
        stop.is_closed = True


def _turn(work: ShardWork, db: DatabaseThread, stop: Stop) -> Turn:
    """Return the shard's time with this worker; the hosts it hands over are sent on their way at once."""

    def hand_over(host_keys: Sequence[str], threads: int) -> None:
        if not db.run(patiently(lambda: handing.hand_over(work.claim, work.stage, host_keys, threads))):
            stop.set("taken_over")
        progress.dispatch_quietly(db, runtime.current().redis())
        log.info("hosts left to another shard", shard=str(work.claim.shard_id), hosts=len(host_keys))

    return Turn(
        hand_over=hand_over,
        others_wait=partial(others_wait, db, work.claim.execution_id),
        is_draining=runtime.current().is_draining,
        threads=work.threads,
        slots=bool(work.slots()),
    )


def _recall_parked(performance: Performance, host_keys: Sequence[str]) -> None:
    """Recall what is known of nodes that were parked on the shard's hosts."""
    execution_id = performance.claim.execution_id
    for row in performance.db.run(patiently(lambda: parking.load(execution_id, host_keys))):
        key = (row["node_id"], row["host_key"], row["iteration"])
        performance.parked[key] = Parked(since=row["since"], body=row["body"])
        performance.recorder.waiting_since[key] = row["since"]


def background_of(execution: dict[str, Any]) -> Background:
    """Return what expressions see of the execution itself."""
    return Background(
        execution={
            "id": str(execution["id"]),
            "started_by": execution["requested_by_name"],
            "dry_run": execution["dry_run"],
            "created_at": execution["created_at"].isoformat(),
        },
        workflow={
            "id": str(execution["workflow_id"]) if execution["workflow_id"] else None,
            "name": execution["workflow_name"],
            "version": execution["workflow_version"],
        },
        trigger=msgspec.json.decode(execution["trigger"]),
        variables=msgspec.json.decode(execution["variables"]),
    )


async def _load(claim: Claim) -> ShardWork:
    execution = await database.fetch_one("SELECT * FROM executions WHERE id = $1", claim.execution_id)
    shard = await database.fetch_one(
        "SELECT shards.stage, host_keys, threads, siblings, iteration, rounds FROM shards "
        "JOIN stage_runs ON stage_runs.id = shards.stage_run WHERE shards.id = $1",
        claim.shard_id,
    )
    if execution is None or shard is None:
        raise LeaseLost
    definition = as_it_runs(msgspec.json.decode(execution["definition"]), runtime.current().catalogue)
    plan: Plan = progress.read_plan(execution["plan"])
    course = Course(definition, plan, runtime.current().catalogue)
    return ShardWork(
        claim=claim,
        execution=execution,
        course=course,
        stage=plan.stages[shard["stage"]],
        ground=Ground(
            iteration=shard["iteration"], rounds=msgspec.json.decode(shard["rounds"], type=list[progress.Round])
        ),
        host_keys=shard["host_keys"],
        threads=shard["threads"],
        siblings=shard["siblings"],
    )
