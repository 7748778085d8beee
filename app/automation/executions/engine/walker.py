"""A walker: goes through nodes for one host, or once, in order; and through a loop's body round by round."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from nornir.core.task import Result

from app.automation.executions import scope
from app.automation.executions.engine.performance import Performance
from app.automation.executions.records import NodeRecord, Place
from app.automation.executions.walk import PASSED, NodeState, Walk
from app.automation.workflows.loops import own_steps
from tasks.errors import NodeError

Lost = Mapping[tuple[str, str], Sequence[str]]
"""The lines of changes that an earlier attempt began and never reported, by node and iteration."""


@dataclass(kw_only=True)
class Walker:
    """Where a walk stands: how nodes ended, what expressions see of them, and in which round of which loop it is."""

    performance: Performance
    place: Place
    walk: Walk
    views: dict[str, Any]
    lost: Lost = field(default_factory=dict)
    rounds: Mapping[str, Mapping[str, NodeRecord]] = field(default_factory=dict)
    """What an earlier attempt recorded in loops: by iteration, by node."""
    round_names: Mapping[str, Any] = field(default_factory=dict)
    failures: list[NodeRecord] = field(default_factory=list)

    def run(self, nodes: Sequence[str]) -> None:
        """Walk nodes in their order, from where an earlier attempt came to, until told to stop."""
        for node_id in own_steps(nodes, self.performance.course.plan.loops):
            if self.performance.stop.is_set():
                return
            if not self.walk.is_settled(node_id):
                self.settle(self._step(node_id))

    def settle(self, record: NodeRecord) -> None:
        """Note how a node ended."""
        self.walk.settle(record.node_id, NodeState(record.status, record.branch))
        self.views[record.node_id] = scope.node_view(record.status, record.outputs, record.error())
        if record.status == "unknown" or (
            record.status == "failed" and not self.performance.course.handles_failure(record.node_id)
        ):
            self.failures.append(record)

    def names(self, node_id: str) -> dict[str, Any]:
        """Return what the expressions of a node see."""
        performance = self.performance
        seen = scope.scope_of(performance.course, self.walk, node_id, performance.background, self.views)
        return {**seen, **self.round_names}

    def perform(self, node_id: str, names: Mapping[str, Any]) -> NodeRecord:
        """Run a node and return its record."""
        recorder = self.performance.recorder
        recorder.start(node_id, self.place)
        try:
            result = self.performance.perform_once(node_id, self.place, names)
        except Exception as error:  # noqa: BLE001 — the node's door: whatever it raises is its result
            result = Result(host=None, failed=True, exception=error)
        return recorder.end(node_id, self.place, result)

    def _step(self, node_id: str) -> NodeRecord:
        recorder = self.performance.recorder
        lines = self.lost.get((node_id, self.place.iteration))
        if lines is not None:
            return recorder.leave_unknown(node_id, self.place, lines)
        if not self.walk.reaches(node_id):
            return self._skip(node_id)
        names = self.names(node_id)
        if self.performance.passes_over(node_id, names):
            return self._skip(node_id, PASSED)
        if self.performance.course.type_of(node_id).loops:
            return self._loop(node_id, names)
        return self.perform(node_id, names)

    def _skip(self, node_id: str, branch: str | None = None) -> NodeRecord:
        for inner in self.performance.course.plan.loops.get(node_id, ()):
            self.performance.recorder.skip(inner, self.place)
        return self.performance.recorder.skip(node_id, self.place, branch)

    def _loop(self, loop_id: str, names: Mapping[str, Any]) -> NodeRecord:
        recorder = self.performance.recorder
        recorder.start(loop_id, self.place)
        try:
            result = self.performance.perform_once(loop_id, self.place, names)
            if not result.failed:
                plan = result.result
                result = self._go_round(loop_id, plan["rounds"], forgiving=plan["continue_on_error"])
        except NodeError as error:
            result = Result(host=None, failed=True, exception=error)
        return recorder.end(loop_id, self.place, result)

    def _go_round(self, loop_id: str, items: Sequence[Any], *, forgiving: bool) -> Result:
        body = self.performance.course.plan.loops[loop_id]
        forgiving_outside = forgiving or self.performance.course.handles_failure(loop_id)
        told: list[dict[str, Any]] = []
        if not items:
            for inner in body:
                self.performance.recorder.skip(inner, self.place)
        for index, item in enumerate(items):
            inside = self._inside(loop_id, index, item, forgiven=forgiving_outside)
            inside.run(body)
            if self.performance.stop.is_set():
                raise NodeError("cancelled", f"Stopped in round {index}.")
            told.append({"index": index, "item": item, **inside.account(body)})
            if inside.failures and not forgiving:
                raise _round_failed(index, inside.failures[0])
        return Result(host=None, result={"results": told}, branch="done")

    def _inside(self, loop_id: str, index: int, item: Any, *, forgiven: bool) -> Self:
        """Return a walker for one round: it knows all that lies behind, and nothing of the rounds before."""
        body = set(self.performance.course.plan.loops[loop_id])
        iteration = f"{self.place.iteration}{'.' if self.place.iteration else ''}{loop_id}:{index}"
        states = {node_id: ends for node_id, ends in self.walk.states.items() if node_id not in body}
        inner = replace(
            self,
            place=replace(self.place, iteration=iteration, forgiven=self.place.forgiven or forgiven),
            walk=Walk(self.walk.course, {**states, loop_id: (NodeState("success", "each"),)}),
            views={**self.views, loop_id: scope.node_view("success", {"item": item, "index": index}, None)},
            round_names={"item": item, "index": index},
            failures=[],
        )
        for record in self.rounds.get(iteration, {}).values():
            inner.settle(record)
        return inner

    def account(self, body: Sequence[str]) -> dict[str, Any]:
        """Say how a round ended, with the outputs of the nodes that nothing in the body follows."""
        followed = {edge.source for node_id in body for edge in self.walk.course.definition.incoming(node_id)}
        last = [node_id for node_id in body if node_id not in followed and self._ran(node_id)]
        outputs = {node_id: self.views[node_id]["outputs"] for node_id in last}
        error = self.failures[0].error() if self.failures else None
        return {"status": "failed" if self.failures else "success", "outputs": outputs, "error": error}

    def _ran(self, node_id: str) -> bool:
        return any(state.status == "success" for state in self.walk.states.get(node_id, ()))


def _round_failed(index: int, record: NodeRecord) -> NodeError:
    error_class = record.error_class or "unknown"
    return NodeError(error_class, f"Round {index} failed at {record.node_id}: {record.message}")  # type: ignore[arg-type]


def lost_changes(intents: Sequence[Mapping[str, Any]], host_key: str) -> dict[tuple[str, str], Sequence[str]]:
    """Return the open intents of a host, by node and iteration."""
    return {
        (intent["node_id"], intent["iteration"]): intent["lines"]
        for intent in intents
        if intent["host_key"] == host_key
    }


def rounds_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, NodeRecord]]:
    """Return what was recorded in the rounds of loops, by iteration and node."""
    rounds: dict[str, dict[str, NodeRecord]] = {}
    for row in rows:
        if row["iteration"]:
            rounds.setdefault(row["iteration"], {})[row["node_id"]] = NodeRecord(
                node_id=row["node_id"],
                host_key=row["host_key"],
                host_name=row["device_name"],
                iteration=row["iteration"],
                status=row["status"],
                branch=row["branch"],
                outputs=row["outputs"],
                error_class=row["error_class"],
                message=row["error_message"],
                started_at=row["started_at"],
            )
    return rounds
