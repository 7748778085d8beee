"""A device stage: one grouped Nornir task, in which every host walks the stage's nodes at its own speed."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, cast
from uuid import UUID

import msgspec
from nornir.core import Nornir
from nornir.core.configuration import Config
from nornir.core.exceptions import NornirSubTaskError
from nornir.core.inventory import Host
from nornir.core.processor import Processors
from nornir.core.state import GlobalState
from nornir.core.task import Result, Task

from app.automation.executions import records, scope
from app.automation.executions.engine import runtime, walking
from app.automation.executions.engine.ground import Ground
from app.automation.executions.engine.logins import login_source
from app.automation.executions.engine.lot import Lot
from app.automation.executions.engine.performance import Performance
from app.automation.executions.engine.runner import WindowRunner
from app.automation.executions.engine.walker import Walker, lost_changes, rounds_of
from app.automation.executions.engine.yielding import Turn
from app.automation.executions.records import ONCE, NodeRecord, Place
from app.automation.executions.walk import Walk
from app.automation.workflows.graph import Stage
from app.core import database
from app.core.database import patiently
from app.devices import service as devices
from app.devices.host_keys import HostKeyBook
from inventory.host_keys import HostKeyPolicy
from inventory.plugin import build_inventory
from inventory.records import HostRecord
from tasks import sessions
from tasks.errors import NodeError
from tasks.parking import Park

GONE = "gone"
"""The status of a host whose device was deleted after the execution had started."""
THREADS = 25
"""Hosts that one worker process works on at once."""


@dataclass(kw_only=True)
class HostWalker(Walker):
    """Walks one host; its nodes are subtasks of the stage's Nornir task."""

    host: HostRecord
    host_view: Mapping[str, Any]
    """The host as expressions see it."""
    is_target: bool = True
    own_nodes: Collection[str] = ()
    """The nodes with targets of their own, of which this host is one."""
    task: Task | None = None

    def names(self, node_id: str) -> dict[str, Any]:
        """Return what the expressions of a node see, the host among it."""
        return {**super().names(node_id), "host": self.host_view}

    def is_foreign(self, node_id: str) -> bool:
        """Say whether a node is not meant for this host: it, or the execution, has other targets."""
        has_own = self.performance.course.node(node_id).options.targets is not None
        return node_id not in self.own_nodes if has_own else not self.is_target

    def perform(self, node_id: str, names: Mapping[str, Any]) -> NodeRecord | Park:
        """Run a node as a Nornir subtask; the recorder, a processor, judges and records it."""
        if self.task is None:
            raise RuntimeError("a host is walked within its stage's task")
        with suppress(NornirSubTaskError):  # judged by the recorder; whether the host goes on is the walk's to say
            self.task.run(task=_node_task, name=node_id, walker=self, place=self.place, names=names)
        return self.performance.recorder.take(node_id, self.place)


def walk_devices(
    performance: Performance,
    stage: Stage,
    ground: Ground,
    host_keys: Sequence[str],
    intents: Sequence[Mapping[str, Any]],
    *,
    turn: Turn,
    lot: Lot,
) -> None:
    """Walk a shard's hosts through a stage; hosts that had come some way go on from there.

    Hosts that have not begun when the turn is over are handed over; what breaks a host's walk off is raised.
    """
    walkers = _walkers(performance, stage, ground, host_keys, intents)
    hosts = [walker.host for walker in walkers.values()]
    logins = login_source(performance.db, performance.masker, performance.actor, hosts)
    nornir = Nornir(
        inventory=build_inventory(hosts, login_source=logins, host_keys=_host_keys(performance, hosts)),
        config=Config(),
        data=GlobalState(dry_run=performance.dry_run),
        processors=Processors([performance.recorder]),
        runner=WindowRunner(
            max(1, min(turn.threads or THREADS, THREADS, len(hosts))),
            key_of=_key_of,
            admits=performance.admits,
            look=partial(_look, performance, turn, lot),
        ),
    )
    nornir.run(task=_stage_task, name=f"stage {stage.index}", stage=stage, walkers=walkers, lot=lot)


def _key_of(host: Host) -> str:
    return str(host.record.key)


def _look(performance: Performance, turn: Turn, lot: Lot, runner: WindowRunner) -> None:
    """Leave hosts behind that do not come back, let go of those that wait, and end the turn when it is time."""
    for call in performance.oversight.look():
        performance.leave_behind(call)
        runner.leave(call.place.key)
    if not performance.stop.is_set():
        lot.flush()
        turn.look(runner)


