"""Starts as they cross the API."""

from typing import Annotated, Any
from uuid import UUID

import msgspec

from app.core.wire import Input, Output


class NodeRunRequest(Input, frozen=True, kw_only=True):
    """A single node to run: on which devices, with which parameters, and whether only to say what would change."""

    targets: Annotated[
        dict[str, Any] | None, msgspec.Meta(description="As for a workflow; a node that runs once needs none.")
    ] = None
    parameters: Annotated[
        dict[str, Any], msgspec.Meta(description="What the node type's JSON Schema says; expressions are evaluated.")
    ] = {}
    dry_run: bool = False


class WebhookAccepted(Output, frozen=True, kw_only=True):
    """A webhook that started an execution."""

    execution_id: UUID
    status: str
