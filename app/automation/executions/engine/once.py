"""A once stage: its nodes run for the whole execution, after every device that could reach them has passed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from app.automation.executions import records, scope
from app.automation.executions.engine import walking
from app.automation.executions.engine.foresight import Foresight
from app.automation.executions.engine.ground import Ground
from app.automation.executions.engine.performance import Performance
from app.automation.executions.engine.walker import Walker, lost_changes, rounds_of
from app.automation.executions.records import ONCE
from app.automation.executions.walk import Course, Walk
from app.automation.workflows.graph import Stage
from app.core.database import patiently


def walk_once(performance: Performance, stage: Stage, ground: Ground, intents: Sequence[Mapping[str, Any]]) -> Walker:
    """Walk a stage of once nodes, from where an earlier attempt came to."""
    foresight = Foresight(performance, ground)
    performance = replace(performance, reached=foresight.reached, preview=foresight.preview)
    course = performance.course
    behind = [course.plan.trigger, *course.plan.scopes]
    wanted, watched = scope.referenced_nodes(course, stage.nodes), scope.watched_nodes(course, stage.nodes)
    execution_id, load = performance.claim.execution_id, records.load
    load_all = partial(
        load,
        execution_id,
        behind,
        None,
        with_outputs=wanted,
        iteration=ground.iteration,
        without_loops=_unseen(course, wanted, ground),
    )
    rows = performance.db.run(patiently(load_all))
    own = [row for row in rows if row["host_key"] == ONCE]
    load_set = partial(records.load_set, execution_id, course.setters, [ONCE], ground.iteration)
    earlier = performance.db.run(patiently(load_set))
    walker = Walker(
        performance=performance,
        place=ground.place(),
        walk=Walk(course, ground.states(rows)),
        views={
            **ground.views(course, [*earlier, *own]),
            **_fleet_views(performance, rows, wanted | watched),
        },
        lost=lost_changes(intents, ONCE),
        rounds=rounds_of(own),
        round_names=ground.names(),
    )
    walking.run(walker, stage.nodes)
    return walker


def _unseen(course: Course, wanted: set[str], ground: Ground) -> list[str]:
    """Return the loops with stages of their own whose rounds nothing here asks for; they may be many."""
    if ground.iteration:
        return []
    staged = {stage.loop for stage in course.plan.stages if stage.loop}
    return sorted(loop for loop in staged if wanted.isdisjoint(course.plan.loops[loop]))


def _fleet_views(
    performance: Performance, rows: Sequence[Mapping[str, Any]], wanted: set[str]
) -> dict[str, dict[str, Any]]:
    """Return what once nodes see of the device nodes they name: every host's result."""
    fleet: dict[str, list[dict[str, Any]]] = {
        node_id: [] for node_id in wanted if not performance.course.runs_once(node_id)
    }
    for row in rows:
        if row["host_key"] != ONCE and row["node_id"] in fleet:
            fleet[row["node_id"]].append(
                {
                    "host": row["device_name"],
                    "status": row["status"],
                    "outputs": row["outputs"] or {},
                    "error": row["error"],
                    "iteration": row["iteration"],
                }
            )
    return {node_id: scope.fleet_view(results) for node_id, results in fleet.items()}
