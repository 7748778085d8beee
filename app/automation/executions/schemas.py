"""Executions as they cross the API."""

from datetime import datetime
from typing import Annotated, Any, Literal
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
    stop_reason: Annotated[str, msgspec.Meta(description="cancelled timeout max_failed broken, or empty.")]
    parent: Annotated[UUID | None, msgspec.Meta(description="The execution that this one is a step of.")]
    rerun_of: UUID | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: ErrorRead | None


class DeviceRef(Output, frozen=True, kw_only=True):
    """The device of a result; `id` is null for an ad-hoc host."""

    id: UUID | None
    name: str


class WaitRead(Output, frozen=True, kw_only=True):
    """Something that waits in a node: a device, or (null) what runs once."""

    node_id: str
    iteration: str
    device: DeviceRef | None
    since: datetime
    due_at: Annotated[datetime | None, msgspec.Meta(description="When it goes on, or is looked at again.")]
    kind: Annotated[
        Literal["time", "approval", "execution", "round", "event"],
        msgspec.Meta(description="What for: the time, an answer, another execution, a loop's round, or another event."),
    ]


class ExecutionDetail(ExecutionRead, frozen=True, kw_only=True):
    """An execution with its nodes, in the order they run, and what it waits for: the first 100."""

    nodes: list[NodeRead]
    waiting: list[WaitRead]


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


class ChangeRead(Output, frozen=True, kw_only=True):
    """A difference between two values; texts of several lines have `text_diff` in place of `before` and `after`."""

    path: Annotated[list[str | int], msgspec.Meta(description="Keys and places that lead to it; of lists, from 0.")]
    change: Literal["added", "removed", "changed"]
    before: Any = None
    after: Any = None
    text_diff: str | None = None


class SideRead(Output, frozen=True, kw_only=True):
    """One of the two results that are compared."""

    result_id: UUID
    status: ResultStatus
    branch: str | None
    changed: bool
    error: ErrorRead | None


class NodeDifference(Output, frozen=True, kw_only=True):
    """How a node's results on a device differ; a side is null where the node has no result there."""

    node_id: str
    iteration: str
    before: SideRead | None
    after: SideRead | None
    outputs: list[ChangeRead]
    diff: Annotated[list[ChangeRead], msgspec.Meta(description="How what the nodes would change, or did, differs.")]
    truncated: Annotated[bool, msgspec.Meta(description="There are more differences, or outputs too large to compare.")]


class DeviceDifference(Output, frozen=True, kw_only=True):
    """How the results on a device differ; `device` is null for nodes that run once."""

    device: DeviceRef | None
    nodes: list[NodeDifference]


class ArtifactRead(Output, frozen=True, kw_only=True):
    """A file of an execution, and the node that wrote it last; `content_hash` is the SHA-256 of its content."""

    id: UUID
    path: str
    size_bytes: int
    content_hash: str
    node_id: str
    created_at: datetime
    updated_at: datetime
