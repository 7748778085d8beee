"""What the routes that start something answer: the execution, once it has ended or the caller's patience has."""

from typing import TypeVar
from uuid import UUID

import anyio
from litestar import Response
from litestar.status_codes import HTTP_200_OK, HTTP_202_ACCEPTED

from app.automation.executions import service
from app.automation.executions.idempotency import Started
from app.automation.executions.schemas import ExecutionDetail
from app.automation.executions.statuses import ENDED
from app.core.settings import Settings
from app.web.envelope import Reply, reply
from app.web.idempotency import REPLAYED

T = TypeVar("T")


async def answer_start(started: Started, wait_s: int, settings: Settings) -> Response[Reply[ExecutionDetail]]:
    """Answer 202 with the execution's Location, or 200 when it ended within ``wait_s`` seconds."""
    await wait_up_to(wait_s, started.execution_id, settings)
    execution = await service.get_execution(started.execution_id)
    return answer(execution, execution, **({REPLAYED: "true"} if started.replayed else {}))


async def wait_up_to(wait_s: int, execution_id: UUID, settings: Settings) -> None:
    """Wait until an execution has ended, for so many seconds at most."""
    with anyio.move_on_after(wait_s):
        await service.wait_for_end(execution_id, settings.require_redis())


def answer(told: T, execution: ExecutionDetail, **headers: str) -> Response[Reply[T]]:
    """Answer with an execution's Location: 200 once it has ended, 202 before."""
    return Response(
        reply(told),
        status_code=HTTP_200_OK if execution.status in ENDED else HTTP_202_ACCEPTED,
        headers={"Location": f"/automation/v1/executions/{execution.id}", **headers},
    )
