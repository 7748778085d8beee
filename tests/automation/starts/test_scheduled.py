"""A schedule's due time starts one execution, however many schedulers see it."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from redis import Redis

from app.automation.executions.schemas import ExecuteRequest
from app.automation.executions.starts import claims
from app.automation.executions.starts.scheduled import start_scheduled
from app.core import database
from app.core.access import SYSTEM
from app.core.errors import ConflictError
from app.palette import build_catalog
from tests.support.graphs import workflow
from tests.support.working import make_workflow

DUE = datetime(2026, 3, 29, 2, 30, tzinfo=UTC)
CATALOGUE = build_catalog()


@pytest.fixture
def options(redis: Redis) -> dict[str, Any]:
    """Return what a scheduler hands in beside the workflow and the due time."""
    return {"given": ExecuteRequest(), "catalogue": CATALOGUE, "actor": SYSTEM, "redis": redis, "workers": 1}


async def test_many_schedulers_start_a_due_time_once(admin: httpx.AsyncClient, options: dict[str, Any]) -> None:
    workflow_id, schedule_id = UUID(await make_workflow(admin, workflow())), uuid4()
    elsewhere = DUE.astimezone(timezone(timedelta(hours=5)))
    starts = [start_scheduled(workflow_id, schedule_id, due, **options) for due in [DUE, elsewhere] * 10]
    begun = await asyncio.gather(*starts)
    assert len({one.execution_id for one in begun}) == 1
    assert sum(not one.replayed for one in begun) == 1
    (execution,) = (await admin.get("/automation/v1/executions?trigger_kind=schedule")).json()["data"]
    assert execution["trigger"] == {
        "kind": "schedule",
        "node": "start",
        "schedule_id": str(schedule_id),
        "due_at": DUE.isoformat(),
    }


async def test_another_due_time_or_schedule_starts_another(admin: httpx.AsyncClient, options: dict[str, Any]) -> None:
    workflow_id, schedule_id = UUID(await make_workflow(admin, workflow())), uuid4()
    occasions = ((schedule_id, DUE), (schedule_id, DUE + timedelta(minutes=5)), (uuid4(), DUE))
    begun = [await start_scheduled(workflow_id, schedule, due, **options) for schedule, due in occasions]
    assert len({one.execution_id for one in begun}) == 3


async def test_a_start_that_failed_leaves_its_due_time_free(admin: httpx.AsyncClient, options: dict[str, Any]) -> None:
    workflow_id, schedule_id = UUID(await make_workflow(admin, workflow())), uuid4()
    await admin.patch(f"/automation/v1/workflows/{workflow_id}", json={"enabled": False})
    with pytest.raises(ConflictError):
        await start_scheduled(workflow_id, schedule_id, DUE, **options)
    await admin.patch(f"/automation/v1/workflows/{workflow_id}", json={"enabled": True})
    assert not (await start_scheduled(workflow_id, schedule_id, DUE, **options)).replayed


async def test_claims_of_long_ago_are_purged(admin: httpx.AsyncClient, options: dict[str, Any]) -> None:
    workflow_id = UUID(await make_workflow(admin, workflow()))
    for _ in range(2):
        await start_scheduled(workflow_id, uuid4(), DUE, **options)
    await database.execute(
        "UPDATE start_claims SET created_at = now() - make_interval(days => $1) "
        "WHERE id = (SELECT max(id::text)::uuid FROM start_claims)",
        claims.KEPT_DAYS + 1,
    )
    await claims.purge()  # workers that run beside this test may have been there first
    assert len(await database.fetch("SELECT 1 FROM start_claims")) == 1
