"""Workflows over HTTP."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post, put
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED, HTTP_304_NOT_MODIFIED

from app.automation.workflows import prerequisites, service, tags
from app.automation.workflows.packages import disabled_packages
from app.automation.workflows.routes.answers import place_of, read_workflow, workflow_answer
from app.automation.workflows.schemas import (
    DuplicateRequest,
    FaultRead,
    PlanRead,
    StageRead,
    TagRead,
    ValidateRequest,
    ValidationRead,
    WorkflowCreate,
    WorkflowRead,
    WorkflowUpdate,
)
from app.automation.workflows.service import WorkflowFilter
from app.web.dependencies import Caller, Paging, Palette
from app.web.envelope import Reply, page_reply, reply
from app.web.etags import ETAG, IfMatch, IfNoneMatch, etag, is_known, wanted_revisions
from app.web.guards import requires
from app.web.openapi import also_answers

VIEW, CREATE, EDIT = "automation.workflow.view", "automation.workflow.create", "automation.workflow.edit"
Search = Annotated[str | None, QueryParameter(max_length=150, description="Text to look for in the name.")]
ExactName = Annotated[str | None, QueryParameter(max_length=150, description="The exact name.")]
Tag = Annotated[str | None, QueryParameter(max_length=64, description="A tag the workflow bears.")]
FolderText = Annotated[
    str | None, QueryParameter(max_length=36, description="The id of the folder it lies in, or `null`: the root.")
]
IsTemplate = Annotated[bool | None, QueryParameter(description="Only templates, or only what is none.")]
UNCHANGED = {HTTP_304_NOT_MODIFIED: ResponseSpec(data_container=None, description="The ETag still holds.")}


class WorkflowController(Controller):
    """Workflow definitions."""

    path = "/automation/v1/workflows"
    tags = ["automation: workflows"]

    @get("/", guards=[requires(VIEW)])
    async def list_workflows(
        self,
        *,
        paging: Paging,
        name: ExactName = None,
        q: Search = None,
        enabled: FromQuery[bool | None] = None,
        tag: Tag = None,
        folder_id: FolderText = None,
        template: IsTemplate = None,
    ) -> Reply[list[WorkflowRead]]:
        """List workflows, by name unless sorted otherwise (name, created_at, updated_at)."""
        folder, at_root = place_of("folder_id", folder_id)
        filters = WorkflowFilter(
            name=name, q=q, enabled=enabled, tag=tag, folder=folder, at_root=at_root, template=template
        )
        return page_reply(await service.list_workflows(filters, paging), read_workflow)

    @post("/", guards=[requires(CREATE)], response_headers=[ETAG])
    async def create_workflow(
        self, data: JSONBody[WorkflowCreate], catalogue: Palette, principal: Caller
    ) -> Response[Reply[WorkflowRead]]:
        """Save a new workflow; a definition with faults is refused with all of them."""
        row = await service.create_workflow(data, catalogue, principal)
        return workflow_answer(row, status_code=HTTP_201_CREATED)

    @post("/validate", guards=[requires(VIEW)], status_code=HTTP_200_OK)
    async def validate_workflow(self, data: JSONBody[ValidateRequest], catalogue: Palette) -> Reply[ValidationRead]:
        """Check a definition without saving it, and show the plan an execution would follow."""
        service.require_sound(data.settings)
        verdict, plan = service.check_definition(data.definition, catalogue, await disabled_packages())
        missing = await prerequisites.find_missing(verdict.definition, catalogue)
        return reply(
            ValidationRead(
                valid=verdict.valid,
                errors=[FaultRead.of(fault) for fault in verdict.errors],
                warnings=[FaultRead.of(fault) for fault in [*verdict.warnings, *missing]],
                plan=None
                if plan is None
                else PlanRead(
                    trigger=plan.trigger,
                    stages=[
                        StageRead(
                            index=stage.index,
                            scope=stage.scope,
                            rank=stage.rank,
                            nodes=list(stage.nodes),
                            predecessors=list(stage.predecessors),
                        )
                        for stage in plan.stages
                    ],
                    unreachable=list(plan.unreachable),
                ),
            )
        )

    @get("/tags", guards=[requires(VIEW)])
    async def list_tags(self, paging: Paging) -> Reply[list[TagRead]]:
        """List the tags that workflows bear, by name, each with how many bear it; to change them, PATCH a workflow."""
        return page_reply(await tags.list_tags(paging), TagRead.of)

    @get(
        "/{workflow_id:uuid}",
        guards=[requires(VIEW)],
        response_headers=[ETAG],
        responses=UNCHANGED,
        opt=also_answers(400),
    )
    async def get_workflow(
        self, workflow_id: FromPath[UUID], if_none_match: IfNoneMatch = None
    ) -> Response[Reply[WorkflowRead]]:
        """Return a workflow with its definition."""
        row = await service.get_workflow(workflow_id)
        if is_known(if_none_match, row["revision"]):
            return Response(None, status_code=HTTP_304_NOT_MODIFIED, headers=etag(row["revision"]))  # type: ignore[arg-type]
        return workflow_answer(row)

    @patch("/{workflow_id:uuid}", guards=[requires(EDIT)], response_headers=[ETAG])
    async def update_workflow(
        self,
        workflow_id: FromPath[UUID],
        data: JSONBody[WorkflowUpdate],
        catalogue: Palette,
        principal: Caller,
        if_match: IfMatch = None,
    ) -> Response[Reply[WorkflowRead]]:
        """Change a workflow; a changed definition or changed settings get a new version."""
        revisions = wanted_revisions(if_match)
        return workflow_answer(await service.update_workflow(workflow_id, data, catalogue, principal, revisions))

    @put("/{workflow_id:uuid}", guards=[requires(EDIT)], response_headers=[ETAG])
    async def replace_workflow(
        self,
        workflow_id: FromPath[UUID],
        data: JSONBody[WorkflowCreate],
        catalogue: Palette,
        principal: Caller,
        if_match: IfMatch = None,
    ) -> Response[Reply[WorkflowRead]]:
        """Make a workflow what the body says as a whole: what it leaves out gets its default."""
        revisions = wanted_revisions(if_match)
        return workflow_answer(await service.replace_workflow(workflow_id, data, catalogue, principal, revisions))

    @delete(
        "/{workflow_id:uuid}",
        guards=[requires("automation.workflow.delete")],
        status_code=HTTP_200_OK,
        opt=also_answers(400),
    )
    async def delete_workflow(
        self, workflow_id: FromPath[UUID], principal: Caller, if_match: IfMatch = None
    ) -> Reply[None]:
        """Delete a workflow with its versions; executions of it keep what they ran."""
        await service.delete_workflow(workflow_id, principal, wanted_revisions(if_match))
        return reply(None, "The workflow is deleted.")

    @post("/{workflow_id:uuid}/duplicate", guards=[requires(CREATE)], response_headers=[ETAG])
    async def duplicate_workflow(
        self, workflow_id: FromPath[UUID], data: JSONBody[DuplicateRequest], catalogue: Palette, principal: Caller
    ) -> Response[Reply[WorkflowRead]]:
        """Save a copy of a workflow; the copy of a template is a workflow that can be run."""
        row = await service.duplicate_workflow(workflow_id, data, catalogue, principal)
        return workflow_answer(row, status_code=HTTP_201_CREATED)
