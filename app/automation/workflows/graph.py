"""The pure graph: order, scopes, ranks and stages of a definition, compiled to the plan an execution follows."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from app.automation.workflows.definition import Definition, Edge, Node
from app.automation.workflows.loops import loop_bodies
from tasks.node import NodeType

RunScope = Literal["device", "once"]
Catalogue = Mapping[str, NodeType]


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """Connected nodes of one rank: one grouped Nornir task (or one walk of once nodes)."""

    index: int
    scope: RunScope
    rank: int
    nodes: tuple[str, ...]
    predecessors: tuple[int, ...] = ()
    successors: tuple[int, ...] = ()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What an execution follows: the trigger that fired, the stages, and the nodes it can never reach."""

    trigger: str
    stages: tuple[Stage, ...]
    scopes: dict[str, RunScope]
    loops: dict[str, tuple[str, ...]] = {}
    unreachable: tuple[str, ...] = ()

    @property
    def has_device_stages(self) -> bool:
        """Say whether any node runs on devices."""
        return any(stage.scope == "device" for stage in self.stages)


def topological_order(definition: Definition) -> tuple[list[str], list[str]]:
    """Return the nodes in an order that no edge goes against, and those that lie on or behind a cycle."""
    waiting = dict.fromkeys(definition.nodes, 0)
    followers: dict[str, list[str]] = defaultdict(list)
    for edge in _sound_edges(definition):
        waiting[edge.target] += 1
        followers[edge.source].append(edge.target)
    ready = [node_id for node_id, count in waiting.items() if count == 0]
    order: list[str] = []
    while ready:
        node_id = ready.pop(0)
        order.append(node_id)
        for follower in followers[node_id]:
            waiting[follower] -= 1
            if waiting[follower] == 0:
                ready.append(follower)
    placed = set(order)
    return order, [node_id for node_id in definition.nodes if node_id not in placed]


def resolve_scopes(definition: Definition, order: Iterable[str], catalogue: Catalogue) -> dict[str, RunScope]:
    """Say of each node whether it runs per device or once; a follow node does what feeds it, unless told."""
    scopes: dict[str, RunScope] = {}
    for node_id in order:
        node = definition.nodes[node_id]
        declared = catalogue[node.type_id].scope
        if declared != "follow":
            scopes[node_id] = declared
        elif node.options.scope is not None:
            scopes[node_id] = node.options.scope
        else:
            feeds = {scopes[edge.source] for edge in definition.incoming(node_id) if edge.source in scopes}
            scopes[node_id] = "device" if "device" in feeds else "once"
    return scopes


def ancestors(definition: Definition, order: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return, for each node, every node from which a path leads to it."""
    found: dict[str, frozenset[str]] = {}
    for node_id in order:
        parents = [edge.source for edge in definition.incoming(node_id) if edge.source in found]
        found[node_id] = frozenset(parents).union(*(found[parent] for parent in parents))
    return found


def compile_plan(definition: Definition, catalogue: Catalogue, trigger: str) -> Plan:
    """Compile a valid definition, started by one of its triggers, to stages."""
    order, _ = topological_order(definition)
    scopes = resolve_scopes(definition, order, catalogue)
    reached = _reachable(definition, order, trigger)
    ranks = _ranks(definition, [node_id for node_id in order if node_id in reached], scopes)
    steps = [node_id for node_id in order if node_id in reached and node_id != trigger]
    groups = _components(definition, steps, ranks)
    return Plan(
        trigger=trigger,
        stages=_stages(definition, groups, ranks, scopes),
        scopes={node_id: scopes[node_id] for node_id in steps},
        loops=loop_bodies(definition, steps, catalogue),
        unreachable=tuple(node_id for node_id in order if node_id not in reached),
    )


def triggers(definition: Definition, catalogue: Catalogue) -> list[Node]:
    """Return the nodes that can start the workflow."""
    return [
        node for node in definition.nodes.values() if node.type_id in catalogue and catalogue[node.type_id].is_trigger
    ]


def _sound_edges(definition: Definition) -> list[Edge]:
    return [edge for edge in definition.edges if edge.source in definition.nodes and edge.target in definition.nodes]


def _reachable(definition: Definition, order: Iterable[str], trigger: str) -> set[str]:
    reached = {trigger}
    for node_id in order:
        if any(edge.source in reached for edge in definition.incoming(node_id)):
            reached.add(node_id)
    return reached


def _ranks(definition: Definition, order: Iterable[str], scopes: Mapping[str, RunScope]) -> dict[str, int]:
    ranks: dict[str, int] = {}
    for node_id in order:
        steps = [
            ranks[edge.source] + (scopes[edge.source] != scopes[node_id])
            for edge in definition.incoming(node_id)
            if edge.source in ranks
        ]
        ranks[node_id] = max(steps, default=0)
    return ranks


def _components(definition: Definition, steps: list[str], ranks: Mapping[str, int]) -> list[list[str]]:
    """Group the steps that edges of equal rank connect; groups and their members keep the steps' order."""
    parent = {node_id: node_id for node_id in steps}

    def root(node_id: str) -> str:
        while parent[node_id] != node_id:
            parent[node_id] = parent[parent[node_id]]
            node_id = parent[node_id]
        return node_id

    for edge in definition.edges:
        if edge.source in parent and edge.target in parent and ranks[edge.source] == ranks[edge.target]:
            parent[root(edge.target)] = root(edge.source)
    groups: dict[str, list[str]] = {}
    for node_id in steps:
        groups.setdefault(root(node_id), []).append(node_id)
    return sorted(groups.values(), key=lambda group: ranks[group[0]])


def _stages(
    definition: Definition, groups: list[list[str]], ranks: Mapping[str, int], scopes: Mapping[str, RunScope]
) -> tuple[Stage, ...]:
    stage_of = {node_id: index for index, group in enumerate(groups) for node_id in group}
    before: dict[int, set[int]] = defaultdict(set)
    after: dict[int, set[int]] = defaultdict(set)
    for edge in definition.edges:
        source, target = stage_of.get(edge.source), stage_of.get(edge.target)
        if source is not None and target is not None and source != target:
            before[target].add(source)
            after[source].add(target)
    return tuple(
        Stage(
            index=index,
            scope=scopes[group[0]],
            rank=ranks[group[0]],
            nodes=tuple(group),
            predecessors=tuple(sorted(before[index])),
            successors=tuple(sorted(after[index])),
        )
        for index, group in enumerate(groups)
    )
