"""What a webhook's sender is answered: that it has started, or what the workflow has to say when it is that far."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import anyio
import msgspec

from app.automation.executions import events, outputs
from app.automation.executions.records import ONCE
from app.automation.executions.redaction import redact
from app.automation.executions.starts.webhooks import Fired
from app.automation.workflows.graph import Catalogue
from app.automation.workflows.trigger_nodes import RESPOND, of_type
from app.core import database
from app.core.errors import UpstreamError

WAIT_S = 30.0
"""How long a sender waits at most; the execution goes on whether he does or not."""
WELL = frozenset({"success", "partial"})


@dataclass(frozen=True, kw_only=True)
class OwnResponse:
    """An answer in a workflow's own words."""

    status: int
    headers: dict[str, str]
    body: bytes


async def own_response(fired: Fired, catalogue: Catalogue, redis_url: str) -> OwnResponse | None:
    """Wait for what a workflow answers; None when it has not come to that within the time, or is not to be waited for.

    Raises UpstreamError when the workflow fails before it has answered.
    """
    mode = fired.hook.params.response_mode
    if mode == "immediately":
        return None
    responding = {node.id for node in of_type(fired.hook.definition, catalogue, RESPOND)}
    with anyio.move_on_after(WAIT_S):
        async for event in events.follow(fired.execution_id, 0, redis_url):
            answered = event.kind == "node.finished" and event.body["status"] == "success"
            if mode == "respond_node" and answered and event.body["node_id"] in responding:
                return _as_told(await _outputs(fired.execution_id, [event.body["node_id"]]))
        return await _at_the_end(fired, mode)
    return None


async def _at_the_end(fired: Fired, mode: str) -> OwnResponse | None:
    row = await database.fetch_one("SELECT status FROM executions WHERE id = $1", fired.execution_id)
    if row is None or row["status"] not in WELL:
        status = row["status"] if row else "deleted"
        raise UpstreamError(
            f"The workflow ended before it had answered: {status}.",
            code="WEBHOOK_UNANSWERED",
            details={"execution_id": str(fired.execution_id), "status": status},
        )
    if mode == "respond_node":
        return None
    definition = fired.hook.definition
    last = [node_id for node_id in definition.nodes if not definition.outgoing(node_id)]
    body = msgspec.json.encode(await _outputs(fired.execution_id, last))
    return OwnResponse(status=200, headers={"content-type": "application/json"}, body=body)


def _as_told(told: dict[str, Any]) -> OwnResponse:
    return OwnResponse(status=int(told["status"]), headers=dict(told["headers"]), body=str(told["body"]).encode())


async def _outputs(execution_id: UUID, node_ids: Sequence[str]) -> dict[str, Any]:
    """Return the outputs of the once node among these that ended last, with what looks like a secret masked."""
    rows = await database.fetch(
        "SELECT outputs, output_hash FROM device_results WHERE execution = $1 AND host_key = $2 "
        "AND node_id = ANY($3) AND status = 'success' "
        "ORDER BY started_at + make_interval(secs => duration_ms / 1000.0) DESC LIMIT 1",
        execution_id,
        ONCE,
        list(node_ids),
    )
    await outputs.unpack(rows)
    return dict(redact(rows[0]["outputs"] or {})) if rows else {}
