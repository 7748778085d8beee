"""Walking: nodes in their order, side by side where the graph lets them, round by round in loops."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
from nornir.core.task import Result

from app.automation.executions.engine import branches, rounds, staged
from app.automation.executions.engine.walker import Walker
from app.automation.executions.records import NodeRecord
from app.automation.executions.walk import PASSED
from tasks.errors import NodeError
from tasks.parking import Park


def run(walker: Walker, nodes: Sequence[str]) -> None:
    """Walk nodes from where an earlier attempt came to, until told to stop or until every way on is parked."""
    steps = walker.performance.course.steps(nodes)
    if not steps.is_chain:
        branches.run(walker, steps.nodes, partial(decide, walker))
        return
    for node_id in steps.nodes:
        if not walker.performance.goes_on(walker.place):
            return
        if walker.walk.is_settled(node_id):
            continue
        decided = decide(walker, node_id)
        record = decided if isinstance(decided, NodeRecord) else decided()
        if record is None:
            return
        walker.settle(record)


def decide(walker: Walker, node_id: str) -> NodeRecord | Callable[[], NodeRecord | None]:
    """Return the record of a node that is not run, or what runs it: None then says that it is parked."""
    lines = walker.lost.get((node_id, walker.place.iteration))
    if lines is not None:
        return walker.performance.recorder.leave_unknown(node_id, walker.place, lines)
    if not walker.walk.reaches(node_id):
        return walker.skip(node_id)
    if walker.is_foreign(node_id):
        return walker.skip(node_id, PASSED)
    names = walker.names(node_id)
    if walker.performance.passes_over(node_id, names):
        return walker.skip(node_id, PASSED)
    if walker.performance.course.type_of(node_id).loops:
        return partial(_loop, walker.snapshot(), node_id, names)
    return partial(walker.run_node, node_id, names)


def _loop(walker: Walker, loop_id: str, names: Mapping[str, Any]) -> NodeRecord | None:
    """Run a loop to its end and return its record, or None where a round is parked."""
    recorder = walker.performance.recorder
    recorder.start(loop_id, walker.place)
    try:
        result = _go_round(walker, loop_id, _said(walker, loop_id, names))
    except NodeError as error:
        result = Result(host=None, failed=True, exception=error)
    if result is None:
        return None
    ended = recorder.end(loop_id, walker.place, result)
    if isinstance(ended, Park):
        raise TypeError(f"{loop_id} is a loop, and a loop is not parked itself")
    return ended


def _said(walker: Walker, loop_id: str, names: Mapping[str, Any]) -> Result:
    try:
        return walker.performance.perform_once(loop_id, walker.place, names)
    except Exception as error:  # noqa: BLE001 — the node's door: whatever it raises is its result
        return Result(host=None, failed=True, exception=error)


def _go_round(walker: Walker, loop_id: str, said: Result) -> Result | None:
    if said.failed:
        return said
    try:
        rules = msgspec.convert(said.result, rounds.Rules)
    except msgspec.ValidationError as error:
        message = f"{walker.performance.course.type_of(loop_id).id} did not say which rounds to run: {error}."
        raise NodeError("internal", message) from error
    if walker.performance.course.plan.is_staged(loop_id):
        return staged.go(walker, loop_id, rules)
    return rounds.go(walker, loop_id, rules, run)
