"""Nodes that let a workflow's author look inside, and leave a note there."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from nornir.core.task import Result

from tasks import context
from tasks.errors import NodeError
from tasks.families import debug_node
from tasks.messages import Level, write
from tasks.node import Expression, Handle, Params, node, outcome
from tasks.parking import await_resume, resumed_with
from tasks.patterns import shown

Fact = Literal[
    "execution_id", "workflow_id", "workflow_name", "workflow_version", "started_at", "started_by", "dry_run",
    "current_node", "host", "trigger",
]  # fmt: skip

Pause = Annotated[bool, Meta(description="Wait here until somebody resumes it with POST …/resume/{node_id}.")]
PAUSES = "pause_execution"


class DebugLogParams(Params, frozen=True, kw_only=True):
    """What to note."""

    level: Annotated[Level, Meta(description="How loud the message is.")] = "info"
    message: Annotated[str, Meta(max_length=10_000, description="What to write to the log.")] = "Debug point reached"
    value: Annotated[Expression, Meta(description="A value to note beside the message.")] = None
    pause_execution: Pause = False


class DataDebugParams(Params, frozen=True, kw_only=True):
    """What to show."""

    label: Annotated[str, Meta(max_length=200, description="What the place is called in the log.")] = "Debug Point"
    data: Annotated[Expression, Meta(description="The value to show, and to hand on.")] = (
        "{{ input.data | default(none) }}"
    )
    level: Annotated[Level, Meta(description="How loud the message is.")] = "info"
    log_to_console: Annotated[bool, Meta(description="Write the value to the log, and not only to the result.")] = True
    pause_execution: Pause = False


class CommentParams(Params, frozen=True, kw_only=True):
    """What the note says."""

    title: Annotated[str, Meta(max_length=200, description="The note's title.")] = "Note"
    content: Annotated[str, Meta(max_length=20_000, description="What it says; Markdown if you like.")] = ""
    color: Annotated[
        Literal["yellow", "blue", "green", "red", "purple"], Meta(description="The note's color on the canvas.")
    ] = "yellow"


class GetVariableParams(Params, frozen=True, kw_only=True):
    """Which variable, and what if it is not set."""

    variable_name: Annotated[str, Meta(min_length=1, max_length=100, description="What the variable is called.")]
    optional: Annotated[bool, Meta(description="Take default_value where it is not set, instead of failing.")] = False
    default_value: Annotated[Any, Meta(description="optional: the value of a variable that is not set.")] = None
    variables: Annotated[Expression, Meta(description="Where to look: an object.")] = "{{ variables }}"


class ExecutionDataParams(Params, frozen=True, kw_only=True):
    """What to tell of the execution."""

    include: Annotated[
        list[Fact],
        Meta(min_length=1, max_length=20, description="The facts to tell; host and current_node are this node's own."),
    ] = msgspec.field(default_factory=lambda: ["execution_id", "workflow_id", "started_at"])
    execution: Annotated[Expression, Meta(description="Where the execution's facts are.")] = "{{ execution }}"
    workflow: Annotated[Expression, Meta(description="Where the workflow's facts are.")] = "{{ workflow }}"
    trigger: Annotated[Expression, Meta(description="Where the trigger's outputs are.")] = "{{ trigger }}"


@node(
    "debug:log",
    name="Debug",
    category="Debug",
    package="debug-utility",
    scope="follow",
    icon="bug",
    color="#64748b",
    inputs=(Handle("input"),),
    outputs=(Handle("message", "string", "The message."), Handle("value", "any", "The value beside it.")),
    parks=PAUSES,
)
def debug_log(params: DebugLogParams) -> Result:
    """Note a message and a value in the log and the result, for each device where it runs per device."""
    parked = context.current().parked
    if parked is None:
        write(params.level, params.message, params.value)
    if params.pause_execution and resumed_with(parked) is None:
        return await_resume(None)
    return outcome({"message": params.message, "value": params.value})


@debug_node(
    "data:debug",
    name="Debug Point",
    icon="bug-play",
    inputs=(Handle("data"),),
    outputs=(Handle("data", "any", "The value that came in."), Handle("label", "string", "The place.")),
    parks=PAUSES,
)
def data_debug(params: DataDebugParams) -> Result:
    """Show a value in the log and hand it on unchanged."""
    parked = context.current().parked
    if params.log_to_console and parked is None:
        write(params.level, params.label, params.data)
    if params.pause_execution and resumed_with(parked) is None:
        return await_resume(None)
    return outcome({"data": params.data, "label": params.label})


@debug_node("debug:comment", name="Comment", icon="sticky-note")
def debug_comment(params: CommentParams) -> Result:
    """Say something to whoever reads the workflow; it does nothing, and needs no edges."""
    del params
    return outcome()


@debug_node(
    "debug:get-variable",
    name="Get Variable",
    icon="variable",
    outputs=(Handle("value", "any", "The variable's value."), Handle("is_set", "boolean", "Whether it is set.")),
)
def debug_get_variable(params: GetVariableParams) -> Result:
    """Take the value of a variable, for each device its own where it was set per device."""
    known = params.variables
    if not isinstance(known, Mapping):
        raise NodeError("validation", f"variables gave {shown(known)}, which is no object. Leave it as it was.")
    is_set = params.variable_name in known
    if not is_set and not params.optional:
        names = ", ".join(sorted(map(str, known))[:12]) or "none"
        message = f"There is no variable {params.variable_name!r}; there is {names}. Set it first, or set optional."
        raise NodeError("validation", message)
    return outcome({"value": known.get(params.variable_name, params.default_value), "is_set": is_set})


@debug_node(
    "debug:execution-data",
    name="Execution Data",
    icon="info",
    outputs=(Handle("execution", "object", "The facts that include names; null where one is not known."),),
)
def debug_execution_data(params: ExecutionDataParams) -> Result:
    """Tell facts of the execution that runs."""
    facts = _facts(params)
    return outcome({"execution": {name: facts[name] for name in params.include}})


def _facts(params: ExecutionDataParams) -> dict[Fact, Any]:
    execution, workflow = _object(params.execution, "execution"), _object(params.workflow, "workflow")
    running = context.current()
    return {
        "execution_id": execution.get("id"),
        "workflow_id": workflow.get("id"),
        "workflow_name": workflow.get("name"),
        "workflow_version": workflow.get("version"),
        "started_at": execution.get("created_at"),
        "started_by": execution.get("started_by"),
        "dry_run": execution.get("dry_run"),
        "current_node": running.node_id or None,
        "host": running.execution.get("host") or None,
        "trigger": params.trigger,
    }


def _object(value: Any, parameter: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise NodeError("validation", f"{parameter} gave {shown(value)}, which is no object. Leave it as it was.")
    return value
