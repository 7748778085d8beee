"""Rounds: a loop's body for every item, a block again until it succeeds, a block whose failure is caught."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nornir.core.task import Result

from app.automation.executions import scope
from app.automation.executions.engine.ground import entered
from app.automation.executions.engine.walker import Walker
from app.automation.executions.records import NodeRecord, iteration_of
from app.automation.executions.walk import Walk
from tasks.errors import NodeError

Run = Callable[[Walker, Sequence[str]], None]
"""What walks nodes; handed in, since it is also what comes here."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a loop's function said: the rounds, and what a failure in one of them means."""

    rounds: Sequence[Any]
    continue_on_error: bool = False
    until_success: bool = False
    delays_s: Sequence[float] = ()
    catches: bool = False


def go(walker: Walker, loop_id: str, rules: Rules, run: Run) -> Result | None:
    """Run the rounds, those of an earlier attempt not again; None when a round is parked."""
    body = walker.performance.course.plan.loops[loop_id]
    told: list[dict[str, Any]] = []
    if not rules.rounds:
        return go_nowhere(walker, loop_id)
    for index, item in enumerate(rules.rounds):
        inside = _inside(walker, loop_id, index, item, rules)
        run(inside, body)
        if not walker.performance.goes_on(walker.place):
            cancelled = walker.performance.stop.is_set()
            raise NodeError("cancelled" if cancelled else "timeout", f"Stopped in round {index}.")
        if inside.parked:
            walker.parked.extend(inside.parked)
            return None
        told.append({"index": index, "item": item, **_account(inside, body)})
        end = end_of(walker, loop_id, index, inside.failures, rules, told)
        if end is not None:
            return end
    return Result(host=None, result={"results": told}, branch="done")


def go_nowhere(walker: Walker, loop_id: str) -> Result:
    """End a loop that has nothing to go through."""
    for inner in walker.performance.course.plan.loops[loop_id]:
        walker.performance.recorder.skip(inner, walker.place)
    return Result(host=None, result={"results": []}, branch="done")


def end_of(
    walker: Walker,
    loop_id: str,
    index: int,
    failures: Sequence[NodeRecord],
    rules: Rules,
    told: Sequence[Mapping[str, Any]],
) -> Result | None:
    """Return how the block ends after a round, or None where the next one follows; raises when the failure counts."""
    results = {"results": list(told)}
    if not failures:
        return Result(host=None, result=results, branch="done") if rules.until_success else None
    first = failures[0]
    if rules.catches and _is_caught(walker, loop_id):
        error = {**(first.error() or {"class": "unknown", "message": ""}), "node_id": first.node_id}
        return Result(host=None, result={**results, "error": error}, branch="caught")
    is_last = index == len(rules.rounds) - 1
    if rules.until_success and not is_last and all(record.status != "unknown" for record in failures):
        if not _has_begun(walker, iteration_of(walker.place.iteration, loop_id, index + 1)):
            walker.performance.stop.wait(rules.delays_s[index])
        return None
    if rules.continue_on_error:
        return None
    raise _round_failed(index, first)


def _inside(walker: Walker, loop_id: str, index: int, item: Any, rules: Rules) -> Walker:
    """Return a walker for one round: it knows all that lies behind, and nothing of the rounds before."""
    course = walker.performance.course
    body = set(course.plan.loops[loop_id])
    is_loop = course.is_loop(loop_id)
    iteration = iteration_of(walker.place.iteration, loop_id, index)
    states = {node_id: ends for node_id, ends in walker.walk.states.items() if node_id not in body}
    seen = {"item": item, "index": index} if is_loop else {"index": index}
    inner = replace(
        walker,
        place=replace(
            walker.place,
            iteration=iteration,
            forgiven=walker.place.forgiven or is_forgiven(walker, loop_id, index, rules),
        ),
        walk=Walk(walker.walk.course, {**states, loop_id: (entered(is_loop=is_loop),)}),
        views={**walker.views, loop_id: scope.node_view("success", seen, None)},
        round_names=seen if is_loop else walker.round_names,
        failures=[],
        parked=[],
    )
    for record in walker.rounds.get(iteration, {}).values():
        inner.settle(record)
    return inner


def is_forgiven(walker: Walker, loop_id: str, index: int, rules: Rules) -> bool:
    """Say whether a failure in a round is the block's own affair."""
    another_try = rules.until_success and index < len(rules.rounds) - 1
    caught = rules.catches and _is_caught(walker, loop_id)
    return rules.continue_on_error or another_try or caught or walker.performance.course.handles_failure(loop_id)


def _is_caught(walker: Walker, loop_id: str) -> bool:
    outgoing = walker.performance.course.definition.outgoing(loop_id)
    return any(edge.source_handle == "caught" for edge in outgoing)


def _account(inside: Walker, body: Sequence[str]) -> dict[str, Any]:
    """Say how a round ended, with the outputs of the nodes that nothing in the body follows."""
    last = [node_id for node_id in scope.last_of(inside.walk.course, body) if _ran(inside, node_id)]
    outputs = {node_id: inside.views[node_id]["outputs"] for node_id in last}
    error = inside.failures[0].error() if inside.failures else None
    return {"status": "failed" if inside.failures else "success", "outputs": outputs, "error": error}


def _ran(walker: Walker, node_id: str) -> bool:
    return any(state.status == "success" for state in walker.walk.states.get(node_id, ()))


def _has_begun(walker: Walker, iteration: str) -> bool:
    """Say whether an earlier attempt had come to a round already."""
    return iteration in walker.rounds or walker.performance.has_parked_in(walker.place.key, iteration)


def _round_failed(index: int, record: NodeRecord) -> NodeError:
    error_class = record.error_class or "unknown"
    return NodeError(error_class, f"Round {index} failed at {record.node_id}: {record.message}")  # type: ignore[arg-type]
