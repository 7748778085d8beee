"""The HTTP door of executions: start, list, results, live events, cancel."""

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

import anyio
import msgspec
from litestar import Controller, Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter
from litestar.response import ServerSentEvent, ServerSentEventMessage
from litestar.status_codes import HTTP_200_OK, HTTP_202_ACCEPTED
from litestar.types import ControllerRouterHandler

from app.automation.executions import events, service, testing
from app.automation.executions.schemas import ExecuteRequest, ExecutionDetail, ExecutionRead, HostRead, ResultRead
from app.automation.executions.service import ExecutionFilter, ResultFilter
from app.automation.executions.statuses import ENDED, ExecutionStatus, ResultStatus
from app.automation.executions.testing import WorkflowTestRead, WorkflowTestRequest
from app.core.errors import MalformedError
from app.web.dependencies import Caller, Configuration, Paging, Palette, RedisClient
from app.web.envelope import Reply, page_reply, reply
from app.web.guards import requires
from app.web.openapi import also_answers
from tasks.errors import ErrorClass

MAX_WAIT_S = 300
Wait = Annotated[int, QueryParameter(ge=0, le=MAX_WAIT_S, description="Seconds to wait for the end before answering.")]
NodeName = Annotated[str | None, QueryParameter(max_length=128, description="A node's id.")]
DeviceName = Annotated[str | None, QueryParameter(max_length=255, description="A device's name or id.")]
LastEventId = Annotated[
    str | None,
    HeaderParameter(name="Last-Event-ID", max_length=20, description="The last event seen; those after it follow."),
]


class StartController(Controller):
    """Starting workflows."""

    path = "/automation/v1/workflows"
    tags = ["automation: executions"]

    @post("/{workflow_id:uuid}/execute", guards=[requires("automation.workflow.run")], status_code=HTTP_202_ACCEPTED)
    async def execute_workflow(
        self,
        workflow_id: FromPath[UUID],
        data: JSONBody[ExecuteRequest],
        catalogue: Palette,
        principal: Caller,
        redis: RedisClient,
        settings: Configuration,
        wait: Wait = 0,
    ) -> Response[Reply[ExecutionDetail]]:
        """Start a workflow: 202 with its Location, or 200 when it ended within `wait` seconds."""
        execution = await service.start_execution(
            workflow_id, data, catalogue, principal, redis=redis, workers=settings.workers
        )
        with anyio.move_on_after(wait):
            await service.wait_for_end(execution.id, settings.require_redis())
        execution = await service.get_execution(execution.id)
        return Response(
            reply(execution),
            status_code=HTTP_200_OK if execution.status in ENDED else HTTP_202_ACCEPTED,
            headers={"Location": f"/automation/v1/executions/{execution.id}"},
        )

    @post(
        "/test",
        guards=[requires("automation.workflow.run")],
        status_code=HTTP_202_ACCEPTED,
        responses={HTTP_200_OK: ResponseSpec(Reply[WorkflowTestRead], description="The test has ended.")},
        opt=also_answers(404),
    )
    async def test_workflow(
        self,
        data: JSONBody[WorkflowTestRequest],
        catalogue: Palette,
        principal: Caller,
        redis: RedisClient,
        settings: Configuration,
        wait: Wait = 60,
    ) -> Response[Reply[WorkflowTestRead]]:
        """Test a workflow on invented devices, nothing real happening: 200 when it ended within `wait` seconds.

        Every node that touches what is outside needs a mock; what is expected is compared once it has ended.
        """
        execution = await testing.start_test(data, catalogue, principal, redis=redis, workers=settings.workers)
        with anyio.move_on_after(wait):
            await service.wait_for_end(execution.id, settings.require_redis())
        told = await testing.read_test(execution.id, data.expect)
        return Response(
            reply(told),
            status_code=HTTP_200_OK if told.execution.status in ENDED else HTTP_202_ACCEPTED,
            headers={"Location": f"/automation/v1/executions/{execution.id}"},
        )


