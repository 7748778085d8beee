"""Executions as they cross the API."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from app.automation.executions.statuses import ExecutionStatus, NodeStatus, ResultStatus
from app.core.wire import Input, Output


class ExecuteRequest(Input, frozen=True, kw_only=True):
    """A start: on which devices, with which variables, and whether only to say what would change."""

    targets: Annotated[
        dict[str, Any] | None,
        msgspec.Meta(description='For example `{"devices": ["ber1-core-1"]}` or `{"group": "core"}`.'),
    ] = None
    variables: dict[str, Any] = {}
    trigger: Annotated[dict[str, Any], msgspec.Meta(description="What expressions see as `trigger`.")] = {}
    trigger_node: Annotated[
        str | None, msgspec.Meta(description="The trigger to start at, where the workflow has several.")
    ] = None
    dry_run: bool = False


class CountsRead(Output, frozen=True, kw_only=True):
    """How the devices fared; while an execution runs, only `devices` is known."""

    devices: int
    succeeded: int
    failed: int
    skipped: int
    unknown: int
    cancelled: int


class NodeCountsRead(Output, frozen=True, kw_only=True):
    """How a node fared over its devices; `handled` are failures that an edge or option took care of."""

    succeeded: int
    failed: int
    skipped: int
    unknown: int
    cancelled: int
    handled: int


class ErrorRead(Output, frozen=True, kw_only=True):
    """A failure: its class out of the closed list, and a sentence."""

    class_: str = msgspec.field(name="class")
    message: str
    node_id: str | None = None


class NodeRead(Output, frozen=True, kw_only=True):
    """How a node of an execution stands."""

    node_id: str
    node_type: str
    scope: str
    status: NodeStatus
    counts: NodeCountsRead
    started_at: datetime | None
    finished_at: datetime | None
    duration_ms: int | None


class ExecutionRead(Output, frozen=True, kw_only=True):
    """An execution, without its nodes."""

    id: UUID
    workflow_id: UUID | None
    workflow_name: str
    workflow_version: int
    status: ExecutionStatus
    trigger: dict[str, Any]
    targets: dict[str, Any]
    variables: dict[str, Any]
    dry_run: bool
    test: Annotated[bool, msgspec.Meta(description="On invented devices, with mocked nodes.")]
    counts: CountsRead
    requested_by: str
    cancel_requested_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: ErrorRead | None


class ExecutionDetail(ExecutionRead, frozen=True, kw_only=True):
    """An execution with its nodes, in the order they run."""

    nodes: list[NodeRead]


class DeviceRef(Output, frozen=True, kw_only=True):
    """The device of a result; `id` is null for an ad-hoc host."""

    id: UUID | None
    name: str


class ResultRead(Output, frozen=True, kw_only=True):
    """What a node did on a device; `device` is null for a node that runs once."""

    id: UUID
    node_id: str
    device: DeviceRef | None
    iteration: str
    attempt: int
    status: ResultStatus
    handled: bool
    branch: str | None
    outputs: dict[str, Any] | None
    outputs_size_bytes: Annotated[
        int | None, msgspec.Meta(description="Set when the outputs are too large for a list: read them by themselves.")
    ]
    error: ErrorRead | None
    changed: bool
    diff: str
    started_at: datetime
    duration_ms: int


class HostRead(Output, frozen=True, kw_only=True):
    """A device of an execution, and how it fared over all nodes."""

    device: DeviceRef
    status: Annotated[str, msgspec.Meta(description="pending success failed skipped unknown cancelled")]
    error_class: str
