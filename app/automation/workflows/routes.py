"""The HTTP door of workflows and the node catalogue."""

from typing import Annotated
from uuid import UUID

from anyio import to_thread
from litestar import Controller, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK
from litestar.types import ControllerRouterHandler

from app.automation.workflows import palette, prerequisites, service
from app.automation.workflows.schemas import (
    FaultRead,
    NodeTypeRead,
    PackageRead,
    ParseRead,
    ParseRequest,
    ParserRead,
    PlanRead,
    StageRead,
    ValidateRequest,
    ValidationRead,
    WorkflowCreate,
    WorkflowRead,
    WorkflowUpdate,
)
from app.automation.workflows.service import WorkflowFilter
from app.web.dependencies import Caller, Paging, Palette
from app.web.envelope import Reply, page_reply, reply
from app.web.guards import requires

Search = Annotated[str | None, QueryParameter(max_length=150, description="Text to look for in the name.")]
ExactName = Annotated[str | None, QueryParameter(max_length=150, description="The exact name.")]
Platform = Annotated[str | None, QueryParameter(max_length=64, description="A platform such as ciena_saos.")]
Tag = Annotated[str | None, QueryParameter(max_length=64, description="A tag the workflow bears.")]


class WorkflowController(Controller):
    """Workflow definitions."""

    path = "/automation/v1/workflows"
    tags = ["automation: workflows"]

    @get("/", guards=[requires("automation.workflow.view")])
    async def list_workflows(
        self,
        paging: Paging,
        name: ExactName = None,
        q: Search = None,
        enabled: FromQuery[bool | None] = None,
        tag: Tag = None,
    ) -> Reply[list[WorkflowRead]]:
        """List workflows, by name unless sorted otherwise (name, created_at, updated_at)."""
        filters = WorkflowFilter(name=name, q=q, enabled=enabled, tag=tag)
        return page_reply(await service.list_workflows(filters, paging), WorkflowRead.of)

    @post("/", guards=[requires("automation.workflow.create")])
    async def create_workflow(
        self, data: JSONBody[WorkflowCreate], catalogue: Palette, principal: Caller
    ) -> Reply[WorkflowRead]:
        """Save a new workflow; a definition with faults is refused with all of them."""
        return reply(WorkflowRead.of(await service.create_workflow(data, catalogue, principal)))

    @post("/validate", guards=[requires("automation.workflow.view")], status_code=HTTP_200_OK)
    async def validate_workflow(self, data: JSONBody[ValidateRequest], catalogue: Palette) -> Reply[ValidationRead]:
        """Check a definition without saving it, and show the plan an execution would follow."""
        verdict, plan = service.check_definition(data.definition, catalogue)
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

    @get("/{workflow_id:uuid}", guards=[requires("automation.workflow.view")])
    async def get_workflow(self, workflow_id: FromPath[UUID]) -> Reply[WorkflowRead]:
        """Return a workflow with its definition."""
        return reply(WorkflowRead.of(await service.get_workflow(workflow_id)))

    @patch("/{workflow_id:uuid}", guards=[requires("automation.workflow.edit")])
    async def update_workflow(
        self, workflow_id: FromPath[UUID], data: JSONBody[WorkflowUpdate], catalogue: Palette, principal: Caller
    ) -> Reply[WorkflowRead]:
        """Change a workflow; a changed definition gets a new version."""
        return reply(WorkflowRead.of(await service.update_workflow(workflow_id, data, catalogue, principal)))

    @delete("/{workflow_id:uuid}", guards=[requires("automation.workflow.delete")], status_code=HTTP_200_OK)
    async def delete_workflow(self, workflow_id: FromPath[UUID], principal: Caller) -> Reply[None]:
        """Delete a workflow; executions of it keep what they ran."""
        await service.delete_workflow(workflow_id, principal)
        return reply(None, "The workflow is deleted.")


class PaletteController(Controller):
    """What workflows can be made of."""

    path = "/automation/v1"
    tags = ["automation: palette"]

    @get("/node-types", guards=[requires("automation.workflow.view")])
    async def list_node_types(self, catalogue: Palette) -> Reply[list[NodeTypeRead]]:
        """List all node types with the JSON Schema of their parameters."""
        return reply(palette.list_node_types(catalogue))

    @get("/node-types/{node_type:str}", guards=[requires("automation.workflow.view")])
    async def get_node_type(self, node_type: FromPath[str], catalogue: Palette) -> Reply[NodeTypeRead]:
        """Return one node type."""
        return reply(palette.get_node_type(node_type, catalogue))

    @get("/packages", guards=[requires("automation.workflow.view")])
    async def list_packages(self, catalogue: Palette) -> Reply[list[PackageRead]]:
        """List the packages of node types."""
        return reply(palette.list_packages(catalogue))

    @get("/parsers", guards=[requires("automation.workflow.view")])
    async def list_parsers(self, platform: Platform = None) -> Reply[list[ParserRead]]:
        """List our own parsers; every command of ntc-templates can be parsed too."""
        return reply(palette.list_parsers(platform))

    @post("/parsers/parse", guards=[requires("automation.workflow.view")], status_code=HTTP_200_OK)
    async def parse_text(self, data: JSONBody[ParseRequest]) -> Reply[ParseRead]:
        """Try a parser on a text as a device printed it."""
        return reply(await to_thread.run_sync(palette.parse_text, data))


ROUTES: list[ControllerRouterHandler] = [WorkflowController, PaletteController]
