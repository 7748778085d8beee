"""What an execution waits for, as its detail tells it."""

from uuid import UUID

from app.automation.executions.records import CHILD, ONCE, QUESTION, ROUND
from app.automation.executions.schemas import DeviceRef, WaitRead
from app.core import database

SHOWN = 100
"""How many of those that wait a detail names; the oldest come first."""


async def list_waits(execution_id: UUID) -> list[WaitRead]:
    """Return who waits in which node, since when, and for what."""
    rows = await database.fetch(
        """
        SELECT parkings.node_id, parkings.host_key, parkings.iteration, hosts.device_id, hosts.name, since, due_at,
            CASE WHEN body ? $3 THEN 'approval' WHEN body ? $4 THEN 'execution' WHEN body ? $5 THEN 'round'
                WHEN due_at IS NULL THEN 'event' ELSE 'time' END AS kind
        FROM parkings LEFT JOIN execution_hosts AS hosts
            ON hosts.execution = parkings.execution AND hosts.host_key = parkings.host_key
        WHERE parkings.execution = $1 AND parkings.status = 'parked' ORDER BY since, parkings.id LIMIT $2
        """,
        execution_id,
        SHOWN,
        QUESTION,
        CHILD,
        ROUND,
    )
    return [WaitRead.of(row, device=_device(row)) for row in rows]


def _device(row: dict[str, object]) -> DeviceRef | None:
    return None if row["host_key"] == ONCE else DeviceRef(id=row["device_id"], name=row["name"])  # type: ignore[arg-type]
