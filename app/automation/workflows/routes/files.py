"""Workflows as files over HTTP."""

from typing import Annotated
from uuid import UUID

from anyio import to_thread
from litestar import Controller, Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED

from app.automation.workflows import exchange
from app.automation.workflows.exchange import Mode
from app.automation.workflows.files import Format, write_text
from app.automation.workflows.routes.answers import workflow_answer
from app.automation.workflows.routes.bodies import MEDIA_TYPES, ExportOperation, ImportOperation, read_file
from app.automation.workflows.schemas import WorkflowRead
from app.web.bodies import ApiRequest
from app.web.dependencies import Caller, Palette
from app.web.envelope import Reply
from app.web.etags import ETAG, etag
from app.web.guards import requires

FormatName = Annotated[Format, QueryParameter(description="The form of the file.")]
ModeName = Annotated[
    Mode, QueryParameter(description="`upsert` changes the workflow of this name, where there is one already.")
]


class FileController(Controller):
    """Workflows as files."""

    path = "/automation/v1/workflows"
    tags = ["automation: workflows"]

    @get(
        "/{workflow_id:uuid}/export",
        guards=[requires("automation.workflow.view")],
        response_headers=[ETAG],
        operation_class=ExportOperation,
    )
    async def export_workflow(self, workflow_id: FromPath[UUID], format: FormatName = "yaml") -> Response[str]:  # noqa: A002 — the parameter's name
        """Return a workflow as one file; the same workflow always gives the same text."""
        content, revision = await exchange.content_of(workflow_id)
        text = await to_thread.run_sync(write_text, content, format)
        headers = {**etag(revision), "Content-Disposition": f'attachment; filename="{workflow_id}.{format}"'}
        return Response(text, media_type=MEDIA_TYPES[format], headers=headers)

    @post(
        "/import",
        guards=[requires("automation.workflow.create")],
        operation_class=ImportOperation,
        response_headers=[ETAG],
        responses={HTTP_200_OK: ResponseSpec(data_container=Reply[WorkflowRead], description="It was there already.")},
    )
    async def import_workflow(
        self, request: ApiRequest, catalogue: Palette, principal: Caller, mode: ModeName = "create"
    ) -> Response[Reply[WorkflowRead]]:
        """Store the workflow in a file, YAML or JSON; what the file leaves out gets its default.

        Folders that are not there are made. Changing a workflow (mode upsert) needs automation.workflow.edit too, and
        answers 200.
        """
        if mode == "upsert":
            principal.require("automation.workflow.edit")
        given = await read_file(request)
        row, created = await exchange.import_workflow(given, mode, catalogue, principal)
        return workflow_answer(row, status_code=HTTP_201_CREATED if created else HTTP_200_OK)
