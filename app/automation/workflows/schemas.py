"""Workflows as they cross the API."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from app.core.wire import Input, Output

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=150, description="Unique among workflows.")]
Tags = Annotated[list[Annotated[str, msgspec.Meta(min_length=1, max_length=64)]], msgspec.Meta(max_length=50)]
DefinitionJson = Annotated[
    dict[str, Any],
    msgspec.Meta(description="`{nodes, edges, viewport}` as React Flow writes it; each node's `data` holds nodeType, "
                 "label, parameters and options."),
]  # fmt: skip


class WorkflowCreate(Input, frozen=True, kw_only=True):
    """A new workflow."""

    name: Name
    definition: DefinitionJson
    description: str = ""
    tags: Tags = []
    enabled: bool = True


class WorkflowUpdate(Input, frozen=True, kw_only=True):
    """What changes; absent fields stay."""

    name: Name | UnsetType = UNSET
    definition: DefinitionJson | UnsetType = UNSET
    description: str | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class ValidateRequest(Input, frozen=True, kw_only=True):
    """A definition to be checked and not saved."""

    definition: DefinitionJson


class WorkflowRead(Output, frozen=True, kw_only=True):
    """A workflow; `version` grows with every change of its definition."""

    id: UUID
    name: str
    description: str
    definition: dict[str, Any]
    tags: list[str]
    enabled: bool
    version: int
    created_by: str
    created_at: datetime
    updated_at: datetime


class FaultRead(Output, frozen=True, kw_only=True):
    """A fault of a definition, with the node and field it is in."""

    type: str
    node_id: str | None
    field: str
    message: str


class StageRead(Output, frozen=True, kw_only=True):
    """A stage of the plan: nodes that devices stream through without waiting for each other."""

    index: int
    scope: str
    rank: int
    nodes: list[str]
    predecessors: list[int]


class PlanRead(Output, frozen=True, kw_only=True):
    """What an execution started by a trigger would follow."""

    trigger: str
    stages: list[StageRead]
    unreachable: list[str]


class ValidationRead(Output, frozen=True, kw_only=True):
    """Whether a definition may be saved; the plan is there when it may."""

    valid: bool
    errors: list[FaultRead]
    warnings: list[FaultRead]
    plan: PlanRead | None


class HandleRead(Output, frozen=True, kw_only=True):
    """A named end of edges, with the type of what flows through it."""

    name: str
    type: str
    description: str
    many: bool


class NodeTypeRead(Output, frozen=True, kw_only=True):
    """A node type of the palette; `parameters` is the JSON Schema of what it takes."""

    id: str
    version: int
    name: str
    description: str
    package: str
    category: str
    icon: str
    color: str
    scope: str
    parameters: dict[str, Any]
    triggers: list[str]
    open_triggers: Annotated[
        str | None, msgspec.Meta(description="The prefix of triggers that the parameters add, one for each case.")
    ]
    is_trigger: bool
    aliases: list[str]
    inputs: list[HandleRead]
    outputs: list[HandleRead]
    platforms: list[str]
    changes_device: bool
    idempotent: bool
    dry_run: bool
    prerequisites: list[str]


class PackageRead(Output, frozen=True, kw_only=True):
    """A package of node types."""

    id: str
    node_types: list[str]


class ParserRead(Output, frozen=True, kw_only=True):
    """A parser of our own; `record` is the JSON Schema of what it returns."""

    id: str
    platform: str
    commands: list[str]
    record: dict[str, Any]


class ParseRequest(Input, frozen=True, kw_only=True):
    """A device's answer to be parsed."""

    platform: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    command: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    text: str


class ParseRead(Output, frozen=True, kw_only=True):
    """What a parser read."""

    parser: str
    records: list[dict[str, Any]]
