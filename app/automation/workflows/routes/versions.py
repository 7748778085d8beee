"""The versions of a workflow over HTTP."""

from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.params import FromPath
from litestar.status_codes import HTTP_200_OK

from app.automation.workflows import service, versions
from app.automation.workflows.differences import Differences
from app.automation.workflows.routes.answers import workflow_answer
from app.automation.workflows.schemas import VersionDetail, VersionRead, WorkflowRead
from app.web.dependencies import Caller, Paging, Palette
from app.web.envelope import Reply, page_reply, reply
from app.web.etags import ETAG, IfMatch, wanted_revisions
from app.web.guards import requires
from app.web.openapi import also_answers

VIEW = "automation.workflow.view"


class VersionController(Controller):
    """What workflows were."""

    path = "/automation/v1/workflows/{workflow_id:uuid}/versions"
    tags = ["automation: workflows"]

    @get("/", guards=[requires(VIEW)])
    async def list_versions(self, workflow_id: FromPath[UUID], paging: Paging) -> Reply[list[VersionRead]]:
        """List the versions of a workflow, the newest first (sort: version)."""
        return page_reply(await versions.list_versions(workflow_id, paging), VersionRead.of)

    @get("/{version:int}", guards=[requires(VIEW)])
    async def get_version(self, workflow_id: FromPath[UUID], version: FromPath[int]) -> Reply[VersionDetail]:
        """Return a version with its definition and settings."""
        return reply(VersionDetail.of(await versions.get_version(workflow_id, version)))

    @get("/{old:int}/diff/{new:int}", guards=[requires(VIEW)])
    async def compare_versions(
        self, workflow_id: FromPath[UUID], old: FromPath[int], new: FromPath[int]
    ) -> Reply[Differences]:
        """Say what differs between two versions; nodes that only stand elsewhere are in `moved`."""
        return reply(await versions.compare_versions(workflow_id, old, new))

    @post(
        "/{version:int}/restore",
        guards=[requires("automation.workflow.edit")],
        status_code=HTTP_200_OK,
        response_headers=[ETAG],
        opt=also_answers(400),
    )
    async def restore_version(
        self,
        workflow_id: FromPath[UUID],
        version: FromPath[int],
        catalogue: Palette,
        principal: Caller,
        if_match: IfMatch = None,
    ) -> Response[Reply[WorkflowRead]]:
        """Save what a version was as a new one; nothing of those between is lost."""
        revisions = wanted_revisions(if_match)
        row = await service.restore_version(workflow_id, version, catalogue, principal, revisions)
        return workflow_answer(row, f"Version {version} is version {row['version']} now.")
