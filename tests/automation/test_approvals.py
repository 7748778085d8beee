"""Approvals: who is asked what, who may answer, and what becomes of the execution."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.callers import AsUser
from tests.support.graphs import step, workflow
from tests.support.working import ended, make_devices, results, run, stands, start, table

pytestmark = pytest.mark.usefixtures("work")
MAY = ("automation.execution.view", "automation.execution.approve")


def asking(journal: str = "", **more: Any) -> dict[str, Any]:
    """Return a workflow that reads, asks, and then changes."""
    return workflow(
        step("read", "lab:read", hosts={"r2": "fail:auth"}),
        step("ask", "flow:approval", message="Change {{ nodes.read.succeeded | join(', ') }}?", **more),
        step("change", "lab:change", text="vlan {{ variables.vlan }} on {{ host.name }}", journal=journal),
        edges=("start -> read", "read -> ask", "ask -> change"),
    )


async def begun(admin: httpx.AsyncClient, definition: dict[str, Any], names: tuple[str, ...] = ("r1", "r2")) -> str:
    """Start it and wait until it waits."""
    execution = await start(admin, definition, await make_devices(admin, names), variables={"vlan": 7})
    await stands(admin, execution["id"], "waiting")
    return str(execution["id"])


def decide(client: httpx.AsyncClient, execution_id: str, decision: str = "approve", comment: str = "") -> Any:
    """Answer."""
    path = f"/automation/v1/executions/{execution_id}/approvals/ask"
    return client.post(path, json={"decision": decision, "comment": comment})


async def test_what_is_approved_is_shown_and_then_sent(
    admin: httpx.AsyncClient, as_user: AsUser, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    execution_id = await begun(admin, asking(str(journal)))
    (approval,) = (await admin.get("/automation/v1/approvals?status=open")).json()["data"]
    assert approval["message"] == "Change r1?"
    assert [device["name"] for device in approval["subject"]["devices"]] == ["r1"]
    (change,) = approval["subject"]["changes"]
    assert (change["node_id"], change["device"], change["parameters"]["text"]) == ("change", "r1", "vlan 7 on r1")
    assert not journal.exists()
    waiting = (await admin.get(f"/automation/v1/executions/{execution_id}")).json()["data"]
    assert {node["node_id"]: node["status"] for node in waiting["nodes"]}["ask"] == "waiting"
    answer = await decide(await as_user(*MAY, username="bob"), execution_id, comment="go")
    assert (answer.status_code, answer.json()["data"]["status"]) == (200, "approved")
    assert (await ended(admin, execution_id))["status"] == "partial"
    assert journal.read_text() == "r1 vlan 7 on r1\n"
    (row,) = await results(admin, execution_id, node="ask")
    assert [(said["username"], said["comment"]) for said in row["outputs"]["decisions"]] == [("bob", "go")]


async def test_a_rejection_is_a_failure_and_nothing_is_sent(admin: httpx.AsyncClient, as_user: AsUser) -> None:
    execution_id = await begun(admin, asking())
    answer = await decide(await as_user(*MAY, username="bob"), execution_id, "reject", "not now")
    assert answer.json()["data"]["status"] == "rejected"
    execution = await ended(admin, execution_id)
    assert execution["status"] == "failed"
    assert execution["error"]["message"] == "bob rejected it: not now"
    assert table(await results(admin, execution_id))["change", "r1"] == "skipped"


async def test_the_right_people_answer_once_each(admin: httpx.AsyncClient, as_user: AsUser) -> None:
    execution_id = await begun(admin, asking(needed=2, approvers=["bob", "eve"]))
    own = await decide(admin, execution_id)
    assert (own.status_code, own.json()["error"]["message"]) == (
        403,
        "You started this execution, so somebody else has to approve it.",
    )
    stranger = await decide(await as_user(*MAY, username="mallory"), execution_id)
    assert (stranger.status_code, stranger.json()["error"]["message"]) == (403, "Only bob, eve may answer this.")
    bob = await as_user(*MAY, username="bob")
    assert (await decide(bob, execution_id)).json()["data"]["status"] == "open"
    again = await decide(bob, execution_id)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "APPROVAL_ANSWERED")
    assert (await decide(await as_user(*MAY, username="eve"), execution_id)).json()["data"]["status"] == "approved"
    assert (await ended(admin, execution_id))["status"] == "partial"
    late = await decide(bob, execution_id)
    assert (late.status_code, late.json()["error"]["code"]) == (409, "APPROVAL_CLOSED")


async def test_an_approval_is_void_when_what_would_be_sent_has_changed(
    admin: httpx.AsyncClient, as_user: AsUser, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    execution_id = await begun(admin, asking(str(journal)))
    (device,) = (await admin.get("/inventory/v1/devices?q=r1")).json()["data"]
    moved = await admin.patch(f"/inventory/v1/devices/{device['id']}", json={"address": "127.0.0.2"})
    assert moved.status_code == 200
    await decide(await as_user(*MAY), execution_id)
    execution = await ended(admin, execution_id)
    assert (execution["status"], execution["error"]["class"]) == ("failed", "validation")
    assert "has changed since it was approved" in execution["error"]["message"]
    assert not journal.exists()
    (approval,) = (await admin.get("/automation/v1/approvals")).json()["data"]
    assert approval["status"] == "void"


async def test_a_question_expires(admin: httpx.AsyncClient) -> None:
    await make_devices(admin, ["r1"])
    execution = await run(admin, asking(expires_s=1), ["r1"], variables={"vlan": 7})
    assert (execution["status"], execution["error"]["class"]) == ("failed", "timeout")


async def test_a_cancelled_execution_takes_its_question_along(admin: httpx.AsyncClient, as_user: AsUser) -> None:
    execution_id = await begun(admin, asking())
    await admin.post(f"/automation/v1/executions/{execution_id}/cancel")
    answer = await decide(await as_user(*MAY), execution_id)
    assert answer.status_code == 409
    assert (await ended(admin, execution_id))["status"] == "cancelled"


async def test_a_dry_run_asks_nobody(admin: httpx.AsyncClient) -> None:
    ids = await make_devices(admin, ["r1"])
    execution = await run(admin, asking(), ids, variables={"vlan": 7}, dry_run=True)
    assert execution["status"] == "success"


async def test_nothing_to_approve_is_not_found(admin: httpx.AsyncClient) -> None:
    execution = await run(admin, workflow(step("a", "lab:once"), edges=("start -> a",)))
    answer = await decide(admin, execution["id"])
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "APPROVAL_NOT_FOUND")