class ExecutionController(Controller):
    """Executions and their results."""

    path = "/automation/v1/executions"
    tags = ["automation: executions"]

    @get("/", guards=[requires("automation.execution.view")])
    async def list_executions(
        self,
        paging: Paging,
        workflow_id: FromQuery[UUID | None] = None,
        status: FromQuery[ExecutionStatus | None] = None,
        test: FromQuery[bool] = False,
    ) -> Reply[list[ExecutionRead]]:
        """List executions, the newest first (sort: created_at, status); tests are a list of their own."""
        filters = ExecutionFilter(workflow_id=workflow_id, status=status, test=test)
        return page_reply(await service.list_executions(filters, paging), service.read_execution)

    @get("/{execution_id:uuid}", guards=[requires("automation.execution.view")])
    async def get_execution(self, execution_id: FromPath[UUID]) -> Reply[ExecutionDetail]:
        """Return an execution with its nodes."""
        return reply(await service.get_execution(execution_id))

    @get("/{execution_id:uuid}/devices", guards=[requires("automation.execution.view")])
    async def list_devices(
        self, execution_id: FromPath[UUID], paging: Paging, status: FromQuery[ResultStatus | None] = None
    ) -> Reply[list[HostRead]]:
        """List the devices of an execution with how each fared (sort: name, status)."""
        return page_reply(await service.list_hosts(execution_id, status, paging), service.read_host)

    @get("/{execution_id:uuid}/results", guards=[requires("automation.execution.view")])
    async def list_results(
        self,
        execution_id: FromPath[UUID],
        paging: Paging,
        principal: Caller,
        node: NodeName = None,
        status: FromQuery[ResultStatus | None] = None,
        device: DeviceName = None,
        error_class: FromQuery[ErrorClass | None] = None,
    ) -> Reply[list[ResultRead]]:
        """List what each node did on each device (sort: started_at, duration_ms, device)."""
        filters = ResultFilter(node=node, status=status, device=device, error_class=error_class)
        page = await service.list_results(execution_id, filters, paging, principal)
        return page_reply(page, lambda result: result)  # type: ignore[arg-type, return-value]

    @get("/{execution_id:uuid}/results/{result_id:uuid}/outputs", guards=[requires("automation.execution.view")])
    async def get_outputs(
        self, execution_id: FromPath[UUID], result_id: FromPath[UUID], principal: Caller
    ) -> Reply[dict[str, Any]]:
        """Return the outputs of one result whole, however large they are."""
        return reply(await service.get_outputs(execution_id, result_id, principal))

    @get(
        "/{execution_id:uuid}/events",
        guards=[requires("automation.execution.view")],
        media_type="text/event-stream",
        opt=also_answers(400),
    )
    async def follow_events(
        self, execution_id: FromPath[UUID], settings: Configuration, last_event_id: LastEventId = None
    ) -> ServerSentEvent:
        """Stream the execution's events (execution.*, node.*, device.*) as they come, until it has ended.

        After a cut, send the last `id` as Last-Event-ID: no event is missed and none comes twice.
        """
        after = _event_number(last_event_id)
        await service.get_execution(execution_id)
        return ServerSentEvent(_messages(execution_id, after, settings.require_redis()))

    @post(
        "/{execution_id:uuid}/cancel", guards=[requires("automation.execution.cancel")], status_code=HTTP_202_ACCEPTED
    )
    async def cancel_execution(
        self, execution_id: FromPath[UUID], principal: Caller, redis: RedisClient
    ) -> Reply[ExecutionDetail]:
        """Cancel an execution: no new command starts from now on, and what is under way is cut within seconds."""
        return reply(await service.cancel_execution(execution_id, principal, redis))


async def _messages(execution_id: UUID, after: int, redis_url: str) -> AsyncIterator[ServerSentEventMessage]:
    async for event in events.follow(execution_id, after, redis_url):
        yield ServerSentEventMessage(id=str(event.seq), event=event.kind, data=msgspec.json.encode(event.body).decode())


def _event_number(text: str | None) -> int:
    if text is None:
        return 0
    if not text.isdigit():
        raise MalformedError(f"Last-Event-ID {text!r} is not the number of an event.")
    return int(text)


ROUTES: list[ControllerRouterHandler] = [StartController, ExecutionController]
