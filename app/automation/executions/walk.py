"""The pure walk through the graph: which edges a node's end takes, and which nodes that lets run."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from app.automation.executions.statuses import ResultStatus
from app.automation.workflows.definition import Definition, Edge, Node
from app.automation.workflows.expressions import Reference
from app.automation.workflows.graph import Catalogue, Plan, Stage
from app.automation.workflows.loops import own_steps
from app.automation.workflows.parameters import referred
from app.automation.workflows.validation import node_names
from tasks.node import NodeType

PASSED = "passed"
"""The branch of a node that was skipped on purpose: the walk goes on behind it as after a success."""


@dataclass(frozen=True, slots=True)
class NodeState:
    """How a node ended: its status, and the trigger handle it named."""

    status: ResultStatus
    branch: str | None = None


class Steps(NamedTuple):
    """What a walker goes through by itself: bodies of loops left out; in a chain each step leads to the next."""

    nodes: tuple[str, ...]
    is_chain: bool


@dataclass(frozen=True)
class Course:
    """A compiled workflow, as the walkers see it: definition, plan and node types."""

    definition: Definition
    plan: Plan
    catalogue: Catalogue

    def node(self, node_id: str) -> Node:
        """Return a node."""
        return self.definition.nodes[node_id]

    def type_of(self, node_id: str) -> NodeType:
        """Return a node's type."""
        found = self._types.get(node_id)
        if found is None:
            found = self._types[node_id] = self.catalogue[self.definition.nodes[node_id].type_id]
        return found

    @cached_property
    def names(self) -> dict[str, str]:
        """The node that each name means in an expression."""
        return node_names(self.definition)

    def named_in(self, node_id: str) -> dict[str, str]:
        """Return the names of nodes that a node's expressions use, with the node that each means."""
        if node_id not in self._named:
            used = list(referred(self.node(node_id), self.type_of(node_id)))
            wanted = {reference.node or reference.name for reference in used}
            sees_all = Reference("nodes") in used
            self._named[node_id] = {name: meant for name, meant in self.names.items() if sees_all or name in wanted}
        return self._named[node_id]

    def parks_in(self, stage: Stage) -> bool:
        """Say whether any node of a stage may be parked: it waits, or it is a loop with stages of its own."""
        return any(
            self.type_of(node_id).may_park(self.node(node_id).parameters) or self.plan.is_staged(node_id)
            for node_id in stage.nodes
        )

    @cached_property
    def has_own_targets(self) -> bool:
        """Say whether any node has targets of its own."""
        return any(node.options.targets is not None for node in self.definition.nodes.values())

    @cached_property
    def _types(self) -> dict[str, NodeType]:
        return {}

    @cached_property
    def _named(self) -> dict[str, dict[str, str]]:
        return {}

    @cached_property
    def _steps(self) -> dict[tuple[str, ...], Steps]:
        return {}

    def steps(self, nodes: Sequence[str]) -> Steps:
        """Return the steps among some nodes of a stage or of a loop's body."""
        key = tuple(nodes)
        if key not in self._steps:
            steps = tuple(own_steps(key, self.plan.loops))
            leads_on = all(
                any(edge.source == before for edge in self.definition.incoming(node_id))
                for before, node_id in pairwise(steps)
            )
            self._steps[key] = Steps(steps, leads_on)
        return self._steps[key]

    def is_loop(self, node_id: str) -> bool:
        """Say whether a node with rounds is a loop, and not a block that is tried or caught."""
        return "each" in self.type_of(node_id).triggers

    @cached_property
    def setters(self) -> tuple[str, ...]:
        """Return the nodes that set variables."""
        return tuple(node_id for node_id in self.plan.scopes if self.type_of(node_id).sets_variables)

    def goes_first(self, node_id: str) -> bool:
        """Say whether a node runs as soon as one edge to it is taken, and does not wait for the others."""
        return self.type_of(node_id).may_go_first and self.node(node_id).parameters.get("mode") == "first"

    def runs_once(self, node_id: str) -> bool:
        """Say whether a node (or the trigger) runs once for all hosts."""
        return self.plan.scopes.get(node_id, "once") == "once"

    def handles_failure(self, node_id: str) -> bool:
        """Say whether something follows when this node fails, so that the failure does not count."""
        match self.node(node_id).options.on_error:
            case "continue":
                return True
            case "failure_edge":
                outgoing = self.definition.outgoing(node_id)
                return any(edge.source_handle == "failure" and edge.watch != "noting" for edge in outgoing)
            case _:
                return False

    def fires(self, edge: Edge, state: NodeState) -> bool:
        """Say whether a node that ended so takes an edge of its."""
        if edge.watch:
            return state.status in {"failed", "unknown"}
        return self._takes(edge, state)

    def _takes(self, edge: Edge, state: NodeState) -> bool:
        """Say whether an edge that was drawn is taken."""
        node_type = self.type_of(edge.source)
        handle = edge.source_handle or node_type.triggers[0]
        if state.status == "skipped":
            return state.branch == PASSED and handle == node_type.triggers[0]
        goes_on = state.status == "failed" and self.node(edge.source).options.on_error == "continue"
        if state.status == "failed" and not goes_on:
            return edge.source_handle == "failure" and self.handles_failure(edge.source)
        if (state.status != "success" and not goes_on) or edge.source_handle == "failure":
            return False
        if any(output.name == handle for output in node_type.outputs):
            return True
        return handle in _ways(node_type, node_type.triggers[0] if goes_on else state.branch, handle)


