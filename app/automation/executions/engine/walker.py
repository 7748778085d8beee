"""A walker: what one host's walk (or the one of what runs once) knows, and what it does at a node."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

from nornir.core.task import Result

from app.automation.executions import scope
from app.automation.executions.engine.performance import Performance
from app.automation.executions.records import NodeRecord, Place
from app.automation.executions.walk import NodeState, Walk
from tasks.parking import Park

Lost = Mapping[tuple[str, str], Sequence[str]]
"""The lines of changes that an earlier attempt began and never reported, by node and iteration."""


class ParkedNode(NamedTuple):
    """A node that cannot end yet, and when it wants to be run again."""

    node_id: str
    iteration: str
    park: Park


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
    set_in_rounds: dict[str, Any] = field(default_factory=dict)
    """The nodes that set variables in rounds of this walk, as they ended last; all its rounds share it."""
    failures: list[NodeRecord] = field(default_factory=list)
    parked: list[ParkedNode] = field(default_factory=list)
    """What this walk waits for: it goes on where these go on."""

    def settle(self, record: NodeRecord) -> None:
        """Note how a node ended."""
        self.walk.settle(record.node_id, NodeState(record.status, record.branch))
        view = self.views[record.node_id] = scope.node_view(record.status, record.outputs, record.error())
        if record.status == "success" and record.node_id in self.performance.course.setters:
            self.set_in_rounds[record.node_id] = view
        if record.status == "unknown" or (
            record.status == "failed" and not self.performance.course.handles_failure(record.node_id)
        ):
            self.failures.append(record)

    def names(self, node_id: str) -> dict[str, Any]:
        """Return what the expressions of a node see; a loop that is gone on with sees nothing of its own rounds."""
        performance = self.performance
        own = performance.course.plan.loops.get(node_id, ())
        behind = {**self.views, **self.set_in_rounds}
        views = {name: view for name, view in behind.items() if name not in own} if own else behind
        seen = scope.scope_of(performance.course, self.walk, node_id, performance.background, views)
        return {**seen, **self.round_names}

    def perform(self, node_id: str, names: Mapping[str, Any]) -> NodeRecord | Park:
        """Run a node and return its record."""
        recorder = self.performance.recorder
        recorder.start(node_id, self.place)
        try:
            result = self.performance.perform_once(node_id, self.place, names)
        except Exception as error:  # noqa: BLE001 — the node's door: whatever it raises is its result
            result = Result(host=None, failed=True, exception=error)
        return recorder.end(node_id, self.place, result)

    def is_foreign(self, node_id: str) -> bool:  # noqa: ARG002 — what runs once has no targets
        """Say whether a node has targets of its own, and this host is none of them."""
        return False

    def snapshot(self) -> Self:
        """Return a walker that knows what this one knows now, for a branch that runs beside it."""
        return replace(self, walk=Walk(self.walk.course, dict(self.walk.states)), views=dict(self.views))

    def run_node(self, node_id: str, names: Mapping[str, Any]) -> NodeRecord | None:
        """Run a node and return its record, or None where it is parked."""
        ended = self.perform(node_id, names)
        if isinstance(ended, NodeRecord):
            return ended
        self.park(node_id, ended)
        return None

    def park(self, node_id: str, park: Park) -> None:
        """Note that a node waits."""
        self.parked.append(ParkedNode(node_id, self.place.iteration, park))

    def skip(self, node_id: str, branch: str | None = None) -> NodeRecord:
        """Record that a node, and what lies in it where it is a loop, is not run."""
        for inner in self.performance.course.plan.loops.get(node_id, ()):
            self.performance.recorder.skip(inner, self.place)
        return self.performance.recorder.skip(node_id, self.place, branch)


def lost_changes(intents: Sequence[Mapping[str, Any]], host_key: str) -> dict[tuple[str, str], Sequence[str]]:
    """Return the open intents of a host, by node and iteration."""
    return {
        (intent["node_id"], intent["iteration"]): intent["lines"]
        for intent in intents
        if intent["host_key"] == host_key
    }


def rounds_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, NodeRecord]]:
    """Return what was recorded in the rounds of loops, by iteration and node."""
    recorded: dict[str, dict[str, NodeRecord]] = {}
    for row in rows:
        if row["iteration"]:
            recorded.setdefault(row["iteration"], {})[row["node_id"]] = NodeRecord.of(row)
    return recorded
