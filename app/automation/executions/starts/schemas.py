"""Starts as they cross the API."""

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from app.core.wire import Input, Output
from tasks.errors import ErrorClass


class NodeRunRequest(Input, frozen=True, kw_only=True):
    """A single node to run: on which devices, with which parameters, and whether only to say what would change."""

    targets: Annotated[
        dict[str, Any] | None, msgspec.Meta(description="As for a workflow; a node that runs once needs none.")
    ] = None
    parameters: Annotated[
        dict[str, Any], msgspec.Meta(description="What the node type's JSON Schema says; expressions are evaluated.")
    ] = {}
    dry_run: bool = False


class RerunRequest(Input, frozen=True, kw_only=True):
    """An execution once more: all of it, or some devices, from its beginning or from a node on."""

    only: Annotated[
        Literal["failed"] | None,
        msgspec.Meta(description="`failed`: the devices that failed, are unknown, or were cancelled; null: all."),
    ] = None
    error_class: Annotated[
        ErrorClass | None, msgspec.Meta(description="Only the devices that failed with this class of error.")
    ] = None
    from_node: Annotated[
        Annotated[str, msgspec.Meta(max_length=128)] | None,
        msgspec.Meta(description="Run this node and what follows it; keep the results of all others."),
    ] = None


class WebhookAccepted(Output, frozen=True, kw_only=True):
    """A webhook that started an execution."""

    execution_id: UUID
    status: str