def _stage_task(task: Task, stage: Stage, walkers: dict[str, HostWalker], lot: Lot) -> Result:
    walker = walkers.pop(task.host.record.key)  # what it knows is let go of as soon as the host is through
    walker.task = task
    try:
        walking.run(walker, stage.nodes)
    finally:
        if walker.host.key not in walker.performance.abandoned:
            sessions.leave(task.host)
    if walker.parked and walker.host.key not in walker.performance.abandoned:
        lot.add(walker)
    return Result(host=task.host)


def _node_task(task: Task, walker: HostWalker, place: Place, names: Mapping[str, Any]) -> Result:
    if walker.host.status == GONE:
        raise NodeError("validation", f"{walker.host.name} was deleted after the execution had started.")
    return walker.performance.perform_on_host(task, task.name, place, names)


def _walkers(
    performance: Performance,
    stage: Stage,
    ground: Ground,
    host_keys: Sequence[str],
    intents: Sequence[Mapping[str, Any]],
) -> dict[str, HostWalker]:
    course, db = performance.course, performance.db
    wanted = scope.referenced_nodes(course, stage.nodes)
    hosts = db.run(patiently(lambda: _find_hosts(performance, host_keys)))
    roles = db.run(patiently(lambda: _find_roles(performance, host_keys))) if course.has_own_targets else {}
    behind = [course.plan.trigger, *course.plan.scopes]
    execution_id, load = performance.claim.execution_id, records.load
    keys, iteration = [*host_keys, ONCE], ground.iteration
    rows = db.run(patiently(lambda: load(execution_id, behind, keys, with_outputs=wanted, iteration=iteration)))
    earlier = _by_host(db.run(patiently(lambda: records.load_set(execution_id, course.setters, keys, iteration))))
    by_host = _by_host(rows)
    walkers = {}
    for host in hosts:
        seen = [*by_host.get(ONCE, []), *by_host.get(host.key, [])]
        before = [*earlier.get(ONCE, []), *earlier.get(host.key, [])]
        walkers[host.key] = HostWalker(
            performance=performance,
            host=host,
            host_view=msgspec.to_builtins(host),
            place=ground.place(host),
            walk=Walk(course, ground.states(seen)),
            views=ground.views(course, [*before, *seen]),
            lost=lost_changes(intents, host.key),
            rounds=rounds_of(by_host.get(host.key, [])),
            round_names=ground.names(),
            **roles.get(host.key, {}),
        )
    return walkers


def _host_keys(performance: Performance, hosts: Sequence[HostRecord]) -> HostKeyBook:
    policy = cast(HostKeyPolicy, runtime.current().settings.host_keys)
    return HostKeyBook(lambda asked: performance.db.run(patiently(asked)), hosts, policy)


def _by_host(rows: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["host_key"], []).append(row)
    return found


async def _find_roles(performance: Performance, host_keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return which hosts are the execution's own targets, and which are those of some nodes."""
    rows = await database.fetch(
        "SELECT host_key, is_target, own_nodes FROM execution_hosts WHERE execution = $1 AND host_key = ANY($2)",
        performance.claim.execution_id,
        list(host_keys),
    )
    return {row["host_key"]: {"is_target": row["is_target"], "own_nodes": row["own_nodes"]} for row in rows}


async def _find_hosts(performance: Performance, host_keys: Sequence[str]) -> list[HostRecord]:
    """Return the shard's hosts; one whose device is gone keeps its name, so that its failure can be told."""
    if performance.mocks is not None:
        return await _invented_hosts(performance.claim.execution_id, host_keys)
    found = await devices.host_records([UUID(key) for key in host_keys])
    missing = set(host_keys).difference(host.key for host in found)
    names = await database.fetch(
        "SELECT host_key, name FROM execution_hosts WHERE execution = $1 AND host_key = ANY($2)",
        performance.claim.execution_id,
        list(missing),
    )
    gone = [HostRecord(key=row["host_key"], name=row["name"], address="", platform="", status=GONE) for row in names]
    return [*found, *gone]


async def _invented_hosts(execution_id: UUID, host_keys: Sequence[str]) -> list[HostRecord]:
    """Return the hosts that a test was given, as they were kept with it."""
    rows = await database.fetch(
        "SELECT record FROM execution_hosts WHERE execution = $1 AND host_key = ANY($2) ORDER BY id",
        execution_id,
        list(host_keys),
    )
    return [msgspec.json.decode(row["record"], type=HostRecord) for row in rows]
