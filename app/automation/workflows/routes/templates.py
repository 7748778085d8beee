"""The templates that come with the product, over HTTP."""

from litestar import Controller, Response, get, post
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_201_CREATED

from app.automation.workflows import templates
from app.automation.workflows.routes.answers import workflow_answer
from app.automation.workflows.schemas import InstantiateRequest, TemplateDetail, TemplateRead, WorkflowRead
from app.web.dependencies import Caller, Palette
from app.web.envelope import Reply, reply
from app.web.etags import ETAG
from app.web.guards import requires

VIEW = "automation.workflow.view"


class TemplateController(Controller):
    """Templates that come with the product; those of one's own are workflows with `template`."""

    path = "/automation/v1/workflow-templates"
    tags = ["automation: workflows"]

    @get("/", guards=[requires(VIEW)])
    async def list_templates(self) -> Reply[list[TemplateRead]]:
        """List the templates that come with the product."""
        return reply(templates.list_templates())

    @get("/{template_id:str}", guards=[requires(VIEW)])
    async def get_template(self, template_id: FromPath[str]) -> Reply[TemplateDetail]:
        """Return a template with its definition."""
        return reply(templates.get_template(template_id))

    @post("/{template_id:str}/instantiate", guards=[requires("automation.workflow.create")], response_headers=[ETAG])
    async def instantiate_template(
        self, template_id: FromPath[str], data: JSONBody[InstantiateRequest], catalogue: Palette, principal: Caller
    ) -> Response[Reply[WorkflowRead]]:
        """Save a template as a workflow of your own."""
        row = await templates.instantiate_template(template_id, data, catalogue, principal)
        return workflow_answer(row, status_code=HTTP_201_CREATED)
