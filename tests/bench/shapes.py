"""Shapes of workflows that several benches run: chains, fans of branches, and loops."""

from itertools import pairwise
from typing import Any

from tests.support.graphs import step, workflow


def chain(node_type: str, length: int, **parameters: Any) -> dict[str, Any]:
    """Return a workflow of so many nodes, one behind the other."""
    names = [f"n{number}" for number in range(length)]
    edges = tuple(f"{source} -> {target}" for source, target in pairwise(["start", *names]))
    return workflow(*(step(name, node_type, **parameters) for name in names), edges=edges)


def fan(node_type: str, width: int, **parameters: Any) -> dict[str, Any]:
    """Return a workflow of so many branches of one node, side by side behind the trigger."""
    names = [f"n{number}" for number in range(width)]
    branches = (step(name, node_type, **parameters) for name in names)
    return workflow(*branches, edges=tuple(f"start -> {name}" for name in names))


def loop(node_type: str, rounds: int, *, once: bool) -> dict[str, Any]:
    """Return a workflow that runs one node in so many rounds, of a loop that runs once or on every device."""
    around = step("loop", "logic:loop", loop_type="count", count=rounds, options={"scope": "once"} if once else {})
    before = () if once else (step("first", node_type),)
    way_in = ("start -> loop",) if once else ("start -> first", "first -> loop")
    return workflow(*before, around, step("node", node_type), edges=(*way_in, "loop.each -> node"))
