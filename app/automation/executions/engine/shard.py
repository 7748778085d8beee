"""One shard from claim to end: what it needs is loaded, its hosts are walked, its results committed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import msgspec

from app.automation.executions import events, progress
from app.automation.executions.changes import Claim, open_intents
from app.automation.executions.engine import runtime
from app.automation.executions.engine.devices import walk_devices
from app.automation.executions.engine.once import walk_once
from app.automation.executions.engine.performance import Performance
from app.automation.executions.engine.stopping import Heartbeat, LeaseLost, Stop
from app.automation.executions.masks import Masker
from app.automation.executions.mocks import read_mocks
from app.automation.executions.recorder import Recorder
from app.automation.executions.scope import Background
from app.automation.executions.walk import Course
from app.automation.workflows.definition import read_definition
from app.automation.workflows.graph import Plan, Stage
from app.core import database
from app.core.access import Principal
from app.core.database import DatabaseThread, patiently
from app.core.logging import get_logger

MAX_ATTEMPTS = 3
"""After so many workers died over a shard, what is left of it fails instead of being tried again."""

log = get_logger(__name__)


@dataclass(frozen=True)
class ShardWork:
    """What a claimed shard is: the execution's row, its course, the stage, and the hosts."""

    claim: Claim
    execution: dict[str, Any]
    course: Course
    stage: Stage
    host_keys: Sequence[str]


def run_shard(shard_id: UUID, owner: str, db: DatabaseThread) -> None:
    """Claim a shard and bring it to its end; a shard that somebody else has is left alone."""
    claim = db.run(patiently(lambda: progress.claim_shard(shard_id, owner)))
    if claim is None:
        log.info("shard not claimed: done, cancelled, or in other hands", shard=str(shard_id))
        return
    work = db.run(patiently(lambda: _load(claim)))
    redis = runtime.current().redis()
    announce = partial(events.wake, redis, claim.execution_id)
    announce()
    try:
        _walk(work, db, announce)
    except LeaseLost:
        log.warning("shard taken over by another worker", shard=str(shard_id), attempt=claim.attempt)
        return
    db.run(patiently(lambda: progress.finish_shard(claim, work.course.plan)))
    announce()
    progress.dispatch_quietly(db, redis)


def _walk(work: ShardWork, db: DatabaseThread, announce: Any) -> None:
    stop, masker = Stop(), Masker()
    recorder = Recorder(work.claim.execution_id, work.course, db, masker, on_commit=announce)
    recorder.cancelled = stop.is_cancelled
    performance = Performance(
        claim=work.claim,
        course=work.course,
        background=background_of(work.execution),
        actor=Principal(user_id=work.execution["requested_by"], username=work.execution["requested_by_name"]),
        recorder=recorder,
        masker=masker,
        db=db,
        stop=stop,
        dry_run=work.execution["dry_run"],
        given_up=work.claim.attempt > MAX_ATTEMPTS,
        outbound_allow=runtime.current().settings.outbound_allow,
        mocks=read_mocks(work.execution["mocks"]) if work.execution["test"] else None,
    )
    with recorder, Heartbeat(work.claim, db, stop):
        intents = db.run(patiently(lambda: open_intents(work.claim.execution_id, work.host_keys)))
        if work.stage.scope == "once":
            walk_once(performance, work.stage, intents)
        else:
            walk_devices(performance, work.stage, work.host_keys, intents)
    if stop.reason == "taken_over":
        raise LeaseLost


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
    shard = await database.fetch_one("SELECT stage, host_keys FROM shards WHERE id = $1", claim.shard_id)
    if execution is None or shard is None:
        raise LeaseLost
    definition, _ = read_definition(msgspec.json.decode(execution["definition"]))
    plan: Plan = progress.read_plan(execution["plan"])
    course = Course(definition, plan, runtime.current().catalogue)
    return ShardWork(claim, execution, course, plan.stages[shard["stage"]], shard["host_keys"])
