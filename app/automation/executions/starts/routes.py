"""The HTTP door of the other starts: a single node, and webhooks, whose senders bring a secret of their own."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, MediaType, Request, Response, post, route
from litestar.enums import HttpMethod
from litestar.params import FromPath, JSONBody, PathParameter, QueryParameter
from litestar.status_codes import HTTP_202_ACCEPTED
from litestar.types import ControllerRouterHandler

from app.automation.executions import service
from app.automation.executions.answers import answer_start
from app.automation.executions.idempotency import Key
from app.automation.executions.schemas import ExecutionDetail
from app.automation.executions.starts import responses, webhooks
from app.automation.executions.starts.reruns import rerun
from app.automation.executions.starts.responses import OwnResponse
from app.automation.executions.starts.schemas import NodeRunRequest, RerunRequest, WebhookAccepted
from app.automation.executions.starts.signatures import Incoming
from app.automation.executions.starts.single_node import run_node
from app.core.clock import now
from app.web.dependencies import Caller, Configuration, Palette, RedisClient
from app.web.envelope import Reply, reply
from app.web.guards import public, requires
from app.web.idempotency import IdempotencyKey
from app.web.openapi import also_answers
from app.web.query import any_query
from tasks.trigger import MAX_PATH_CHARS, PATH

MAX_WAIT_S = 300
MAX_WEBHOOK_BYTES = 1024 * 1024
OWN_POLICY = "default-src 'none'; sandbox"
"""What a workflow sends to a browser is a stranger's page: it runs no scripts and is of no origin."""
WebhookPath = Annotated[
    str, PathParameter(pattern=PATH, max_length=MAX_PATH_CHARS, description="The path of a webhook trigger.")
]
Wait = Annotated[int, QueryParameter(ge=0, le=MAX_WAIT_S, description="Seconds to wait for the end before answering.")]


class NodeController(Controller):
    """Single nodes."""

    path = "/automation/v1/nodes"
    tags = ["automation: executions"]

    @post("/{node_type:str}/run", guards=[requires("automation.workflow.run")], status_code=HTTP_202_ACCEPTED)
    async def run_node(
        self,
        node_type: FromPath[str],
        data: JSONBody[NodeRunRequest],
        catalogue: Palette,
        principal: Caller,
        redis: RedisClient,
        settings: Configuration,
        wait: Wait = 0,
        idempotency_key: IdempotencyKey = None,
    ) -> Response[Reply[ExecutionDetail]]:
        """Run one node by itself: 202 with the Location of its execution, or 200 when it ended within `wait` seconds.

        It needs automation.workflow.create too.
        """
        key = Key.of(idempotency_key, principal, f"node.run:{node_type}", data)
        started = await run_node(node_type, data, catalogue, principal, redis=redis, workers=settings.workers, key=key)
        return await answer_start(started, wait, settings)


class RerunController(Controller):
    """Executions once more."""

    path = "/automation/v1/executions"
    tags = ["automation: executions"]

    @post("/{execution_id:uuid}/rerun", guards=[requires("automation.workflow.run")], status_code=HTTP_202_ACCEPTED)
    async def rerun_execution(
        self,
        execution_id: FromPath[UUID],
        data: JSONBody[RerunRequest],
        catalogue: Palette,
        principal: Caller,
        redis: RedisClient,
        settings: Configuration,
        wait: Wait = 0,
        idempotency_key: IdempotencyKey = None,
    ) -> Response[Reply[ExecutionDetail]]:
        """Run an execution that has ended once more, with the definition and the variables that it had.

        Changes whose effect is unknown are sent again: look at the devices first.
        """
        key = Key.of(idempotency_key, principal, f"execution.rerun:{execution_id}", data)
        started = await rerun(execution_id, data, catalogue, principal, redis=redis, workers=settings.workers, key=key)
        return await answer_start(started, wait, settings)


class WebhookController(Controller):
    """Webhooks."""

    path = "/automation/v1/webhooks"
    tags = ["automation: webhooks"]

    @route(
        "/{path:path}",
        http_method=[HttpMethod.GET, HttpMethod.POST, HttpMethod.PUT, HttpMethod.DELETE],
        guards=[public],
        status_code=HTTP_202_ACCEPTED,
        request_max_body_size=MAX_WEBHOOK_BYTES,
        opt={**also_answers(400, 403, 409, 413, 429, 502), **any_query()},
    )
    async def receive_webhook(
        self,
        path: WebhookPath,
        request: Request[Any, Any, Any],
        catalogue: Palette,
        redis: RedisClient,
        settings: Configuration,
    ) -> Response[Any]:
        """Start the workflow that listens at a path, for a sender who knows its secret.

        The answer is 202 with the execution's id, or the workflow's own where its trigger says so. An unknown path and
        a wrong secret are answered alike.
        """
        incoming = await _incoming(request, path)
        fired = await webhooks.fire(incoming, catalogue, redis=redis, workers=settings.workers)
        own = await responses.own_response(fired, catalogue, settings.require_redis())
        if own is not None:
            return _own(own)
        execution = await service.get_execution(fired.execution_id)
        return Response(
            reply(WebhookAccepted(execution_id=execution.id, status=execution.status)), media_type=MediaType.JSON
        )


async def _incoming(request: Request[Any, Any, Any], path: str) -> Incoming:
    return Incoming(
        method=request.method,
        path=path.strip("/"),
        headers={name.lower(): value for name, value in request.headers.items()},
        query={name: values[0] if len(values) == 1 else values for name, values in request.query_params.dict().items()},
        body=await request.body(),
        at=now(),
    )


def _own(response: OwnResponse) -> Response[bytes]:
    headers = {name: value for name, value in response.headers.items() if name != "content-type"}
    return Response(
        response.body,
        status_code=response.status,
        headers={**headers, "Content-Security-Policy": OWN_POLICY},
        media_type=response.headers.get("content-type", "text/plain"),
    )


ROUTES: list[ControllerRouterHandler] = [NodeController, RerunController, WebhookController]
