"""Waiting without a worker: for a while, until a condition holds, per device or once."""

import httpx
import pytest

from tests.support.graphs import step, workflow
from tests.support.working import make_devices, results, run, stands, start, table

pytestmark = pytest.mark.usefixtures("work")


async def test_every_device_waits_by_itself_and_goes_on(admin: httpx.AsyncClient) -> None:
    ids = await make_devices(admin, ["r1", "r2"])
    wait = step("w", "logic:wait", seconds="{{ 0.2 if host.name == 'r1' else 2 }}")
    definition = workflow(step("a", "lab:read"), wait, step("b", "lab:read"), edges=("start -> a", "a -> w", "w -> b"))
    execution = await run(admin, definition, ids)
    assert execution["status"] == "success"
    rows = await results(admin, execution["id"])
    assert {key: status for key, status in table(rows).items() if key[1] != "-"} == {
        (node, host): "success" for node in "awb" for host in ("r1", "r2")
    }
    waited = {row["device"]["name"]: row["outputs"]["waited_s"] for row in rows if row["node_id"] == "w"}
    assert 0.2 <= waited["r1"] < waited["r2"]
    assert waited["r2"] >= 2


async def test_a_wait_for_a_condition_looks_again_until_it_holds(admin: httpx.AsyncClient) -> None:
    since = step("w", "logic:wait", wait_type="until", poll_s=1, condition="{{ now.timestamp() > variables.due }}")
    definition = workflow(since, step("b", "lab:once"), edges=("start -> w", "w -> b"))
    execution = await run(admin, definition, variables={"due": 0})
    assert execution["status"] == "success"


async def test_a_condition_that_never_holds_is_a_timeout(admin: httpx.AsyncClient) -> None:
    never = step("w", "logic:wait", wait_type="until", poll_s=1, timeout=1.5, condition="{{ false }}")
    execution = await run(admin, workflow(never, edges=("start -> w",)))
    assert (execution["status"], execution["error"]["class"]) == ("failed", "timeout")


async def test_an_execution_that_only_waits_says_so_and_can_be_cancelled(admin: httpx.AsyncClient) -> None:
    definition = workflow(step("w", "flow:delay", delay_seconds=600), edges=("start -> w",))
    execution = await start(admin, definition)
    await stands(admin, execution["id"], "waiting")
    answer = await admin.post(f"/automation/v1/executions/{execution['id']}/cancel")
    assert answer.json()["data"]["status"] == "cancelled"
