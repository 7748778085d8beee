"""No byte after the end: a cancelled execution falls silent, and so does a worker that cannot renew its lease."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from app.core import database
from app.demo.network.devices import Fault, SimulatedDevice
from app.demo.network.server import Network
from app.demo.network.threaded import run_in_thread
from tests.support.graphs import step, workflow
from tests.support.quick_worker import QUICK
from tests.support.working import ended, make_devices, results, start, table

SILENT_AFTER_S = 2.0
LINES = "\n".join(f"logging host 10.0.{number}.1" for number in range(200))
FLEET = [
    *(SimulatedDevice(name=f"push{number}", latency_s=0.1) for number in range(3)),
    *(SimulatedDevice(name=f"read{number}", latency_s=0.1) for number in range(3)),
    SimulatedDevice(name="slow", latency_s=8.0),
    SimulatedDevice(name="locked", fault=Fault.REFUSE_PASSWORD),
]
pytestmark = pytest.mark.usefixtures("work")


@pytest.fixture
def network() -> Iterator[Network]:
    with run_in_thread(FLEET) as running:
        yield running


async def make_fleet(admin: httpx.AsyncClient, network: Network) -> None:
    ids = [(await make_devices(admin, [device.name], port=network.ports.get(device.name, 1)))[0] for device in FLEET]
    group = await admin.post("/inventory/v1/groups", json={"name": "all", "members": ids})
    fields = {"username": "admin", "password": "admin", "enable_secret": "admin"}
    body = {"name": "fleet", "credential_type": "ssh", "data": fields}
    credential = (await admin.post("/credentials/v1/credentials", json=body)).json()["data"]["id"]
    subject = {"subject_type": "group", "subject_id": group.json()["data"]["id"]}
    answer = await admin.post("/credentials/v1/assignments", json={"credential_id": credential, **subject})
    assert answer.status_code == 201, answer.text


def busy() -> dict[str, Any]:
    """Return a workflow in which some hosts are pushed to, some read again and again, and one is tried in vain."""
    retried = {"retries": 10, "retry_delay_s": 0.2, "on_error": "continue"}
    return workflow(
        step("which", "logic:if", expression="host.name.startswith('push')", options={"scope": "device"}),
        step("push", "config:push", lines=LINES, timeout=300),
        step("again", "logic:loop", items_expression="{{ range(500) | list }}", continue_on_error=True),
        step("read", "ssh:command", command="show version", timeout=60, options=retried),
        edges=("start -> which", "which.true -> push", "which.false -> again", "again.each -> read"),
    )


async def test_no_command_reaches_a_device_two_seconds_after_a_cancellation(
    admin: httpx.AsyncClient, network: Network
) -> None:
    await make_fleet(admin, network)
    execution = await start(admin, busy(), [device.name for device in FLEET])
    talking = {*(f"push{number}" for number in range(3)), *(f"read{number}" for number in range(3)), "slow", "locked"}
    while {entry.device for entry in network.journal.entries} != talking:
        await anyio.sleep(0.05)
    await anyio.sleep(1)
    answer = await admin.post(f"/automation/v1/executions/{execution['id']}/cancel")
    assert answer.status_code == 202
    await anyio.sleep(SILENT_AFTER_S)
    heard = told(network)
    execution = await ended(admin, execution["id"], patience_s=15)
    await anyio.sleep(0.5)
    assert told(network) == heard
    assert execution["status"] == "cancelled"
    statuses = table(await results(admin, execution["id"], node="push"))
    pushed = [statuses["push", f"push{number}"] for number in range(3)]
    assert pushed == ["unknown"] * 3, "some lines were sent, and nobody looked how they fared"


def told(network: Network) -> int:
    """Return how many logins, commands and lines have come to the devices."""
    return sum(entry.kind.value != "logout" for entry in network.journal.entries)


async def test_a_change_ends_before_another_worker_may_take_over(admin: httpx.AsyncClient, tmp_path: Path) -> None:
    await make_devices(admin, ["r1", "r2"])
    journal = tmp_path / "journal"
    behaviour = {"r1": "sleep:60"}
    definition = workflow(
        step("c", "lab:change", text="x", journal=str(journal), hosts=behaviour), edges=("start -> c",)
    )
    execution = await start(admin, definition, ["r1", "r2"])
    while not journal.exists() or len(journal.read_text().splitlines()) < 2:
        await anyio.sleep(0.05)
    pool = database.engine().pool
    assert pool is not None
    async with pool.acquire() as connection, connection.transaction():
        renewal = "SELECT lease_until FROM shards WHERE execution = $1::uuid FOR UPDATE"
        lease_until = await connection.fetchval(renewal, execution["id"])
        give_up_at = time.monotonic() + 3 * QUICK.lease_s
        while not (rows := await results(admin, execution["id"], node="c", device="r1")):
            assert time.monotonic() < give_up_at
            await anyio.sleep(0.05)
        (ended_at,) = await connection.fetchrow("SELECT clock_timestamp()")
    assert ended_at < lease_until
    assert rows[0]["status"] == "unknown"
    execution = await ended(admin, execution["id"])
    assert (execution["counts"]["succeeded"], execution["counts"]["unknown"]) == (1, 1)
    assert sorted(journal.read_text().splitlines()) == ["r1 x", "r2 x"]
