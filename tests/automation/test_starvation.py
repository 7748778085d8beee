"""Nobody waits for somebody else's hung devices: when every worker is held, there are soon more."""

import httpx
import pytest

from tests.support.graphs import step, workflow
from tests.support.working import ended, make_devices, make_workflow, stands


@pytest.mark.usefixtures("work")
async def test_an_execution_begins_although_others_hold_every_worker(admin: httpx.AsyncClient) -> None:
    await make_devices(admin, ["hung1", "hung2", "hung3", "free"])
    hanging = await make_workflow(
        admin, workflow(step("a", "lab:read", default="sleep:30"), edges=("start -> a",)), "hanging"
    )
    quick = await make_workflow(admin, workflow(step("a", "lab:read"), edges=("start -> a",)), "quick")
    held = [await _execute(admin, hanging, name) for name in ("hung1", "hung2", "hung3")]
    for execution in held:
        await stands(admin, execution, "running", patience_s=10)
    assert (await ended(admin, await _execute(admin, quick, "free"), patience_s=20))["status"] == "success"
    for execution in held:
        assert (await admin.get(f"/automation/v1/executions/{execution}")).json()["data"]["status"] == "running"
        await admin.post(f"/automation/v1/executions/{execution}/cancel")
        await ended(admin, execution)


async def _execute(admin: httpx.AsyncClient, workflow_id: str, device: str) -> str:
    answer = await admin.post(
        f"/automation/v1/workflows/{workflow_id}/execute", json={"targets": {"devices": [device]}}
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["data"]["id"])
