"""The pure graph: order, scopes, ranks and stages of a definition, compiled to the plan an execution follows."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

import msgspec

from app.automation.workflows.definition import Definition, Edge, Node
from app.automation.workflows.loops import loop_bodies, staged_parts
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
    loop: str = ""
    """The loop whose every round runs this stage anew; nothing for a stage that runs once."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What an execution follows: the trigger that fired, the stages, and the nodes it can never reach."""

    trigger: str
    stages: tuple[Stage, ...]
    scopes: dict[str, RunScope]
    loops: dict[str, tuple[str, ...]] = {}
    unreachable: tuple[str, ...] = ()
    gate: int | None = None
    """The first stage in which a device is changed: waves of devices begin there."""
    concurrency: dict[int, int] = {}
    """By stage, how many hosts its strictest node takes at once."""

    def stages_of(self, loop: str) -> list[Stage]:
        """Return the stages that a loop runs anew in every round, or (``""``) those that run once."""
        return [stage for stage in self.stages if stage.loop == loop]

    def is_staged(self, loop: str) -> bool:
        """Say whether a loop's body has stages of its own, because it runs once and holds what runs on devices."""
        return any(stage.loop == loop for stage in self.stages)

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
    steps = [node_id for node_id in order if node_id in reached and node_id != trigger]
    loops = loop_bodies(definition, steps, catalogue)
    stages: list[Stage] = []
    parts = staged_parts(steps, loops, scopes)
    shape = _Shape.of(definition, scopes, loops, parts, catalogue)
    for loop, own in parts.items():
        ranks = _ranks(definition, own if loop else [trigger, *own], shape)
        groups = _side_by_side(definition, _components(definition, own, ranks), ranks, shape)
        stages += _stages(definition, groups, ranks, scopes, loop, first_index=len(stages))
    return Plan(
        trigger=trigger,
        stages=tuple(stages),
        scopes={node_id: scopes[node_id] for node_id in steps},
        loops=loops,
        unreachable=tuple(node_id for node_id in order if node_id not in reached),
        gate=_gate(stages, definition, catalogue),
        concurrency=_concurrency(stages, definition),
    )


@dataclass(frozen=True)
class _Shape:
    """What decides over ranks: scopes, the outermost loop around each body, and the nodes that may be parked."""

    scopes: Mapping[str, RunScope]
    around: Mapping[str, str]
    borders: AbstractSet[str]

    @classmethod
    def of(
        cls,
        definition: Definition,
        scopes: Mapping[str, RunScope],
        loops: Mapping[str, Sequence[str]],
        staged: Collection[str],
        catalogue: Catalogue,
    ) -> "_Shape":
        """Find the once nodes that may be parked: each is a stage of its own, so that no branch beside it waits too."""
        outer_last = sorted((loop for loop in loops if loop not in staged), key=lambda loop: len(loops[loop]))
        around = {inner: loop for loop in outer_last for inner in loops[loop]}
        nodes = [definition.nodes[node_id] for node_id in scopes]
        parking = {node.id for node in nodes if catalogue[node.type_id].may_park(node.parameters)}
        holding = {loop for loop, body in loops.items() if loop in staged or not parking.isdisjoint(body)}
        borders = {node_id for node_id in parking | holding if scopes[node_id] == "once" and node_id not in around}
        return cls(scopes, around, borders)

    def step(self, source: str, target: str) -> int:
        """Return by how much an edge raises the rank."""
        changes_scope = self.scopes[source] != self.scopes[target]
        return int(changes_scope or source in self.borders or target in self.borders)


def _gate(stages: Iterable[Stage], definition: Definition, catalogue: Catalogue) -> int | None:
    changing = (
        stage.index
        for stage in stages
        if stage.scope == "device"
        and not stage.loop
        and any(catalogue[definition.nodes[node_id].type_id].changes_device for node_id in stage.nodes)
    )
    return next(changing, None)


def _concurrency(stages: Iterable[Stage], definition: Definition) -> dict[int, int]:
    limits: dict[int, int] = {}
    for stage in stages:
        given = [limit for node_id in stage.nodes if (limit := definition.nodes[node_id].options.concurrency)]
        if given and stage.scope == "device":
            limits[stage.index] = min(given)
    return limits


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


def _ranks(definition: Definition, order: Iterable[str], shape: _Shape) -> dict[str, int]:
    ranks: dict[str, int] = {}
    for node_id in order:
        if node_id in shape.around:
            ranks[node_id] = ranks[shape.around[node_id]]
            continue
        sources = [edge.source for edge in definition.incoming(node_id) if edge.source in ranks]
        ranks[node_id] = max((ranks[source] + shape.step(source, node_id) for source in sources), default=0)
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


def _side_by_side(
    definition: Definition, groups: list[list[str]], ranks: Mapping[str, int], shape: _Shape
) -> list[list[str]]:
    """Put groups together that wait for the same and that nothing waits for: they are branches of one stage."""
    group_of = {node_id: number for number, group in enumerate(groups) for node_id in group}
    merged: dict[object, list[str]] = {}
    for number, group in enumerate(groups):
        edges = [edge for node_id in group for edge in definition.outgoing(node_id)]
        leads_on = any(group_of.get(edge.target, number) != number for edge in edges)
        alone = leads_on or not shape.borders.isdisjoint(group)
        sources = (edge.source for node_id in group for edge in definition.incoming(node_id))
        behind = frozenset(group_of.get(source, source) for source in sources) - {number}
        key = number if alone else (ranks[group[0]], shape.scopes[group[0]], behind)
        merged.setdefault(key, []).extend(group)
    return list(merged.values())


def _stages(
    definition: Definition,
    groups: list[list[str]],
    ranks: Mapping[str, int],
    scopes: Mapping[str, RunScope],
    loop: str,
    *,
    first_index: int,
) -> list[Stage]:
    stage_of = {node_id: index for index, group in enumerate(groups, first_index) for node_id in group}
    before: dict[int, set[int]] = defaultdict(set)
    after: dict[int, set[int]] = defaultdict(set)
    for edge in definition.edges:
        source, target = stage_of.get(edge.source), stage_of.get(edge.target)
        if source is not None and target is not None and source != target:
            before[target].add(source)
            after[source].add(target)
    return [
        Stage(
            index=index,
            scope=scopes[group[0]],
            rank=ranks[group[0]],
            nodes=tuple(group),
            predecessors=tuple(sorted(before[index])),
            successors=tuple(sorted(after[index])),
            loop=loop,
        )
        for index, group in enumerate(groups, first_index)
    ]
