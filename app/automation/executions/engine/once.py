"""A once stage: its nodes run for the whole execution, after every device that could reach them has passed."""

from collections.abc import Mapping, Sequence
from typing import Any

from nornir.core.task import Result

from app.automation.executions import records, scope
from app.automation.executions.engine.performance import Performance
from app.automation.executions.records import ONCE, NodeRecord
from app.automation.executions.walk import PASSED, NodeState, Walk, states_of
from app.automation.workflows.graph import Stage
from app.core.database import patiently


def walk_once(performance: Performance, stage: Stage, intents: Sequence[Mapping[str, Any]]) -> None:
    """Walk a stage of once nodes, from where an earlier attempt came to."""
    walk, views = _behind(performance, stage)
    lost = {intent["node_id"]: intent["lines"] for intent in intents}
    for node_id in stage.nodes:
        if performance.stop.is_set():
            return
        if walk.is_settled(node_id):
            continue
        record = _step(performance, walk, views, node_id, lost)
        walk.settle(node_id, NodeState(record.status, record.branch))
        views[node_id] = scope.node_view(record.status, record.outputs, record.error())


def _step(
    performance: Performance, walk: Walk, views: Mapping[str, Any], node_id: str, lost: Mapping[str, Any]
) -> NodeRecord:
    recorder = performance.recorder
    if node_id in lost:
        return recorder.leave_unknown(node_id, None, lost[node_id])
    if not walk.reaches(node_id):
        return recorder.skip(node_id, None)
    names = scope.once_scope(performance.course, walk, node_id, performance.background, views)
    if performance.passes_over(node_id, names):
        return recorder.skip(node_id, None, PASSED)
    recorder.start(node_id, None)
    try:
        result = performance.perform_once(node_id, names)
    except Exception as error:  # noqa: BLE001 — the node's door: whatever it raises is its result
        result = Result(host=None, failed=True, exception=error)
    return recorder.end(node_id, None, result)


def _behind(performance: Performance, stage: Stage) -> tuple[Walk, dict[str, Any]]:
    """Return how the nodes behind a stage ended, on any host, and what expressions see of them."""
    course = performance.course
    nodes = [course.plan.trigger, *course.plan.scopes]
    wanted = scope.referenced_nodes(course, stage.nodes)
    load = records.load
    rows = performance.db.run(patiently(lambda: load(performance.claim.execution_id, nodes, None, with_outputs=wanted)))
    views: dict[str, Any] = {}
    fleet: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["host_key"] == ONCE:
            views[row["node_id"]] = scope.node_view(row["status"], row["outputs"], row["error"])
        elif row["node_id"] in wanted:
            fleet.setdefault(row["node_id"], []).append(_fleet_result(row))
    for node_id in wanted:
        if not course.runs_once(node_id):
            views[node_id] = scope.fleet_view(fleet.get(node_id, []))
    return Walk(course, dict(states_of(rows))), views


def _fleet_result(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "host": row["device_name"],
        "status": row["status"],
        "outputs": row["outputs"] or {},
        "error": row["error"],
    }
