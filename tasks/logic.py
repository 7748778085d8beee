"""Nodes that decide where a device, or the whole execution, goes on."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from nornir.core.task import Result

from tasks.conditions import ConditionType, holds, is_equal
from tasks.node import Expression, Handle, Params, node, outcome

MOST_CASES = 100
CASE = "case_"
DEFAULT = "default"


class IfParams(Params, frozen=True, kw_only=True):
    """What is asked."""

    condition_type: Annotated[
        ConditionType,
        Meta(description="What is asked of the value; expression asks whether it is true by itself."),
    ] = "expression"
    expression: Annotated[Expression, Meta(description="The value, or the condition as a whole.")] = "{{ input.value }}"
    compare_value: Annotated[
        Any, Meta(description="What the value is compared with; a regular expression for matches.")
    ] = None


class SwitchCase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value, and what its way is called."""

    value: Annotated[Any, Meta(description="The value of this case.")]
    label: Annotated[str, Meta(max_length=200, description="What the way out is called on the canvas.")] = ""


class SwitchParams(Params, frozen=True, kw_only=True):
    """What is looked at, and which values have a way of their own."""

    switch_value: Annotated[Expression, Meta(description="The value to look at.")] = "{{ input.value }}"
    cases: Annotated[
        list[SwitchCase],
        Meta(min_length=1, max_length=MOST_CASES, description="The cases in order: the first leads to case_0."),
    ]


class MergeParams(Params, frozen=True, kw_only=True):
    """When to go on, and with what."""

    mode: Annotated[
        Literal["wait_all", "first"],
        Meta(description="wait_all: when every way that can still arrive has; first: at the first that arrives."),
    ] = "wait_all"
    data: Annotated[Expression, Meta(description="What goes on: else an array of what the edges bring.")] = (
        "{{ input.data }}"
    )


@node(
    "logic:if",
    name="If / Else",
    category="Logic",
    scope="follow",
    icon="git-branch",
    color="#7c3aed",
    triggers=("true", "false"),
    inputs=(Handle("value"),),
)
def logic_if(params: IfParams) -> Result:
    """Go on by ``true`` or by ``false``, as a condition holds or not."""
    answer = holds(params.condition_type, params.expression, params.compare_value)
    return outcome(branch="true" if answer else "false")


@node(
    "logic:switch",
    name="Switch",
    category="Logic",
    scope="follow",
    icon="split",
    color="#7c3aed",
    triggers=(DEFAULT,),
    open_triggers=CASE,
    inputs=(Handle("value"),),
)
def logic_switch(params: SwitchParams) -> Result:
    """Go on by the first case whose value fits, else by ``default``."""
    fitting = (index for index, case in enumerate(params.cases) if is_equal(params.switch_value, case.value))
    index = next(fitting, None)
    return outcome(branch=DEFAULT if index is None else f"{CASE}{index}")


@node(
    "logic:merge",
    name="Merge",
    category="Logic",
    scope="follow",
    icon="merge",
    color="#7c3aed",
    inputs=(Handle("data", many=True),),
    outputs=(Handle("data", "array", "What the edges into it brought, in their order."),),
    may_go_first=True,
)
def logic_merge(params: MergeParams) -> Result:
    """Bring ways together again, and collect what they carry."""
    data = params.data
    return outcome({"data": data if isinstance(data, list) else [data]})
