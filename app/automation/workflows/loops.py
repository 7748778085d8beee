"""Loop bodies: which nodes a loop runs again and again, and what may not lead into or out of them."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from app.automation.workflows.definition import Definition, DefinitionFault, Node, fault
from tasks.node import NodeType

EACH_HANDLES = frozenset({"each", "item", "index"})
"""The handles of a loop that lead into its body."""


def loop_bodies(
    definition: Definition, order: Iterable[str], catalogue: Mapping[str, NodeType]
) -> dict[str, tuple[str, ...]]:
    """Return each loop's body, in an order no edge goes against; inner loops and their bodies belong to it."""
    steps = list(order)
    bodies: dict[str, tuple[str, ...]] = {}
    for node_id in steps:
        if catalogue[definition.nodes[node_id].type_id].loops:
            inside = reach(definition, entries(definition, node_id))
            bodies[node_id] = tuple(step for step in steps if step in inside)
    return bodies


def own_steps(nodes: Sequence[str], bodies: Mapping[str, Collection[str]]) -> list[str]:
    """Return those of some nodes that are no part of a loop among them."""
    inner = {step for node_id in nodes for step in bodies.get(node_id, ())}
    return [node_id for node_id in nodes if node_id not in inner]


def entries(definition: Definition, loop_id: str) -> list[str]:
    """Return the nodes that a loop's ``each`` edges lead to."""
    return [edge.target for edge in definition.outgoing(loop_id) if edge.source_handle in EACH_HANDLES]


def reach(definition: Definition, starts: Iterable[str]) -> set[str]:
    """Return some nodes and every node that a path leads to from them."""
    found: set[str] = set()
    pending = list(starts)
    while pending:
        node_id = pending.pop()
        if node_id not in found and node_id in definition.nodes:
            found.add(node_id)
            pending.extend(edge.target for edge in definition.outgoing(node_id))
    return found


def check_loops(
    definition: Definition,
    order: Iterable[str],
    catalogue: Mapping[str, NodeType],
    scopes: Mapping[str, str],
) -> Iterator[DefinitionFault]:
    """List what is wrong with the loops: a body that leaks, that is entered from the side, or of another scope."""
    for loop_id, body in loop_bodies(definition, order, catalogue).items():
        loop = definition.nodes[loop_id]
        if not body:
            message = "Nothing is repeated: draw an edge from each to what the loop is to run."
            yield fault("empty_loop", message, node_id=loop_id, field="edges")
        yield from _leaks(definition, loop, body)
        for node_id in body:
            if scopes[node_id] != scopes[loop_id]:
                message = (
                    f"{node_id} runs {_how(scopes[node_id])}, and the loop {loop_id} {_how(scopes[loop_id])}. "
                    "A loop holds only nodes that run as it does."
                )
                yield fault("loop_scope", message, node_id=node_id, field="options.scope")


def _leaks(definition: Definition, loop: Node, body: Collection[str]) -> Iterator[DefinitionFault]:
    behind = reach(
        definition, [edge.target for edge in definition.outgoing(loop.id) if edge.source_handle not in EACH_HANDLES]
    )
    for node_id in sorted(behind.intersection(body)):
        message = f"It is in the loop {loop.id} and behind it at once; what follows the loop begins at done."
        yield fault("loop_leak", message, node_id=node_id, field="edges")
    for node_id in body:
        for edge in definition.incoming(node_id):
            if edge.source not in body and edge.source != loop.id:
                message = f"An edge from {edge.source} enters the loop {loop.id} from the side; lead it to the loop."
                yield fault("loop_entry", message, node_id=node_id, field=f"edges.{edge.id}")


def _how(scope: str) -> str:
    return "per device" if scope == "device" else "once"
