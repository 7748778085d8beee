"""One node by itself is an execution like any other."""

import httpx
import pytest

from tests.support.callers import AsUser
from tests.support.working import ended, make_devices, results

pytestmark = pytest.mark.usefixtures("all_ended")
RUN = "/automation/v1/nodes/{}/run"


async def test_a_device_node_runs_on_its_targets(admin: httpx.AsyncClient) -> None:
    await make_devices(admin, ["r1", "r2"])
    body = {"targets": {"devices": ["r1", "r2"]}, "parameters": {"text": "{{ host.name }}!"}}
    answer = await admin.post(RUN.format("lab:read") + "?wait=60", json=body)
    assert answer.status_code == 200, answer.text
    execution = answer.json()["data"]
    assert (execution["status"], execution["workflow_id"], execution["workflow_name"]) == ("success", None, "lab:read")
    assert execution["trigger"] == {"kind": "node", "node": "start"}
    assert answer.headers["location"].endswith(execution["id"])
    texts = {row["outputs"]["text"] for row in await results(admin, execution["id"], node="node")}
    assert texts == {"r1!", "r2!"}
    listed = (await admin.get("/automation/v1/executions?trigger_kind=node")).json()["data"]
    assert [row["id"] for row in listed] == [execution["id"]]
    assert (await admin.get("/automation/v1/executions?trigger_kind=manual")).json()["data"] == []


async def test_a_node_that_follows_runs_per_device_where_there_are_any(admin: httpx.AsyncClient) -> None:
    await make_devices(admin, ["r1"])
    for targets, device in ((None, None), ({"devices": ["r1"]}, "r1")):
        body = {"targets": targets, "parameters": {"default": "left"}}
        answer = await admin.post(RUN.format("lab:branch"), json=body)
        execution = await ended(admin, answer.json()["data"]["id"])
        (result,) = await results(admin, execution["id"], node="node")
        assert (result["device"]["name"] if result["device"] else None) == device


async def test_a_dry_run_of_one_node_changes_nothing(admin: httpx.AsyncClient) -> None:
    await make_devices(admin, ["r1"])
    body = {"targets": {"devices": ["r1"]}, "parameters": {"text": "mtu"}, "dry_run": True}
    execution = (await admin.post(RUN.format("lab:change") + "?wait=60", json=body)).json()["data"]
    (result,) = await results(admin, execution["id"], node="node")
    assert (result["status"], result["diff"]) == ("success", "+ mtu")


async def test_one_key_runs_a_node_once(admin: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "once"}
    answers = [await admin.post(RUN.format("lab:once"), json={}, headers=headers) for _ in range(2)]
    assert len({answer.json()["data"]["id"] for answer in answers}) == 1
    assert answers[1].headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize(
    ("node_type", "body", "status", "part"),
    [
        ("lab:nothing", {}, 404, "There is no node type 'lab:nothing'"),
        ("trigger:manual", {}, 422, "there is nothing to run in it"),
        ("lab:read", {"parameters": {"nothing": 1}}, 422, "parameters.nothing"),
        ("lab:read", {"parameters": {"repeat": "x"}}, 422, "parameters.repeat"),
        ("lab:read", {}, 422, "say which devices"),
        ("lab:read", {"targets": {"devices": ["nobody"]}}, 422, "there is no device nobody"),
    ],
)
async def test_a_node_that_cannot_run_is_refused(
    admin: httpx.AsyncClient, node_type: str, body: dict[str, object], status: int, part: str
) -> None:
    answer = await admin.post(RUN.format(node_type), json=body)
    assert answer.status_code == status
    assert part in answer.json()["error"]["message"]


async def test_running_a_node_takes_what_writing_and_running_a_workflow_takes(as_user: AsUser) -> None:
    runner = await as_user("automation.workflow.run")
    answer = await runner.post(RUN.format("lab:once"), json={})
    assert answer.status_code == 403
    assert answer.json()["error"]["details"] == {"permission": "automation.workflow.create"}
    writer = await as_user("automation.workflow.run", "automation.workflow.create")
    assert (await writer.post(RUN.format("lab:once"), json={})).status_code == 202
    on_device = await writer.post(RUN.format("lab:read"), json={"targets": {"devices": []}})
    assert on_device.json()["error"]["details"] == {"permission": "devices.device.connect"}


async def test_what_the_service_says_of_a_trigger_nobody_else_says(admin: httpx.AsyncClient) -> None:
    body = {"name": "w", "definition": {"nodes": [{"id": "s", "data": {"nodeType": "trigger:manual"}}], "edges": []}}
    workflow_id = (await admin.post("/automation/v1/workflows", json=body)).json()["data"]["id"]
    execute = f"/automation/v1/workflows/{workflow_id}/execute"
    refused = await admin.post(execute, json={"trigger": {"kind": "webhook"}})
    assert (refused.status_code, refused.json()["error"]["details"][0]["field"]) == (422, "trigger.kind")
    started = await admin.post(execute, json={"trigger": {"why": "test"}})
    assert started.json()["data"]["trigger"] == {"why": "test", "kind": "manual", "node": "s"}
