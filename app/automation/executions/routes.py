"""The HTTP door of executions: start, list, results, live events, cancel."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

import msgspec
from litestar import Controller, MediaType, Response, delete, get, post
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, PathParameter, QueryParameter
from litestar.response import ServerSentEvent, ServerSentEventMessage, Stream
from litestar.status_codes import HTTP_200_OK, HTTP_202_ACCEPTED, HTTP_204_NO_CONTENT, HTTP_304_NOT_MODIFIED
from litestar.types import ControllerRouterHandler

from app.automation.executions import artifacts, comparing, events, exporting, reading, results, service, testing
from app.automation.executions.answers import answer, answer_start, wait_up_to
from app.automation.executions.comparing import Question
from app.automation.executions.exporting import Format
from app.automation.executions.idempotency import Key
from app.automation.executions.results import ResultFilter
from app.automation.executions.schemas import (
    ArtifactRead,
    DeviceDifference,
    ExecuteRequest,
    ExecutionDetail,
    ExecutionRead,
    HostRead,
    ResultRead,
)
from app.automation.executions.service import ExecutionFilter
from app.automation.executions.statuses import ExecutionStatus, ResultStatus, TriggerKind
from app.automation.executions.testing import WorkflowTestRead, WorkflowTestRequest
from app.core.errors import MalformedError
from app.web.dependencies import Caller, Configuration, Paging, Palette, RedisClient
from app.web.envelope import Reply, page_reply, reply
from app.web.guards import requires
from app.web.idempotency import IdempotencyKey
from app.web.openapi import also_answers
from tasks.errors import ErrorClass

MAX_WAIT_S = 300
Wait = Annotated[int, QueryParameter(ge=0, le=MAX_WAIT_S, description="Seconds to wait for the end before answering.")]
NodeName = Annotated[str | None, QueryParameter(max_length=128, description="A node's id.")]
ArtifactPath = Annotated[
    Path,
    PathParameter(
        schema_extra={"format": None, "maxLength": 1000}, description="The file's path among those of the execution."
    ),
]
DeviceName = Annotated[str | None, QueryParameter(max_length=255, description="A device's name or id.")]
Iteration = Annotated[
    str | None, QueryParameter(max_length=128, description="Rounds of loops, as results show them; empty: outside.")
]
SameToo = Annotated[bool, QueryParameter(name="all", description="Also what is the same.")]
Columns = Annotated[
    str | None,
    QueryParameter(max_length=2048, description="For CSV: fields and paths such as outputs.stdout, by commas."),
]
RequesterName = Annotated[str | None, QueryParameter(max_length=150, description="A user's name or id.")]
CreatedAfter = Annotated[datetime | None, QueryParameter(description="Not before this time (RFC 3339).")]
CreatedBefore = Annotated[datetime | None, QueryParameter(description="Before this time (RFC 3339).")]
Search = Annotated[str | None, QueryParameter(max_length=255, description="Text in the workflow's or user's name.")]
DeviceSearch = Annotated[str | None, QueryParameter(max_length=255, description="Text in the device's name.")]
IfNoneMatch = Annotated[str, HeaderParameter(name="If-None-Match", max_length=1024, description="ETags known already.")]
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
        idempotency_key: IdempotencyKey = None,
    ) -> Response[Reply[ExecutionDetail]]:
        """Start a workflow: 202 with its Location, or 200 when it ended within `wait` seconds."""
        key = Key.of(idempotency_key, principal, f"workflow.execute:{workflow_id}", data)
        started = await service.start_execution(
            workflow_id, data, catalogue, principal, redis=redis, workers=settings.workers, key=key
        )
        return await answer_start(started, wait, settings)

    @post(
        "/test",
        guards=[requires("automation.workflow.run")],
        status_code=HTTP_202_ACCEPTED,
        responses={HTTP_200_OK: ResponseSpec(Reply[WorkflowTestRead], description="The test has ended.")},
        opt=also_answers(404),
    )
    async def run_workflow_test(
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
        await wait_up_to(wait, execution.id, settings)
        told = await testing.read_test(execution.id, data.expect)
        return answer(told, told.execution)


class ExecutionController(Controller):
    """Executions and their results."""

    path = "/automation/v1/executions"
    tags = ["automation: executions"]

    @get("/", guards=[requires("automation.execution.view")])
    async def list_executions(
        self,
        paging: Paging,
        *,
        workflow_id: FromQuery[UUID | None] = None,
        status: FromQuery[ExecutionStatus | None] = None,
        trigger_kind: FromQuery[TriggerKind | None] = None,
        test: FromQuery[bool] = False,
        requested_by: RequesterName = None,
        created_after: CreatedAfter = None,
        created_before: CreatedBefore = None,
        dry_run: FromQuery[bool | None] = None,
        q: Search = None,
    ) -> Reply[list[ExecutionRead]]:
        """List executions, the newest first (sort: created_at, status); tests are a list of their own."""
        filters = ExecutionFilter(
            workflow_id=workflow_id,
            status=status,
            requested_by=requested_by,
            created_after=created_after,
            created_before=created_before,
            dry_run=dry_run,
            trigger_kind=trigger_kind,
            test=test,
            q=q,
        )
        return page_reply(await service.list_executions(filters, paging), service.read_execution)

    @get("/{execution_id:uuid}", guards=[requires("automation.execution.view")])
    async def get_execution(self, execution_id: FromPath[UUID]) -> Reply[ExecutionDetail]:
        """Return an execution with its nodes."""
        return reply(await service.get_execution(execution_id))

    @get("/{execution_id:uuid}/devices", guards=[requires("automation.execution.view")])
    async def list_devices(
        self,
        execution_id: FromPath[UUID],
        paging: Paging,
        status: FromQuery[ResultStatus | None] = None,
        q: DeviceSearch = None,
    ) -> Reply[list[HostRead]]:
        """List the devices of an execution with how each fared (sort: name, status)."""
        return page_reply(await service.list_hosts(execution_id, status, paging, q), service.read_host)

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
        iteration: Iteration = None,
    ) -> Reply[list[ResultRead]]:
        """List what each node did on each device (sort: started_at, duration_ms, device)."""
        filters = ResultFilter(node=node, status=status, device=device, error_class=error_class, iteration=iteration)
        page = await results.list_results(execution_id, filters, paging, principal)
        return page_reply(page, lambda result: result)  # type: ignore[arg-type, return-value]

    @get(
        "/{execution_id:uuid}/results/export",
        guards=[requires("automation.execution.view")],
        responses={200: ResponseSpec(Any, media_type="application/octet-stream", description="The file.")},
    )
    async def export_results(
        self,
        execution_id: FromPath[UUID],
        principal: Caller,
        *,
        format: FromQuery[Format] = "json",  # noqa: A002 — what callers know it by
        columns: Columns = None,
        node: NodeName = None,
        status: FromQuery[ResultStatus | None] = None,
        device: DeviceName = None,
        error_class: FromQuery[ErrorClass | None] = None,
        iteration: Iteration = None,
    ) -> Stream:
        """Download results with their whole outputs as JSON, JSON Lines or CSV, as a stream outside the envelope."""
        filters = ResultFilter(node=node, status=status, device=device, error_class=error_class, iteration=iteration)
        pieces = await exporting.export_results(execution_id, filters, format, columns, principal)
        name = f"execution-{execution_id}.{format}"
        return Stream(
            pieces,
            media_type=exporting.MEDIA_TYPES[format],
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    @get("/{execution_id:uuid}/diff/{other:uuid}", guards=[requires("automation.execution.view")])
    async def compare_executions(
        self,
        execution_id: FromPath[UUID],
        other: FromPath[UUID],
        paging: Paging,
        principal: Caller,
        device: DeviceName = None,
        node: NodeName = None,
        same_too: SameToo = False,
    ) -> Reply[list[DeviceDifference]]:
        """Compare an execution (before) with another (after): the devices whose results differ, node by node.

        Both must have ended, and share a node and a device. Executions of different workflows are compared by the ids
        of their nodes; `meta` says whether they are of the same one, and which nodes only one of them has.
        """
        question = Question(before=execution_id, after=other, device=device, node=node, same_too=same_too)
        page, ground = await comparing.compare_executions(question, paging, principal)
        return page_reply(page, lambda difference: difference, **ground.meta())  # type: ignore[arg-type, return-value]

    @get(
        "/{execution_id:uuid}/results/{result_id:uuid}/outputs",
        guards=[requires("automation.execution.view")],
        responses={200: ResponseSpec(Reply[dict[str, Any]], generate_examples=False, description="The outputs.")},
    )
    async def get_outputs(
        self,
        execution_id: FromPath[UUID],
        result_id: FromPath[UUID],
        principal: Caller,
        if_none_match: IfNoneMatch = "",
    ) -> Response[Any]:
        """Stream the outputs of one result whole, however large; its ETag changes with what the caller may see."""
        found = await reading.open_outputs(execution_id, result_id, principal)
        tag = f'"{found.tag}"'
        headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
        if tag in [given.strip().removeprefix("W/") for given in if_none_match.split(",")]:
            return Response(None, status_code=HTTP_304_NOT_MODIFIED, headers=headers)
        return Stream(_enveloped(found.pieces), media_type=MediaType.JSON, headers=headers)

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

    @delete("/{execution_id:uuid}", guards=[requires("automation.workflow.delete")], status_code=HTTP_204_NO_CONTENT)
    async def delete_execution(self, execution_id: FromPath[UUID], principal: Caller) -> None:
        """Delete an execution that has ended, with its results and events; one that runs is refused."""
        await service.delete_execution(execution_id, principal)


async def _messages(execution_id: UUID, after: int, redis_url: str) -> AsyncIterator[ServerSentEventMessage]:
    async for event in events.follow(execution_id, after, redis_url):
        yield ServerSentEventMessage(id=str(event.seq), event=event.kind, data=msgspec.json.encode(event.body).decode())


async def _enveloped(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Wrap JSON that comes in pieces as the envelope's data."""
    yield b'{"success":true,"data":'
    async for piece in pieces:
        yield piece
    yield b',"message":null,"meta":{}}'


