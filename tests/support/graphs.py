"""A small catalogue of node types for the pure tests of graph, walk and validation."""

from typing import Any

from nornir.core.task import Result, Task

from tasks.catalog import Catalog
from tasks.context import NodeContext
from tasks.loop import logic_loop
from tasks.node import Expression, Handle, Params, Verbatim, node, outcome


class Nothing(Params, frozen=True, kw_only=True):
    """No parameters."""


class Command(Params, frozen=True, kw_only=True):
    """A command."""

    command: str
    repeat: int = 1
    template: Verbatim = ""


class Condition(Params, frozen=True, kw_only=True):
    """A condition."""

    expression: Expression = "{{ input.value }} > 0"


class Cases(Params, frozen=True, kw_only=True):
    """Cases."""

    cases: list[dict[str, Any]] = []


@node("trigger:manual", name="Manual", category="core", scope="once", triggers=("trigger",), is_trigger=True)
def start(context: NodeContext, params: Nothing) -> Result:
    """Start."""
    return outcome({"by": context.node_id})


@node(
    "test:device",
    name="Device",
    category="test",
    scope="device",
    inputs=(Handle("count", "number"), Handle("text", "string")),
    outputs=(Handle("text", "string"), Handle("records", "records")),
)
def on_device(task: Task, params: Command) -> Result:
    """Run on a device."""
    return outcome({"text": f"{task.host}:{params.command}"})


@node("test:once", name="Once", category="test", scope="once", outputs=(Handle("text", "string"),))
def once(context: NodeContext, params: Nothing) -> Result:
    """Run once."""
    return outcome({"text": context.node_id})


@node(
    "test:if",
    name="If",
    category="test",
    scope="follow",
    triggers=("true", "false"),
    inputs=(Handle("value"),),
)
def decide(params: Condition) -> Result:
    """Decide."""
    return outcome(branch="true" if params.expression else "false")


@node("test:switch", name="Switch", category="test", scope="follow", triggers=("default",), open_triggers="case_")
def switch(params: Cases) -> Result:
    """Switch."""
    return outcome(branch="case_0" if params.cases else "default")


@node("test:set", name="Set", category="test", scope="follow", sets_variables=True)
def set_variable(params: Nothing) -> Result:
    """Set a variable."""
    return outcome({"mark": repr(params)})


CATALOGUE = Catalog((start, on_device, once, decide, switch, set_variable, logic_loop))


def step(node_id: str, node_type: str, label: str = "", **parameters: Any) -> dict[str, Any]:
    """Return a node of a definition; a parameter named ``options`` is the node's options."""
    options = parameters.pop("options", {})
    return {
        "id": node_id,
        "type": "workflow",
        "position": {"x": 0, "y": 0},
        "data": {"nodeType": node_type, "label": label, "parameters": parameters, "options": options},
    }


def line(text: str) -> dict[str, Any]:
    """Return an edge written as ``source.handle -> target.handle``."""
    (source, _, out), (target, _, into) = (end.strip().partition(".") for end in text.split("->"))
    return {"id": text, "source": source, "sourceHandle": out or None, "target": target, "targetHandle": into or None}


def workflow(*nodes: dict[str, Any], edges: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a definition with a trigger ``start`` before the nodes."""
    return {"nodes": [step("start", "trigger:manual"), *nodes], "edges": [line(edge) for edge in edges]}
