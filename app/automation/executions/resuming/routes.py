"""The HTTP door of resuming."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, post
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK
from litestar.types import ControllerRouterHandler

from app.automation.executions.resuming import service
from app.automation.executions.resuming.schemas import ResumeRead
from app.automation.executions.resuming.service import Resumption
from app.web.dependencies import Caller, RedisClient
from app.web.envelope import Reply, reply
from app.web.guards import requires

MAX_DATA_BYTES = 64 * 1024
Device = Annotated[
    str | None, QueryParameter(max_length=255, description="A device's name or id; left out: wherever it waits.")
]
Round = Annotated[
    str | None, QueryParameter(max_length=128, description="Rounds of loops, as results show them; left out: any.")
]


class ResumeController(Controller):
    """What waits for somebody in a node."""

    path = "/automation/v1/executions"
    tags = ["automation: executions"]

    @post(
        "/{execution_id:uuid}/resume/{node_id:str}",
        guards=[requires("automation.workflow.run")],
        status_code=HTTP_200_OK,
        request_max_body_size=MAX_DATA_BYTES,
    )
    async def resume_execution(
        self,
        execution_id: FromPath[UUID],
        node_id: FromPath[str],
        data: JSONBody[dict[str, Any]],
        principal: Caller,
        redis: RedisClient,
        device: Device = None,
        iteration: Round = None,
    ) -> Reply[ResumeRead]:
        """Let a node go on that waits to be resumed; the body, a JSON object of at most 64 KiB, is its output `data`.

        The same call again resumes nothing twice.
        """
        asked = Resumption(execution_id=execution_id, node_id=node_id, device=device, iteration=iteration)
        return reply(await service.resume(asked, data, principal, redis))


ROUTES: list[ControllerRouterHandler] = [ResumeController]