def _event_number(text: str | None) -> int:
    if text is None:
        return 0
    if not text.isdigit():
        raise MalformedError(f"Last-Event-ID {text!r} is not the number of an event.")
    return int(text)


class ArtifactController(Controller):
    """The files of an execution."""

    path = "/automation/v1/executions/{execution_id:uuid}/artifacts"
    tags = ["automation: executions"]

    @get("/", guards=[requires("automation.execution.view")])
    async def list_artifacts(self, execution_id: FromPath[UUID], paging: Paging) -> Reply[list[ArtifactRead]]:
        """List the files that the nodes of an execution wrote (sort: path, size_bytes, updated_at)."""
        return page_reply(await artifacts.list_artifacts(execution_id, paging), ArtifactRead.of)

    @get("/{path:path}", guards=[requires("automation.execution.view")], media_type="application/octet-stream")
    async def download_artifact(self, execution_id: FromPath[UUID], path: ArtifactPath, principal: Caller) -> Stream:
        """Download a file, outside the envelope; what looks like a device's secret is masked in texts as in results."""
        content = await artifacts.open_artifact(execution_id, path.as_posix(), principal)
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(path.name, safe='')}"}
        return Stream(content, headers=headers)


ROUTES: list[ControllerRouterHandler] = [StartController, ExecutionController, ArtifactController]
