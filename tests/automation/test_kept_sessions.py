"""Sessions that work-horses keep between executions: no new login for the next, and no more than a device allows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from app.demo.network.devices import SimulatedDevice
from app.demo.network.journal import EventKind
from app.demo.network.server import Network
from app.demo.network.threaded import run_in_thread
from tests.support.graphs import step, workflow
from tests.support.working import ended, make_workflow, run

NAMES = [f"kept{number}" for number in range(4)]
SHOW = workflow(step("show", "ssh:command", command="show version"), edges=("start -> show",))


@pytest.fixture
def network() -> Iterator[Network]:
    with run_in_thread([SimulatedDevice(name=name, latency_s=0.02) for name in NAMES]) as running:
        yield running


@pytest.fixture
async def credential(admin: httpx.AsyncClient, network: Network) -> str:
    """Put the devices into the inventory, with a credential for all of them; return its path."""
    for name in NAMES:
        body = {"name": name, "address": "127.0.0.1", "port": network.ports[name], "platform": "cisco_ios"}
        assert (await admin.post("/inventory/v1/devices", json=body)).status_code == 201
    fields = {"username": "admin", "password": "admin"}
    body = {"name": "lab", "credential_type": "ssh", "data": fields, "is_default": True}
    answer = await admin.post("/credentials/v1/credentials", json=body)
    return f"/credentials/v1/credentials/{answer.json()['data']['id']}"


def logins(network: Network) -> int:
    return len(network.journal.select(EventKind.LOGIN))


async def idle_since(admin: httpx.AsyncClient, execution_id: str) -> list[dict[str, Any]]:
    """Wait until the ledger tells that sessions are idle that an execution has used, and return them."""
    for _ in range(500):
        listed = (await admin.get("/system/v1/sessions", params={"limit": "500"})).json()["data"]
        used = [one for device in listed for one in device["sessions"] if one["user"]["execution_id"] == execution_id]
        if used and all(one["state"] == "idle" for one in used):
            return used
        await anyio.sleep(0.02)
    return []


async def test_the_next_execution_on_the_same_devices_needs_no_login(
    admin: httpx.AsyncClient, network: Network, credential: str, work: Path
) -> None:
    path = f"/automation/v1/workflows/{await make_workflow(admin, SHOW)}/execute"

    async def needed() -> int:
        """Run once more, and return how many logins that took."""
        before = logins(network)
        answer = await admin.post(path, json={"targets": {"devices": NAMES}})
        execution = await ended(admin, answer.json()["data"]["id"])
        assert execution["status"] == "success"
        await idle_since(admin, execution["id"])  # so is the worker by then, whose lane the devices are in
        return logins(network) - before

    assert await needed() == len(NAMES)
    assert 0 in [await needed() for _ in range(4)], "a spare worker may come in between, but not always"
    await admin.patch(credential, json={"data": {"enable_secret": "another"}})
    assert await needed() == len(NAMES)


async def test_a_sessions_holder_is_shown(
    admin: httpx.AsyncClient, network: Network, credential: str, work: Path
) -> None:
    execution = await run(admin, SHOW, NAMES[:1])
    held = await idle_since(admin, execution["id"])
    assert [one["user"] for one in held] == [{"execution_id": execution["id"], "node_id": "show"}]


async def test_twenty_executions_at_once_never_hold_more_sessions_than_a_device_allows(
    admin: httpx.AsyncClient, network: Network, credential: str, work: Path
) -> None:
    workflow_id = await make_workflow(admin, SHOW)
    path = f"/automation/v1/workflows/{workflow_id}/execute"
    started = [(await admin.post(path, json={"targets": {"devices": NAMES[:1]}})).json()["data"] for _ in range(20)]
    statuses = [(await ended(admin, one["id"]))["status"] for one in started]
    assert statuses == ["success"] * 20
    assert network.journal.peak_sessions[NAMES[0]] <= 2
