"""Loop bodies: which nodes a loop runs again and again, and what may not lead into or out of them."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from app.automation.workflows.definition import Definition, DefinitionFault, Node, fault
from tasks.node import NodeType

EACH_HANDLES = frozenset({"each", "try", "item", "index"})
"""The handles of a loop that lead into its body."""

SEPARATORS = (".", ":")
"""What the names of rounds are made with: ``outer:0.inner:2``."""
LONGEST_NAME = 128
ROUND_CHARS = len(".:99999")
"""What a loop adds to the names of rounds beside its id."""


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


def staged_parts(
    steps: Sequence[str], bodies: Mapping[str, Sequence[str]], scopes: Mapping[str, str]
) -> dict[str, list[str]]:
    """Divide steps by the innermost loop that runs once and holds device nodes, whose rounds have stages of their own.

    The part ``""`` is what lies in no such loop; it comes first.
    """
    staged = [
        loop for loop, body in bodies.items() if scopes[loop] == "once" and any(scopes[n] == "device" for n in body)
    ]
    innermost = dict.fromkeys(steps, "")
    for loop in sorted(staged, key=lambda loop: len(bodies[loop]), reverse=True):
        innermost |= dict.fromkeys(bodies[loop], loop)
    parts: dict[str, list[str]] = {"": []}
    for step in steps:
        parts.setdefault(innermost[step], []).append(step)
    return parts


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
    bodies = loop_bodies(definition, order, catalogue)
    for loop_id, body in bodies.items():
        loop = definition.nodes[loop_id]
        if not body:
            message = "Nothing is repeated: draw an edge from each (or try) to what is to run."
            yield fault("empty_loop", message, node_id=loop_id, field="edges")
        if set(loop_id) & set(SEPARATORS):
            message = f"The id of a loop must not contain {' or '.join(SEPARATORS)}: its rounds are named after it."
            yield fault("bad_id", message, node_id=loop_id, field="id")
        path = [loop_id, *(outer for outer, within in bodies.items() if loop_id in within)]
        if sum(len(outer) + ROUND_CHARS for outer in path) > LONGEST_NAME + 1:
            message = f"Its rounds are named after it and the {len(path) - 1} loops around it: shorten their ids."
            yield fault("bad_id", message, node_id=loop_id, field="id")
        yield from _leaks(definition, loop, body)
        if scopes[loop_id] == "device":
            for node_id in body:
                if scopes[node_id] == "once":
                    message = (
                        f"{node_id} runs once, and the loop {loop_id} per device. "
                        "A loop that runs per device holds only nodes that do so too."
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
