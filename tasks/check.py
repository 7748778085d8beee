"""Nodes that say whether things are as they should be."""

from typing import Annotated

from msgspec import Meta
from nornir.core.task import Result

from tasks.errors import NodeError
from tasks.node import Expression, Handle, Params, node, outcome
from tasks.patterns import shown

FAIL = "fail"


class AssertParams(Params, frozen=True, kw_only=True):
    """What must hold."""

    condition: Annotated[Expression, Meta(description="The condition that must hold.")]
    fail_message: Annotated[str, Meta(min_length=1, max_length=1000, description="What to say where it does not.")] = (
        "Assertion failed"
    )
    stop_on_fail: Annotated[
        bool, Meta(description="Fail where it does not hold; else go on by fail, and nothing has failed.")
    ] = True


@node(
    "check:assert",
    name="Assert",
    category="Checks",
    package="checks",
    scope="follow",
    icon="badge-check",
    color="#dc2626",
    aliases=("debug:assert",),
    triggers=("success", FAIL),
    inputs=(Handle("value"),),
    outputs=(Handle("value", "any", "What the condition gave."),),
)
def check_assert(params: AssertParams) -> Result:
    """Fail with class ``validation`` where a condition does not hold, for each device where it runs per device."""
    if not params.condition and not params.stop_on_fail:
        return outcome({"value": params.condition}, branch=FAIL)
    if not params.condition:
        raise NodeError("validation", f"{params.fail_message} (the condition gave {shown(params.condition)})")
    return outcome({"value": params.condition}, branch="success")
