"""The audit trail: what goes in, and how it is found again."""

from datetime import timedelta
from uuid import uuid4

import httpx
import pytest

from app.core import context
from app.core import database as core_database
from app.core.access import SYSTEM, Principal
from app.core.clock import now
from app.system.service import record

AUDIT = "/system/v1/audit"


async def write() -> None:
    """Write three acts."""
    anna = Principal(user_id=uuid4(), username="anna")
    context.enter(context.RequestContext("request-1", "192.0.2.1"))
    await record(
        "device.create", anna, subject_type="device", subject_id="d-1", details={"at": now(), "id": anna.user_id}
    )
    context.enter(context.RequestContext("request-2"))
    await record("device.delete", anna, subject_type="device", subject_id="d-1", outcome="failure")
    await record("role.seed", SYSTEM)


async def found(client: httpx.AsyncClient, **query: str) -> list[str]:
    """Return the actions that a query finds."""
    response = await client.get(AUDIT, params=query)
    assert response.status_code == 200, response.text
    return [entry["action"] for entry in response.json()["data"]]


async def test_an_act_keeps_who_where_and_what(admin: httpx.AsyncClient) -> None:
    await write()
    newest, _, oldest = (await admin.get(AUDIT)).json()["data"]
    assert (oldest["actor_name"], oldest["address"], oldest["request_id"]) == ("anna", "192.0.2.1", "request-1")
    assert (oldest["subject_type"], oldest["subject_id"], oldest["outcome"]) == ("device", "d-1", "success")
    assert set(oldest["details"]) == {"at", "id"}
    assert (newest["actor_name"], newest["actor_id"]) == ("system", None)


@pytest.mark.parametrize(
    ("query", "actions"),
    [
        ({}, ["role.seed", "device.delete", "device.create"]),
        ({"sort": "at"}, ["device.create", "device.delete", "role.seed"]),
        ({"actor_name": "anna"}, ["device.delete", "device.create"]),
        ({"action": "device.create"}, ["device.create"]),
        ({"outcome": "failure"}, ["device.delete"]),
        ({"subject_type": "device", "subject_id": "d-1", "request_id": "request-1"}, ["device.create"]),
        ({"subject_id": "d-2"}, []),
    ],
)
async def test_acts_are_found_by_what_they_say(
    admin: httpx.AsyncClient, query: dict[str, str], actions: list[str]
) -> None:
    await write()
    assert await found(admin, **query) == actions


async def test_acts_are_found_by_time(admin: httpx.AsyncClient) -> None:
    await write()
    past, future = (now() - timedelta(hours=1)).isoformat(), (now() + timedelta(hours=1)).isoformat()
    assert len(await found(admin, since=past, until=future)) == 3
    assert await found(admin, since=future) == []
    assert await found(admin, until=past) == []


async def test_an_act_is_undone_with_the_transaction_it_belongs_to(database: None) -> None:
    async def fail_after_recording() -> None:
        async with core_database.transaction():
            await record("device.create", SYSTEM)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_after_recording()
    assert await core_database.fetch("SELECT id FROM audit_entries") == []
