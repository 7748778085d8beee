"""What the routes that start something answer: the execution, once it has ended or the caller's patience has."""

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


async def answer_start(started: Started, wait_s: int, settings: Settings) -> Response[Reply[ExecutionDetail]]:
    """Answer 202 with the execution's Location, or 200 when it ended within ``wait_s`` seconds."""
    with anyio.move_on_after(wait_s):
        await service.wait_for_end(started.execution_id, settings.require_redis())
    execution = await service.get_execution(started.execution_id)
    return Response(
        reply(execution),
        status_code=HTTP_200_OK if execution.status in ENDED else HTTP_202_ACCEPTED,
        headers={
            "Location": f"/automation/v1/executions/{execution.id}",
            **({REPLAYED: "true"} if started.replayed else {}),
        },
    )
