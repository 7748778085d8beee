"""Workflows as they cross the API."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from app.automation.workflows.settings import WorkflowSettings
from app.core.wire import Input, Output

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=150, description="Unique among workflows.")]
Tags = Annotated[list[Annotated[str, msgspec.Meta(min_length=1, max_length=64)]], msgspec.Meta(max_length=50)]
DefinitionJson = Annotated[
    dict[str, Any],
    msgspec.Meta(description="`{nodes, edges, viewport}` as React Flow writes it; each node's `data` holds nodeType, "
                 "label, parameters and options."),
]  # fmt: skip


Note = Annotated[
    str, msgspec.Meta(max_length=500, description="Kept with the version that this makes, if it makes one.")
]
FolderId = Annotated[UUID | None, msgspec.Meta(description="The folder it lies in; null: the root.")]
FolderName = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=150,
        pattern=r"^[^/\s](?:[^/\r\n\t]*[^/\s])?$",
        description="Unique in its place; without slashes, and without blanks at its ends.",
    ),
]
FolderPath = Annotated[
    str,
    msgspec.Meta(
        max_length=1300,
        pattern=r"^[^/\s](?:[^/\r\n\t]{0,148}[^/\s])?(?:/[^/\s](?:[^/\r\n\t]{0,148}[^/\s])?)*$",
        description="The names that lead to a folder, as `Core/Backups`; folders that are not there are made.",
    ),
]
Template = Annotated[bool, msgspec.Meta(description="A template is not run itself; duplicates of it are.")]


class WorkflowCreate(Input, frozen=True, kw_only=True):
    """A new workflow, or the whole of one that is to be replaced."""

    name: Name
    definition: DefinitionJson
    description: str = ""
    settings: WorkflowSettings = msgspec.field(default_factory=WorkflowSettings)
    folder_id: FolderId = None
    tags: Tags = []
    template: Template = False
    enabled: bool = True
    note: Note = ""


class WorkflowUpdate(Input, frozen=True, kw_only=True):
    """What changes; absent fields stay, and `settings` and `tags` are replaced as a whole."""

    name: Name | UnsetType = UNSET
    definition: DefinitionJson | UnsetType = UNSET
    description: str | UnsetType = UNSET
    settings: WorkflowSettings | UnsetType = UNSET
    folder_id: FolderId | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    template: Template | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    note: Note = ""


class DuplicateRequest(Input, frozen=True, kw_only=True):
    """What is to be different about the copy."""

    name: Annotated[Name | None, msgspec.Meta(description="Absent: the original's, with (copy) behind it.")] = None
    folder_id: FolderId | UnsetType = UNSET


class ValidateRequest(Input, frozen=True, kw_only=True):
    """A definition, perhaps with settings, to be checked and not saved."""

    definition: DefinitionJson
    settings: WorkflowSettings = msgspec.field(default_factory=WorkflowSettings)


class WorkflowRead(Output, frozen=True, kw_only=True):
    """A workflow; `version` grows with every change of definition or settings, `revision` with every change at all."""

    id: UUID
    name: str
    description: str
    definition: dict[str, Any]
    settings: WorkflowSettings
    folder_id: UUID | None
    tags: list[str]
    template: bool
    enabled: bool
    version: int
    revision: int
    created_by: str
    created_at: datetime
    updated_at: datetime


class WorkflowFile(Input, frozen=True, kw_only=True):
    """A workflow as one file; what is left out has its default."""

    name: Name
    definition: DefinitionJson
    description: str = ""
    folder: FolderPath | None = None
    tags: Tags = []
    template: Template = False
    settings: WorkflowSettings = msgspec.field(default_factory=WorkflowSettings)


class VersionRead(Output, frozen=True, kw_only=True):
    """A version of a workflow, without its content."""

    version: int
    note: str
    saved_by: str
    saved_at: datetime


class VersionDetail(VersionRead, frozen=True, kw_only=True):
    """A version of a workflow with what it was."""

    definition: dict[str, Any]
    settings: WorkflowSettings


class FolderCreate(Input, frozen=True, kw_only=True):
    """A new folder."""

    name: FolderName
    parent_id: FolderId = None


class FolderUpdate(Input, frozen=True, kw_only=True):
    """What changes; a new parent moves the folder with all that is in it."""

    name: FolderName | UnsetType = UNSET
    parent_id: FolderId | UnsetType = UNSET


class FolderRead(Output, frozen=True, kw_only=True):
    """A folder of workflows, and where it lies."""

    id: UUID
    name: str
    parent_id: UUID | None
    path: str
    workflow_count: int


class TagRead(Output, frozen=True, kw_only=True):
    """A tag, and how many workflows bear it."""

    name: str
    count: int


class TemplateRead(Output, frozen=True, kw_only=True):
    """A template that comes with the product."""

    id: str
    name: str
    description: str
    tags: list[str]
    node_types: list[str]


class TemplateDetail(TemplateRead, frozen=True, kw_only=True):
    """A template with all that a workflow made of it begins with."""

    definition: dict[str, Any]
    settings: WorkflowSettings


class InstantiateRequest(Input, frozen=True, kw_only=True):
    """The workflow that a template is to become."""

    name: Name
    folder_id: FolderId = None


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
    enabled: Annotated[bool, msgspec.Meta(description="False: its package is disabled, and it cannot be used now.")]


class PackageRead(Output, frozen=True, kw_only=True):
    """A package of node types; workflows that use a disabled one are neither saved nor started."""

    id: str
    name: str
    description: str
    enabled: bool
    node_types: list[str]


class PackageUpdate(Input, frozen=True, kw_only=True):
    """Whether a package may be used."""

    enabled: bool


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
