"""Workflows going out as files and coming in from them; their name says which one they are."""

from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

from app.automation.workflows import folders, service
from app.automation.workflows.graph import Catalogue
from app.automation.workflows.schemas import WorkflowCreate, WorkflowFile, WorkflowUpdate
from app.automation.workflows.tables import Workflow
from app.core import database
from app.core.access import Principal

Mode = Literal["create", "upsert"]


async def content_of(workflow_id: UUID) -> tuple[Mapping[str, Any], int]:
    """Return what a workflow's file holds, and the workflow's revision; raises NotFoundError."""
    row = await service.get_workflow(workflow_id)
    return {**row, "folder": await folders.path_of(row["folder"])}, row["revision"]


async def import_workflow(
    given: WorkflowFile, mode: Mode, catalogue: Catalogue, actor: Principal
) -> tuple[dict[str, Any], bool]:
    """Store a file's workflow and say whether it is new; ``upsert`` changes the one of its name, where there is one."""
    async with database.transaction():
        folder_id = await folders.folder_at(given.folder, actor)
        there = await Workflow.select(Workflow.id).where(Workflow.name == given.name).first()
        content = {name: value for name, value in given.given().items() if name not in {"folder", "name"}}
        if there is None or mode == "create":
            created = WorkflowCreate(name=given.name, folder_id=folder_id, **content)
            return await service.create_workflow(created, catalogue, actor), True
        changes = WorkflowUpdate(folder_id=folder_id, **content)
        return await service.update_workflow(there["id"], changes, catalogue, actor), False
