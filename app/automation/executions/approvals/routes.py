"""The HTTP door of approvals."""

from uuid import UUID

from litestar import Controller, get, post
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.status_codes import HTTP_200_OK
from litestar.types import ControllerRouterHandler

from app.automation.executions.approvals import service
from app.automation.executions.approvals.schemas import ApprovalRead, ApprovalStatus, DecisionRequest
from app.web.dependencies import Caller, Paging, RedisClient
from app.web.envelope import Reply, page_reply, reply
from app.web.guards import requires


class ApprovalController(Controller):
    """What waits for somebody's consent."""

    path = "/automation/v1"
    tags = ["automation: approvals"]

    @get("/approvals", guards=[requires("automation.execution.view")])
    async def list_approvals(
        self,
        principal: Caller,
        paging: Paging,
        execution_id: FromQuery[UUID | None] = None,
        status: FromQuery[ApprovalStatus | None] = None,
    ) -> Reply[list[ApprovalRead]]:
        """List approvals, the newest first (sort: created_at, expires_at)."""
        page = await service.list_approvals(execution_id, status, paging, principal)
        return page_reply(page, lambda approval: approval)  # type: ignore[arg-type, return-value]

    @post(
        "/executions/{execution_id:uuid}/approvals/{node_id:str}",
        guards=[requires("automation.execution.approve")],
        status_code=HTTP_200_OK,
    )
    async def decide_approval(
        self,
        execution_id: FromPath[UUID],
        node_id: FromPath[str],
        data: JSONBody[DecisionRequest],
        principal: Caller,
        redis: RedisClient,
    ) -> Reply[ApprovalRead]:
        """Approve or reject what an execution waits for; whoever started it cannot."""
        return reply(await service.decide(execution_id, node_id, data, principal, redis))


ROUTES: list[ControllerRouterHandler] = [ApprovalController]