def _ways(node_type: NodeType, branch: str | None, handle: str) -> Collection[str]:
    """Return the trigger handles that a node takes: the branch it named, or else all it has, open ones among them."""
    if branch is not None:
        return (branch,)
    is_open = node_type.open_triggers is not None and handle.startswith(node_type.open_triggers)
    return (*node_type.triggers, handle) if is_open else node_type.triggers


@dataclass
class Walk:
    """One walker's knowledge: how the nodes behind it ended, for its host (or once), and once nodes for all.

    A once walker sees every distinct end that a device node had on any host.
    """

    course: Course
    states: dict[str, Collection[NodeState]] = field(default_factory=dict)

    def settle(self, node_id: str, state: NodeState) -> None:
        """Note how a node ended."""
        self.states[node_id] = (state,)

    def is_settled(self, node_id: str) -> bool:
        """Say whether a node has ended already."""
        return node_id in self.states

    def reaches(self, node_id: str) -> bool:
        """Say whether a node runs: some edge to it was taken."""
        return any(self._is_taken(edge, node_id) for edge in self.course.definition.incoming(node_id))

    def taken(self, node_id: str) -> list[Edge]:
        """Return the edges to a node that were taken."""
        return [edge for edge in self.course.definition.incoming(node_id) if self._is_taken(edge, node_id)]

    def _is_taken(self, edge: Edge, target: str) -> bool:
        ends = self.states.get(edge.source, ())
        if not any(self.course.fires(edge, state) for state in ends):
            return False
        crosses_back = self.course.runs_once(edge.source) and not self.course.runs_once(target)
        return not crosses_back or self.has_passed(edge.source)

    def has_passed(self, once_node: str) -> bool:
        """Say whether this host itself came to a once node: only then does it go on behind it."""
        pending, seen = [once_node], {once_node}
        while pending:
            node_id = pending.pop()
            if node_id == self.course.plan.trigger:
                return True
            for edge in self.course.definition.incoming(node_id):
                ends = self.states.get(edge.source, ())
                if not any(self.course.fires(edge, state) for state in ends):
                    continue
                if not self.course.runs_once(edge.source):
                    return True
                if edge.source not in seen:
                    seen.add(edge.source)
                    pending.append(edge.source)
        return False


def states_of(rows: Collection[Mapping[str, object]], here: str = "") -> dict[str, set[NodeState]]:
    """Collect the distinct ends of each node from result rows; of what ran in loops, only those of the rounds here."""
    states: dict[str, set[NodeState]] = {}
    for row in rows:
        if is_visible(str(row["iteration"]), here):
            state = NodeState(row["status"], row["branch"])  # type: ignore[arg-type]
            states.setdefault(str(row["node_id"]), set()).add(state)
    return states


def is_visible(iteration: str, here: str) -> bool:
    """Say whether what ran in one iteration lies behind what runs in another (``a:0`` behind ``a:0.b:2``)."""
    return iteration in {"", here} or here.startswith(f"{iteration}.")
