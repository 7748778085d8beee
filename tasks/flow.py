"""Nodes that steer where a workflow goes on, or end it."""

from typing import Annotated, Literal

from msgspec import Meta
from nornir.core.task import Result

from tasks import context
from tasks.errors import NodeError
from tasks.families import flow_node
from tasks.logic import DEFAULT, MOST_CASES
from tasks.messages import Level, write
from tasks.node import Expression, Handle, Params, node, outcome
from tasks.rules import Rule, fits

OUTPUT = "output_"
STOP_LEVELS: dict[str, Level] = {"warning": "warning", "info": "info"}


class NoopParams(Params, frozen=True, kw_only=True):
    """What passes through."""

    label: Annotated[str, Meta(max_length=200, description="A note for whoever looks at the workflow.")] = ""
    data: Annotated[Expression, Meta(description="The value to hand on.")] = "{{ input.data | default(none) }}"


class StopParams(Params, frozen=True, kw_only=True):
    """Why it ends here, and whether that is a failure."""

    error_message: Annotated[str, Meta(min_length=1, max_length=10_000, description="Why the workflow ends here.")] = (
        "Workflow stopped"
    )
    error_type: Annotated[
        Literal["error", "warning", "info"],
        Meta(description="error: the node fails; warning and info: it succeeds, and the message goes to the log."),
    ] = "error"


class ErrorTriggerParams(Params, frozen=True, kw_only=True):
    """Whose failures it waits for, and whether they count after that."""

    error_source: Annotated[
        Literal["any", "specific"],
        Meta(description="any: every node's whose failure nothing else handles; specific: that of one node."),
    ] = "any"
    source_node_id: Annotated[str, Meta(max_length=128, description="specific: the id of the node.")] = ""
    continue_workflow: Annotated[
        bool, Meta(description="The failures count as handled; else they count, and the branch runs all the same.")
    ] = True


class SwitchRule(Rule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A condition, and what its way is called."""

    label: Annotated[str, Meta(max_length=200, description="What the way out is called on the canvas.")] = ""


class FlowSwitchParams(Params, frozen=True, kw_only=True):
    """What is looked at, and which conditions have a way of their own."""

    value: Annotated[Expression, Meta(description="The value to look at.")] = "{{ input.value }}"
    cases: Annotated[
        list[SwitchRule],
        Meta(
            min_length=1,
            max_length=MOST_CASES,
            description="The rules in order: the first leads to output_0. A field that is missing counts as null.",
        ),
    ]


@flow_node(
    "flow:noop",
    name="No Operation",
    icon="circle-dot",
    outputs=(Handle("data", "any", "The value that came in."),),
)
def flow_noop(params: NoopParams) -> Result:
    """Do nothing, and hand on what comes in: a place for edges to meet."""
    return outcome({"data": params.data})


@flow_node(
    "flow:stop",
    name="Stop",
    icon="octagon-x",
    outputs=(Handle("message", "string", "Why it ended."),),
)
def flow_stop(params: StopParams) -> Result:
    """End the way that leads here: as a failure of class ``validation``, or well, with a message in the log."""
    if params.error_type == "error":
        raise NodeError("validation", params.error_message)
    write(STOP_LEVELS[params.error_type], params.error_message, None)
    return outcome({"message": params.error_message})


@node(
    "flow:error-trigger",
    name="Error Trigger",
    category="Flow",
    package="flow-control",
    scope="follow",
    icon="siren",
    color="#7c3aed",
    outputs=(
        Handle("error", "object", "The first failure: class, message, node_id, and host where it was on one."),
        Handle("errors", "array", "All the failures that it runs for, which are several where it runs once."),
    ),
)
def flow_error_trigger(params: ErrorTriggerParams) -> Result:
    """Begin a branch when a node has failed and nothing else handles it; no edge leads here.

    It runs once the node's retries are spent: on each device on which a device node failed, and once where only once
    nodes are watched, or where it is told to run once. Watching both it runs per device, after a failed once node on
    the devices that had come to it. A node with a failure edge, or that goes on with on_error continue, handles its
    failures itself. After on_error fail, and where the effect of a change is unknown, the branch runs, and the failure
    counts whatever continue_workflow says. A node in a loop is watched only by an error trigger for that very node,
    whose branch lies in the loop; one for any node waits for the failure of the loop. Where the workflow's settings
    stop the execution after a failure, a branch in a later stage no longer begins.
    """
    del params
    failures = context.current().failures
    return outcome({"error": failures[0] if failures else None, "errors": list(failures)})


@flow_node(
    "flow:switch",
    name="Switch by Rules",
    icon="split",
    triggers=(DEFAULT,),
    open_triggers=OUTPUT,
    inputs=(Handle("value"),),
)
def flow_switch(params: FlowSwitchParams) -> Result:
    """Go on by the first rule whose condition holds, else by ``default``."""
    index = next((index for index, rule in enumerate(params.cases) if fits(params.value, rule)), None)
    return outcome(branch=DEFAULT if index is None else f"{OUTPUT}{index}")
