"""A start that is sent twice under one key starts once, whatever happens in between."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.automation.executions.idempotency import KEPT_H
from app.automation.executions.starts import upkeep
from app.core import database
from tests.support.callers import AsUser
from tests.support.graphs import workflow
from tests.support.working import make_workflow

LIST = "/automation/v1/executions"


async def execute(client: httpx.AsyncClient, workflow_id: str, key: str | None, **body: Any) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return await client.post(f"/automation/v1/workflows/{workflow_id}/execute", json=body, headers=headers)


async def count(admin: httpx.AsyncClient) -> int:
    return int((await admin.get(LIST)).json()["meta"]["total"])


async def age(hours: float) -> None:
    await database.execute("UPDATE idempotency_keys SET created_at = now() - make_interval(secs => $1)", hours * 3600.0)


async def test_the_same_request_under_the_same_key_answers_with_the_same_execution(admin: httpx.AsyncClient) -> None:
    workflow_id, key = await make_workflow(admin, workflow()), str(uuid4())
    first = await execute(admin, workflow_id, key, variables={"a": 1, "b": 2})
    second = await execute(admin, workflow_id, key, variables={"b": 2, "a": 1})
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json()["data"]["id"] == second.json()["data"]["id"]
    assert await count(admin) == 1


async def test_without_a_key_every_request_starts(admin: httpx.AsyncClient) -> None:
    workflow_id = await make_workflow(admin, workflow())
    for _ in range(2):
        assert (await execute(admin, workflow_id, None)).is_success
    assert await count(admin) == 2


async def test_another_body_under_the_same_key_is_refused(admin: httpx.AsyncClient) -> None:
    workflow_id = await make_workflow(admin, workflow())
    assert (await execute(admin, workflow_id, "k1")).is_success
    refused = await execute(admin, workflow_id, "k1", dry_run=True)
    assert refused.status_code == 422
    assert refused.json()["error"]["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert refused.json()["error"]["details"][0]["field"] == "Idempotency-Key"
    assert await count(admin) == 1


async def test_twenty_at_once_start_exactly_one(admin: httpx.AsyncClient) -> None:
    workflow_id = await make_workflow(admin, workflow())
    answers = await asyncio.gather(*(execute(admin, workflow_id, "at-once") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["data"]["id"] for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert await count(admin) == 1


async def test_a_key_is_its_users_and_its_operations_own(admin: httpx.AsyncClient, as_user: AsUser) -> None:
    other = await as_user("automation.workflow.run", "automation.execution.view")
    one, two = await make_workflow(admin, workflow(), "one"), await make_workflow(admin, workflow(), "two")
    answers = [await execute(*who, "shared") for who in ((admin, one), (other, one), (admin, two))]
    assert len({answer.json()["data"]["id"] for answer in answers}) == 3


async def test_a_start_that_was_refused_leaves_its_key_free(admin: httpx.AsyncClient) -> None:
    workflow_id = await make_workflow(admin, workflow())
    await admin.patch(f"/automation/v1/workflows/{workflow_id}", json={"enabled": False})
    assert (await execute(admin, workflow_id, "k")).status_code == 409
    await admin.patch(f"/automation/v1/workflows/{workflow_id}", json={"enabled": True})
    started = await execute(admin, workflow_id, "k")
    assert started.is_success
    assert "idempotency-replayed" not in started.headers


async def test_a_replay_answers_even_when_the_workflow_could_not_start_any_more(admin: httpx.AsyncClient) -> None:
    workflow_id = await make_workflow(admin, workflow())
    first = await execute(admin, workflow_id, "k")
    await admin.patch(f"/automation/v1/workflows/{workflow_id}", json={"enabled": False})
    assert (await execute(admin, workflow_id, "k")).json()["data"]["id"] == first.json()["data"]["id"]


@pytest.mark.parametrize(("hours", "replayed"), [(KEPT_H - 0.1, True), (KEPT_H + 0.1, False)])
async def test_a_key_counts_for_a_day(admin: httpx.AsyncClient, hours: float, replayed: bool) -> None:
    workflow_id = await make_workflow(admin, workflow())
    await execute(admin, workflow_id, "k")
    await age(hours)
    again = await execute(admin, workflow_id, "k", dry_run=not replayed)
    assert again.is_success
    assert ("idempotency-replayed" in again.headers) == replayed
    assert await count(admin) == 2 - replayed


async def test_old_keys_are_purged_and_young_ones_are_not(admin: httpx.AsyncClient, app: Any) -> None:
    workflow_id = await make_workflow(admin, workflow())
    await execute(admin, workflow_id, "old")
    await age(KEPT_H + 1)
    await execute(admin, workflow_id, "young")
    await upkeep.purge(app.state.redis)  # workers that run beside this test may have been there first
    assert [row["key"] for row in await database.fetch("SELECT key FROM idempotency_keys")] == ["young"]


@pytest.mark.parametrize("key", ["", "two words", "tab\there", "k" * 256])
async def test_a_key_that_is_none_is_refused(admin: httpx.AsyncClient, key: str) -> None:
    workflow_id = await make_workflow(admin, workflow())
    refused = await execute(admin, workflow_id, key)
    assert refused.status_code == 422
    assert refused.json()["error"]["details"][0]["field"] == "idempotency_key"
    assert await count(admin) == 0
