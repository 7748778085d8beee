"""A device stage: one grouped Nornir task, in which every host walks the stage's nodes at its own speed."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from nornir.core import Nornir
from nornir.core.configuration import Config
from nornir.core.exceptions import NornirSubTaskError
from nornir.core.processor import Processors
from nornir.core.state import GlobalState
from nornir.core.task import Result, Task
from nornir.plugins.runners import ThreadedRunner

from app.automation.executions import records, scope
from app.automation.executions.engine.logins import login_source
from app.automation.executions.engine.performance import Performance
from app.automation.executions.records import ONCE, NodeRecord
from app.automation.executions.walk import PASSED, NodeState, Walk, states_of
from app.automation.workflows.graph import Stage
from app.core import database
from app.core.database import patiently
from app.devices import service as devices
from inventory.plugin import build_inventory
from inventory.records import HostRecord
from tasks import sessions
from tasks.errors import NodeError

GONE = "gone"
THREADS = 25
"""Hosts that one worker process works on at once."""


@dataclass
class HostJourney:
    """A host in a stage: its walk, and what its expressions see of the nodes behind it."""

    record: HostRecord
    walk: Walk
    views: dict[str, Any] = field(default_factory=dict)
    lost_changes: dict[str, list[str]] = field(default_factory=dict)
    gone: bool = False
    """The device was deleted after the execution had started."""

    def settle(self, record: NodeRecord) -> None:
        """Note how a node ended on this host."""
        self.walk.settle(record.node_id, NodeState(record.status, record.branch))
        self.views[record.node_id] = scope.node_view(record.status, record.outputs, record.error())


def walk_devices(
    performance: Performance, stage: Stage, host_keys: Sequence[str], intents: Sequence[Mapping[str, Any]]
) -> None:
    """Walk a shard's hosts through a stage; hosts that had come some way go on from there."""
    journeys = _journeys(performance, stage, host_keys, intents)
    hosts = [journey.record for journey in journeys.values()]
    nornir = Nornir(
        inventory=build_inventory(
            hosts, login_source=login_source(performance.db, performance.masker, performance.actor)
        ),
        config=Config(),
        data=GlobalState(dry_run=performance.dry_run),
        processors=Processors([performance.recorder]),
        runner=ThreadedRunner(num_workers=max(1, min(THREADS, len(hosts)))),
    )
    nornir.run(task=_stage_task, name=f"stage {stage.index}", performance=performance, stage=stage, journeys=journeys)


def _stage_task(task: Task, performance: Performance, stage: Stage, journeys: Mapping[str, HostJourney]) -> Result:
    journey = journeys[task.host.record.key]
    try:
        for node_id in stage.nodes:
            if performance.stop.is_set():
                break
            if not journey.walk.is_settled(node_id):
                journey.settle(_step(task, performance, journey, node_id))
    finally:
        sessions.close_sessions(task.host)
    return Result(host=task.host)


def _step(task: Task, performance: Performance, journey: HostJourney, node_id: str) -> NodeRecord:
    recorder = performance.recorder
    if node_id in journey.lost_changes:
        return recorder.leave_unknown(node_id, journey.record, journey.lost_changes[node_id])
    if not journey.walk.reaches(node_id):
        return recorder.skip(node_id, journey.record)
    names = scope.host_scope(
        performance.course, journey.walk, node_id, performance.background, journey.record, journey.views
    )
    if performance.passes_over(node_id, names):
        return recorder.skip(node_id, journey.record, PASSED)
    with suppress(NornirSubTaskError):  # the recorder has judged it; whether the host goes on is the walk's to say
        task.run(task=_node_task, name=node_id, performance=performance, journey=journey, node_id=node_id, names=names)
    return recorder.ended.pop((journey.record.key, node_id))


def _node_task(
    task: Task, performance: Performance, journey: HostJourney, node_id: str, names: Mapping[str, Any]
) -> Result:
    if journey.gone:
        raise NodeError("validation", f"{journey.record.name} was deleted after the execution had started.")
    return performance.perform_on_host(task, node_id, names)


def _journeys(
    performance: Performance, stage: Stage, host_keys: Sequence[str], intents: Sequence[Mapping[str, Any]]
) -> dict[str, HostJourney]:
    course, db = performance.course, performance.db
    wanted = scope.referenced_nodes(course, stage.nodes)
    hosts = db.run(patiently(lambda: _find_hosts(performance, host_keys)))
    rows = db.run(
        patiently(
            lambda: records.load(
                performance.claim.execution_id,
                [course.plan.trigger, *course.plan.scopes],
                [*host_keys, ONCE],
                with_outputs=wanted,
            )
        )
    )
    by_host: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_host.setdefault(row["host_key"], []).append(row)
    once = by_host.get(ONCE, [])
    journeys: dict[str, HostJourney] = {}
    for host in hosts.values():
        behind = [*once, *by_host.get(host.key, [])]
        journeys[host.key] = HostJourney(
            record=host,
            walk=Walk(course, dict(states_of(behind))),
            views={row["node_id"]: scope.node_view(row["status"], row["outputs"], row["error"]) for row in behind},
            lost_changes={intent["node_id"]: intent["lines"] for intent in intents if intent["host_key"] == host.key},
            gone=host.status == GONE,
        )
    return journeys


async def _find_hosts(performance: Performance, host_keys: Sequence[str]) -> dict[str, HostRecord]:
    """Return the shard's hosts by key; one whose device is gone keeps its name, so that its failure can be told."""
    found = {host.key: host for host in await devices.host_records([UUID(key) for key in host_keys])}
    missing = [key for key in host_keys if key not in found]
    names = await database.fetch(
        "SELECT host_key, name FROM execution_hosts WHERE execution = $1 AND host_key = ANY($2)",
        performance.claim.execution_id,
        missing,
    )
    gone = {
        row["host_key"]: HostRecord(key=row["host_key"], name=row["name"], address="", platform="", status=GONE)
        for row in names
    }
    return {**found, **gone}
