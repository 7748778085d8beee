"""Waiting for somebody: what is resumed goes on with the data it was given, once."""

from typing import Any

import anyio
import httpx
import pytest

from tests.support.callers import AsUser
from tests.support.graphs import step, workflow
from tests.support.working import ended, make_devices, results, run, stands, start

pytestmark = pytest.mark.usefixtures("work")
HOOK = step("w", "flow:wait", wait_type="webhook")


def per_device(wait: dict[str, Any]) -> dict[str, Any]:
    """Return a workflow whose devices wait by themselves."""
    last = step("b", "lab:read", text="{{ w.data.n if w.data else '' }}")
    return workflow(step("a", "lab:read"), wait, last, edges=("start -> a", "a -> w", "w -> b"))


def resume(client: httpx.AsyncClient, execution_id: str, body: Any, node: str = "w", **query: str) -> Any:
    """Resume what waits in a node."""
    return client.post(f"/automation/v1/executions/{execution_id}/resume/{node}", json=body, params=query)


async def begun(admin: httpx.AsyncClient, definition: dict[str, Any], devices: tuple[str, ...] = ()) -> str:
    """Start it and wait until it waits."""
    execution = await start(admin, definition, await make_devices(admin, devices) if devices else ())
    await stands(admin, execution["id"], "waiting")
    return str(execution["id"])


async def test_what_waits_once_goes_on_with_the_data(admin: httpx.AsyncClient) -> None:
    execution_id = await begun(
        admin, workflow(HOOK, step("b", "lab:once", text="{{ w.data.ticket }}"), edges=("start -> w", "w -> b"))
    )
    answer = await resume(admin, execution_id, {"ticket": "CHG1", "nul": "a\x00b"})
    assert (answer.status_code, answer.json()["data"]) == (200, {"node_id": "w", "resumed": 1})
    assert (await ended(admin, execution_id))["status"] == "success"
    rows = {row["node_id"]: row["outputs"] for row in await results(admin, execution_id)}
    assert rows["w"]["data"] == {"ticket": "CHG1", "nul": "a\ufffdb"}
    assert rows["b"]["text"] == "CHG1"
    (entry,) = (await admin.get("/system/v1/audit", params={"action": "execution.resumed"})).json()["data"]
    assert entry["details"] == {"node_id": "w", "by": "admin", "resumed": 1, "device": None}


async def test_one_device_is_resumed_and_the_others_stay(admin: httpx.AsyncClient) -> None:
    execution_id = await begun(admin, per_device(HOOK), ("r1", "r2", "r3"))
    assert (await resume(admin, execution_id, {"n": "one"}, device="r2")).json()["data"]["resumed"] == 1
    await stands(admin, execution_id, "waiting")
    while len(await results(admin, execution_id, node="b")) < 1:
        await anyio.sleep(0.05)
    assert (await resume(admin, execution_id, {"n": "rest"})).json()["data"]["resumed"] == 2
    assert (await ended(admin, execution_id))["status"] == "success"
    texts = {row["device"]["name"]: row["outputs"]["text"] for row in await results(admin, execution_id, node="b")}
    assert texts == {"r1": "rest", "r2": "one", "r3": "rest"}


async def test_of_two_calls_one_counts(admin: httpx.AsyncClient) -> None:
    pending = step("p", "flow:wait", wait_type="webhook")
    execution_id = await begun(admin, workflow(HOOK, pending, edges=("start -> w", "start -> p")))
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(resume, admin, execution_id, {"n": 1})
    repeated = await resume(admin, execution_id, {"n": 1})
    assert (repeated.status_code, repeated.json()["data"]["resumed"]) == (200, 0)
    other = await resume(admin, execution_id, {"n": 2})
    assert (other.status_code, other.json()["error"]["code"]) == (409, "NOTHING_TO_RESUME")
    assert (await resume(admin, execution_id, {}, node="p")).json()["data"]["resumed"] == 1
    assert (await ended(admin, execution_id))["status"] == "success"
    rows = [row for row in await results(admin, execution_id) if row["node_id"] == "w"]
    assert [row["outputs"]["data"] for row in rows] == [{"n": 1}]
    late = await resume(admin, execution_id, {"n": 1})
    assert (late.status_code, late.json()["error"]["code"]) == (409, "EXECUTION_ENDED")


async def test_what_does_not_wait_to_be_resumed_cannot_be(admin: httpx.AsyncClient, as_user: AsUser) -> None:
    timed = workflow(step("w", "flow:delay", delay_seconds=600), edges=("start -> w",))
    execution_id = await begun(admin, timed)
    answers = [
        await resume(admin, execution_id, {}),
        await resume(admin, execution_id, {}, node="z"),
        await resume(admin, execution_id, {}, device="r9"),
        await resume(admin, "0190f1e0-0000-7000-8000-000000000000", {}),
        await resume(admin, execution_id, [1]),
        await resume(admin, execution_id, {"big": "x" * 65_536}),
        await resume(await as_user("automation.execution.view", username="eve"), execution_id, {}),
    ]
    assert [answer.status_code for answer in answers] == [409, 404, 404, 404, 422, 413, 403]
    await admin.post(f"/automation/v1/executions/{execution_id}/cancel")
    assert (await ended(admin, execution_id))["status"] == "cancelled"


async def test_nobody_in_time_is_a_timeout(admin: httpx.AsyncClient) -> None:
    short = step("w", "flow:wait", wait_type="webhook", timeout=0.5)
    execution = await run(admin, workflow(short, edges=("start -> w",)))
    assert (execution["status"], execution["error"]["class"]) == ("failed", "timeout")


@pytest.mark.parametrize("node_type", ["data:debug", "debug:log"])
async def test_a_debug_point_pauses_until_it_is_resumed(admin: httpx.AsyncClient, node_type: str) -> None:
    pausing = step("w", node_type, pause_execution=True)
    execution_id = await begun(admin, workflow(pausing, step("b", "lab:once"), edges=("start -> w", "w -> b")))
    assert (await resume(admin, execution_id, {})).json()["data"]["resumed"] == 1
    assert (await ended(admin, execution_id))["status"] == "success"


async def test_a_debug_point_pauses_the_devices_where_it_is_told_to(admin: httpx.AsyncClient) -> None:
    pausing = step("w", "data:debug", data="{{ host.name }}", pause_execution="{{ host.name == 'r2' }}")
    definition = workflow(step("a", "lab:read"), pausing, edges=("start -> a", "a -> w"))
    execution_id = await begun(admin, definition, ("r1", "r2"))
    assert [row["device"]["name"] for row in await results(admin, execution_id, node="w")] == ["r1"]
    assert (await resume(admin, execution_id, {}, device="r2")).json()["data"]["resumed"] == 1
    assert (await ended(admin, execution_id))["status"] == "success"
    values = {row["device"]["name"]: row["outputs"]["data"] for row in await results(admin, execution_id, node="w")}
    assert values == {"r1": "r1", "r2": "r2"}
