"""Nodes that let a workflow's author look inside."""

from typing import Annotated, Any

from msgspec import Meta
from nornir.core.task import Result

from tasks.messages import Level, write
from tasks.node import Expression, Handle, Params, node, outcome


class DebugLogParams(Params, frozen=True, kw_only=True):
    """What to note."""

    level: Annotated[Level, Meta(description="How loud the message is.")] = "info"
    message: Annotated[str, Meta(max_length=10_000, description="What to write to the log.")] = "Debug point reached"
    value: Annotated[Expression, Meta(description="A value to note beside the message.")] = None


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
)
def debug_log(params: DebugLogParams) -> Result:
    """Note a message and a value in the log and the result, for each device where it runs per device."""
    outputs: dict[str, Any] = write(params.level, params.message, params.value)
    return outcome(outputs)
