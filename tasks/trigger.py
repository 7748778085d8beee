"""Nodes that start a workflow."""

from typing import Annotated

from msgspec import Meta
from nornir.core.task import Result

from tasks.context import NodeContext
from tasks.node import Params, node, outcome


class ManualTriggerParams(Params, frozen=True, kw_only=True):
    """What the start is called."""

    name: Annotated[str, Meta(max_length=200, description="A name for this way of starting.")] = "Manual Start"


@node(
    "trigger:manual",
    name="Manual Start",
    category="Triggers",
    scope="once",
    icon="play",
    color="#16a34a",
    is_trigger=True,
)
def trigger_manual(context: NodeContext, params: ManualTriggerParams) -> Result:
    """Start a workflow by hand, by the API or by the command line."""
    del context, params
    return outcome()
