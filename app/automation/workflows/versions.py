"""The versions of a workflow: every definition and its settings as they were saved."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from app.automation.workflows import differences
from app.automation.workflows.differences import Differences
from app.automation.workflows.tables import Workflow, WorkflowVersion
from app.core.errors import NotFoundError
from app.core.paging import Ordering, Page, PageRequest, read_page

ORDERING = Ordering(columns={"version": WorkflowVersion.version}, key=WorkflowVersion.id, default="-version")
LISTED = (
    WorkflowVersion.id,
    WorkflowVersion.version,
    WorkflowVersion.note,
    WorkflowVersion.saved_by,
    WorkflowVersion.saved_at,
)


async def keep_version(workflow: Mapping[str, Any], saved_by: str, note: str) -> None:
    """Keep what a workflow's row holds now as its version, inside the transaction that saves it."""
    await WorkflowVersion.insert(
        WorkflowVersion(
            workflow=workflow["id"],
            version=workflow["version"],
            definition=msgspec.json.encode(workflow["definition"]).decode(),
            settings=msgspec.json.encode(workflow["settings"]).decode(),
            note=note,
            saved_by=saved_by,
        )
    )


async def list_versions(workflow_id: UUID, request: PageRequest) -> Page[dict[str, Any]]:
    """Return one page of a workflow's versions, the newest first unless sorted otherwise, without their content."""
    if not await Workflow.exists().where(Workflow.id == workflow_id):
        raise NotFoundError(f"There is no workflow {workflow_id}.", code="WORKFLOW_NOT_FOUND")
    where = WorkflowVersion.workflow == workflow_id
    return await read_page(WorkflowVersion, request, ORDERING, where, columns=LISTED)


async def get_version(workflow_id: UUID, version: int) -> dict[str, Any]:
    """Return a version with its content; raises NotFoundError."""
    where = (WorkflowVersion.workflow == workflow_id) & (WorkflowVersion.version == version)
    row = await WorkflowVersion.select().where(where).first().output(load_json=True)
    if row is None:
        raise NotFoundError(f"The workflow {workflow_id} has no version {version}.", code="VERSION_NOT_FOUND")
    return dict(row)


async def compare_versions(workflow_id: UUID, old: int, new: int) -> Differences:
    """Return what differs between two versions; raises NotFoundError."""
    before, after = await get_version(workflow_id, old), await get_version(workflow_id, new)
    return differences.compare(before, after)
