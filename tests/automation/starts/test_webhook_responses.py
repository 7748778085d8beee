"""A workflow answers the webhook that started it in its own words, within bounds."""

from itertools import pairwise
from typing import Any

import httpx
import pytest

from app.automation.executions.starts import responses
from tests.support.graphs import step
from tests.support.webhooks import listening, make_secret, send
from tests.support.working import make_devices, make_workflow

pytestmark = pytest.mark.usefixtures("all_ended")


async def asked(
    admin: httpx.AsyncClient, client: httpx.AsyncClient, *nodes: dict[str, Any], mode: str, body: bytes = b"{}"
) -> httpx.Response:
    """Save a workflow whose nodes follow each other behind the webhook, and send it something."""
    await make_secret(admin)
    names = ["hook", *(node["id"] for node in nodes)]
    edges = tuple(f"{one} -> {two}" for one, two in pairwise(names))
    await make_workflow(admin, listening(*nodes, edges=edges, response_mode=mode))
    return await send(client, body)


async def test_the_last_nodes_outputs_are_the_answer(admin: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    nodes = (step("a", "lab:once", text="first"), step("b", "lab:once", text="{{ trigger.body.name }}"))
    answer = await asked(admin, client, *nodes, mode="last_node", body=b'{"name": "r1"}')
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()["text"] == "r1"
    assert "sandbox" in answer.headers["content-security-policy"]


async def test_a_large_answer_of_the_last_node_comes_whole_and_masked(
    admin: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    text = "snmp-server community hush " + "x" * 100_000
    answer = await asked(admin, client, step("a", "lab:once", text=text), mode="last_node")
    assert answer.json()["text"] == text.replace("hush", "********")


async def test_a_workflow_of_a_trigger_alone_has_nothing_to_say(
    admin: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    answer = await asked(admin, client, mode="last_node")
    assert (answer.status_code, answer.json()["method"]) == (200, "POST")


async def test_the_respond_node_answers_before_the_end(admin: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    respond = step(
        "say",
        "http:respond-webhook",
        response_code=201,
        response_body={"hello": "{{ trigger.body.name }}"},
        headers={"X-Made-By": "{{ workflow.name }}"},
    )
    slow = step("slow", "lab:once", default="sleep:60")
    answer = await asked(admin, client, respond, slow, mode="respond_node", body=b'{"name": "you"}')
    assert (answer.status_code, answer.json()) == (201, {"hello": "you"})
    assert answer.headers["x-made-by"] == "test"
    (running,) = (await admin.get("/automation/v1/executions")).json()["data"]
    assert running["status"] == "running"
    assert (await admin.post(f"/automation/v1/executions/{running['id']}/cancel")).status_code == 202


async def test_a_page_is_sent_without_the_right_to_run_scripts(
    admin: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    respond = step("say", "http:respond-webhook", response_type="html", response_body="<script>alert(1)</script>")
    answer = await asked(admin, client, respond, mode="respond_node")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert answer.text == "<script>alert(1)</script>"


async def test_a_redirect_leads_elsewhere(admin: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    respond = step("say", "http:respond-webhook", response_type="redirect", redirect_url="https://example.net/x")
    answer = await asked(admin, client, respond, mode="respond_node")
    assert (answer.status_code, answer.headers["location"]) == (302, "https://example.net/x")


@pytest.mark.parametrize("mode", ["last_node", "respond_node"])
async def test_a_workflow_that_fails_first_is_a_bad_gateway(
    admin: httpx.AsyncClient, client: httpx.AsyncClient, mode: str
) -> None:
    nodes = (step("a", "lab:once", default="fail:upstream"), step("say", "http:respond-webhook"))
    answer = await asked(admin, client, *nodes, mode=mode)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "WEBHOOK_UNANSWERED")
    assert answer.json()["error"]["details"]["status"] == "failed"


async def test_a_respond_node_that_was_passed_by_leaves_the_plain_answer(
    admin: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    respond = step("say", "http:respond-webhook", options={"disabled": True})
    answer = await asked(admin, client, respond, mode="respond_node")
    assert (answer.status_code, answer.json()["data"]["status"]) == (202, "success")


async def test_nobody_is_kept_waiting_longer_than_the_bound(
    admin: httpx.AsyncClient, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responses, "WAIT_S", 0.3)
    answer = await asked(admin, client, step("slow", "lab:once", default="sleep:60"), mode="last_node")
    assert answer.status_code == 202
    execution_id = answer.json()["data"]["execution_id"]
    assert (await admin.post(f"/automation/v1/executions/{execution_id}/cancel")).status_code == 202


async def test_devices_are_waited_for_too(admin: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    await make_secret(admin)
    await make_devices(admin, ["r1"])
    definition = listening(
        step("a", "lab:read"),
        step("say", "http:respond-webhook", response_type="text", response_body="{{ nodes.a.succeeded | join }}"),
        edges=("hook -> a", "a -> say"),
        response_mode="respond_node",
        targets={"devices": ["r1"]},
    )
    await make_workflow(admin, definition)
    answer = await send(client)
    assert (answer.status_code, answer.text) == (200, "r1")
