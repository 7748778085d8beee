"""A webhook starts its workflow for who knows the secret, once, and tells nobody else that it exists."""

import asyncio
import time
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.automation.executions.starts import limits, webhooks
from app.automation.executions.starts.routes import MAX_WEBHOOK_BYTES
from app.core import database
from tests.support.callers import AsUser
from tests.support.graphs import step
from tests.support.webhooks import SECRET, listening, make_secret, send, signed, signed_as_github_does
from tests.support.working import ended, make_devices, make_workflow, results

WORKFLOWS = "/automation/v1/workflows"
EXECUTIONS = "/automation/v1/executions"
REFUSED = (404, "WEBHOOK_NOT_FOUND")


async def execution_of(admin: httpx.AsyncClient, answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 202, answer.text
    return dict((await admin.get(f"{EXECUTIONS}/{answer.json()['data']['execution_id']}")).json()["data"])


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def count(admin: httpx.AsyncClient) -> int:
    return int((await admin.get(EXECUTIONS)).json()["meta"]["total"])


async def test_a_signed_request_starts_the_workflow_for_its_author(
    admin: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    await make_secret(admin)
    await make_workflow(admin, listening())
    body = b'{"site": "ber1"}'
    headers = {**signed(body), "Authorization": "Bearer x", "X-Custom": "kept"}
    answer = await client.post("/automation/v1/webhooks/hook?a=1&a=2&b=3", content=body, headers=headers)
    execution = await execution_of(admin, answer)
    trigger = execution["trigger"]
    assert (execution["requested_by"], trigger["kind"], trigger["node"]) == ("admin", "webhook", "hook")
    assert (trigger["body"], trigger["method"]) == ({"site": "ber1"}, "POST")
    assert trigger["query"] == {"a": ["1", "2"], "b": "3"}
    assert trigger["headers"]["x-custom"] == "kept"
    assert not trigger["headers"].keys() & {"x-signature", "authorization", "cookie"}
    listed = (await admin.get(f"{EXECUTIONS}?trigger_kind=webhook")).json()["data"]
    assert [row["id"] for row in listed] == [execution["id"]]
    (entry,) = (await admin.get("/system/v1/audit?action=execution.started")).json()["data"]
    assert (entry["actor_name"], entry["details"]["trigger"]) == ("admin", "webhook")


@pytest.mark.usefixtures("work")
async def test_what_was_sent_flows_through_the_workflow_on_the_triggers_devices(
    admin: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    await make_secret(admin)
    await make_devices(admin, ["r1"])
    definition = listening(
        step("a", "lab:read", text="{{ trigger.body.text }} {{ input.body.text }} {{ hook.method }}"),
        edges=("hook.body -> a",),
        targets={"devices": ["r1"]},
    )
    await make_workflow(admin, definition)
    execution = await execution_of(admin, await send(client, b'{"text": "hi"}'))
    assert (await ended(admin, execution["id"]))["status"] == "success"
    (result,) = await results(admin, execution["id"], node="a")
    assert result["outputs"]["text"] == "hi hi POST"


async def test_github_and_tokens_are_ways_to_prove_it_too(admin: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    await make_secret(admin, api_key=SECRET)
    await make_workflow(admin, listening(path="/of/github", authentication="github"), "one")
    await make_workflow(admin, listening(path="of/token", authentication="token", token_header="Authorization"), "two")
    await execution_of(admin, await send(client, b"{}", signed_as_github_does(b"{}"), "of/github"))
    for header in (SECRET, f"Bearer {SECRET}"):
        execution = await execution_of(admin, await send(client, b"x=1&y=", {"Authorization": header}, "of/token"))
        assert execution["trigger"]["body"] == "x=1&y="
    assert SECRET not in str(execution)


async def test_the_old_id_of_the_type_is_the_same_type(admin: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    await make_secret(admin)
    definition = listening()
    definition["nodes"][0]["data"]["nodeType"] = "http:webhook-trigger"
    await make_workflow(admin, definition)
    await execution_of(admin, await send(client))
    assert await count(admin) == 1


@pytest.mark.parametrize(
    ("content_type", "body", "read"),
    [
        ("application/json", b"[1]", [1]),
        ("application/vnd.x+json; charset=utf-8", b'"x"', "x"),
        ("application/x-www-form-urlencoded", b"a=1&b=2&b=3&c=", {"a": "1", "b": ["2", "3"], "c": ""}),
        ("text/plain", "ä".encode(), "ä"),
        ("application/json", b"", None),
    ],
)
async def test_the_body_is_read_by_its_content_type(
    admin: httpx.AsyncClient, client: httpx.AsyncClient, content_type: str, body: bytes, read: object
) -> None:
    await make_secret(admin)
    await make_workflow(admin, listening())
    answer = await send(client, body, {**signed(body), "Content-Type": content_type})
    assert (await execution_of(admin, answer))["trigger"]["body"] == read


@pytest.mark.parametrize(
    ("content_type", "body"), [("application/json", b"{"), ("text/plain", b"\xff"), ("application/json", b"\xff")]
)
async def test_a_body_that_is_not_what_it_says_is_malformed(
    admin: httpx.AsyncClient, client: httpx.AsyncClient, content_type: str, body: bytes
) -> None:
    await make_secret(admin)
    await make_workflow(admin, listening())
    answer = await send(client, body, {**signed(body), "Content-Type": content_type})
    assert refusal(answer) == (400, "MALFORMED_REQUEST")
    assert await count(admin) == 0


async def test_strangers_cannot_tell_a_wrong_secret_from_an_unknown_path(
    admin: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    await make_secret(admin)
    await make_workflow(admin, listening())
    tried = {
        "unknown path": await send(client, path="nothing/here"),
        "wrong secret": await send(client, b"{}", signed(b"{}", secret="wrong")),
        "other body": await send(client, b"[]", signed(b"{}")),
        "no signature": await send(client, b"{}", {}),
        "no timestamp": await send(client, b"{}", signed_as_github_does(b"{}")),
        "other method": await client.get("/automation/v1/webhooks/hook", headers=signed(b"")),
    }
    bodies = {}
    for name, answer in tried.items():
        assert refusal(answer) == REFUSED, name
        error = answer.json()["error"]
        del error["request_id"]
        bodies[name] = error
    assert len({str(body) for body in bodies.values()}) == 1
    assert await count(admin) == 0
    opened = await admin.get("/system/v1/audit?action=credentials.credential.use")
    assert opened.json()["data"] == []


@pytest.mark.parametrize("path", ["hook", "nothing/here"])
async def test_no_refusal_comes_before_its_time(
    admin: httpx.AsyncClient, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(webhooks, "REFUSED_AFTER_S", 3600)
    await make_secret(admin)
    await make_workflow(admin, listening())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(send(client, b"{}", {}, path), 1)


async def test_a_request_counts_once_also_when_it_comes_twice_at_once(
    admin: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    await make_secret(admin)
    await make_workflow(admin, listening(), "one")
    await make_workflow(admin, listening(path="gh", authentication="github"), "two")
    for path, headers in (("hook", signed(b"{}")), ("gh", signed_as_github_does(b"{}"))):
        answers = await asyncio.gather(*(send(client, b"{}", headers, path) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409, 409]
        assert refusal(await send(client, b"{}", headers, path)) == (409, "WEBHOOK_REPLAYED")
    await database.execute("UPDATE webhook_signatures SET expires_at = now() - interval '1 second'")
    assert (await send(client, b"{}", signed_as_github_does(b"{}"), "gh")).status_code == 202
    await webhooks.purge_signatures()  # workers that run beside this test may have been there first
    assert not await database.fetch("SELECT 1 FROM webhook_signatures WHERE expires_at < now()")
    assert await count(admin) == 3


async def test_a_start_that_fails_leaves_the_signature_unused(
    admin: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    await make_secret(admin)
    await make_workflow(admin, listening(targets={"devices": ["r1"]}))
    headers = signed(b"{}")
    assert refusal(await send(client, b"{}", headers)) == (422, "VALIDATION_ERROR")
    await make_devices(admin, ["r1"])
    assert (await send(client, b"{}", headers)).status_code == 202


@pytest.mark.parametrize(("offset_s", "status"), [(-50, 202), (50, 202), (-70, 409), (70, 409)])
async def test_a_timestamp_counts_within_its_window(
    admin: httpx.AsyncClient, client: httpx.AsyncClient, offset_s: int, status: int
) -> None:
    await make_secret(admin)
    await make_workflow(admin, listening(replay_window_s=60))
    answer = await send(client, b"{}", signed(b"{}", at=time.time() + offset_s))
    assert answer.status_code == status
    assert status == 202 or refusal(answer) == (409, "WEBHOOK_OUT_OF_TIME")


async def test_a_disabled_or_deleted_workflow_is_unknown(admin: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    await make_secret(admin)
    workflow_id = await make_workflow(admin, listening())
    await admin.patch(f"{WORKFLOWS}/{workflow_id}", json={"enabled": False})
    assert refusal(await send(client)) == REFUSED
    await admin.patch(f"{WORKFLOWS}/{workflow_id}", json={"enabled": True})
    assert (await send(client)).status_code == 202
    await admin.patch(f"{WORKFLOWS}/{workflow_id}", json={"definition": listening(path="elsewhere")})
    assert refusal(await send(client, b"[]")) == REFUSED
    assert (await send(client, b"[2]", path="elsewhere")).status_code == 202
    await admin.delete(f"{WORKFLOWS}/{workflow_id}")
    assert refusal(await send(client, b"[3]", path="elsewhere")) == REFUSED


async def test_a_path_belongs_to_one_enabled_workflow(admin: httpx.AsyncClient) -> None:
    await make_workflow(admin, listening(path="/hook/"), "one")
    taken = {"name": "two", "definition": listening(path="hook")}
    refused = await admin.post(WORKFLOWS, json=taken)
    assert refusal(refused) == (409, "WEBHOOK_PATH_TAKEN")
    (fault,) = refused.json()["error"]["details"]
    assert (fault["node_id"], fault["field"]) == ("hook", "parameters.path")
    asleep = await admin.post(WORKFLOWS, json={**taken, "enabled": False})
    assert asleep.status_code == 201
    address = f"{WORKFLOWS}/{asleep.json()['data']['id']}"
    assert refusal(await admin.patch(address, json={"enabled": True})) == (409, "WEBHOOK_PATH_TAKEN")
    assert (await admin.get(address)).json()["data"]["enabled"] is False
    assert (await admin.patch(address, json={"enabled": True, "definition": listening(path="b")})).is_success


async def test_two_that_want_a_path_at_once_do_not_both_get_it(admin: httpx.AsyncClient) -> None:
    bodies = [{"name": f"w{number}", "definition": listening()} for number in range(5)]
    answers = await asyncio.gather(*(admin.post(WORKFLOWS, json=body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]


async def test_it_starts_only_while_its_author_may(admin: httpx.AsyncClient, as_user: AsUser, app: Any) -> None:
    await make_secret(admin)
    author = await as_user("automation.workflow.create", "automation.workflow.run", username="author")
    created = await author.post(WORKFLOWS, json={"name": "w", "definition": listening()})
    workflow_id = created.json()["data"]["id"]
    assert refusal(await send(admin)) == REFUSED, "he may not use credentials"
    await grant("author", "automation.workflow.run", "credentials.credential.use")
    execution = await execution_of(admin, await send(admin, b"[1]"))
    assert execution["requested_by"] == "author"
    renamed = await admin.patch(f"{WORKFLOWS}/{workflow_id}", json={"name": "renamed"})
    assert renamed.is_success
    assert (await execution_of(admin, await send(admin, b"[2]")))["requested_by"] == "author"
    await admin.patch(f"{WORKFLOWS}/{workflow_id}", json={"definition": listening(step("n", "flow:noop"))})
    assert (await execution_of(admin, await send(admin, b"[3]")))["requested_by"] == "admin"
    await database.execute("UPDATE users SET status = 'disabled' WHERE username = 'admin'")
    assert refusal(await send(author, b"[4]")) == REFUSED


async def grant(username: str, *permissions: str) -> None:
    await database.execute(
        "UPDATE roles SET permissions = to_jsonb($2::text[]) WHERE name = $1", f"role_of_{username}", list(permissions)
    )


async def test_a_workflow_with_device_nodes_takes_its_authors_right_to_connect(
    admin: httpx.AsyncClient, as_user: AsUser
) -> None:
    await make_secret(admin)
    await make_devices(admin, ["r1"])
    author = await as_user(
        "automation.workflow.create", "automation.workflow.run", "credentials.credential.use", username="author"
    )
    definition = listening(step("a", "lab:read"), edges=("hook -> a",), targets={"devices": ["r1"]})
    assert (await author.post(WORKFLOWS, json={"name": "w", "definition": definition})).is_success
    refused = await send(admin)
    assert refused.status_code == 403
    assert refused.json()["error"]["details"] == {"permission": "devices.device.connect"}


@pytest.mark.parametrize("spoil", ["delete", "disable", "type"])
async def test_a_webhook_without_its_secret_takes_nobody(
    admin: httpx.AsyncClient, client: httpx.AsyncClient, spoil: str
) -> None:
    secret = await make_secret(admin)
    await make_workflow(admin, listening(credential=secret if spoil != "type" else "login"))
    if spoil == "delete":
        await admin.delete(f"/credentials/v1/credentials/{secret}")
    elif spoil == "disable":
        await admin.patch(f"/credentials/v1/credentials/{secret}", json={"status": "disabled"})
    else:
        body = {"name": "login", "credential_type": "ssh", "data": {"username": "u", "password": SECRET}}
        await admin.post("/credentials/v1/credentials", json=body)
    assert refusal(await send(client)) == REFUSED


async def test_a_body_that_is_too_large_is_refused_before_anything_else(client: httpx.AsyncClient) -> None:
    body = b"x" * (MAX_WEBHOOK_BYTES + 1)
    assert (await send(client, body)).status_code == 413
    assert (await send(client, body[1:])).status_code == 404


@pytest.mark.parametrize("path", ["x" * 201, "a%20b", "a/%00"])
async def test_a_path_that_no_webhook_can_have_is_refused(client: httpx.AsyncClient, path: str) -> None:
    assert refusal(await send(client, path=path)) == (422, "VALIDATION_ERROR")


async def test_too_many_requests_to_a_path_are_held_off(
    admin: httpx.AsyncClient, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SENDER_LIMIT", 2)
    await make_secret(admin)
    await make_workflow(admin, listening())
    for number in range(2):
        assert (await send(client, b"[%d]" % number)).status_code == 202
    held_off = await send(client, b"[3]")
    assert refusal(held_off) == (429, "RATE_LIMITED")
    assert 1 <= int(held_off.headers["retry-after"]) <= limits.WINDOW_S
    assert refusal(await send(client, path="another")) == REFUSED


@pytest.mark.parametrize(
    ("parameters", "field", "part"),
    [
        ({"path": "no spaces"}, "parameters.path", "regex"),
        ({"path": "../x//y"}, "parameters.path", "regex"),
        ({"path": "{{ variables.path }}"}, "parameters.path", "regex"),
        ({"methods": []}, "parameters.methods", "length >= 1"),
        ({"methods": ["{{ x }}"]}, "parameters.methods", "Invalid enum value"),
        ({"credential": ""}, "parameters.credential", "length >= 1"),
        ({"replay_window_s": 1}, "parameters.replay_window_s", ">= 10"),
        ({"authentication": "{{ variables.way }}"}, "parameters", "hold no expressions"),
        ({"response_mode": "respond_node"}, "parameters.response_mode", "needs a node of type http:respond-webhook"),
    ],
)
async def test_a_webhook_that_could_not_work_is_not_saved(
    admin: httpx.AsyncClient, parameters: dict[str, Any], field: str, part: str
) -> None:
    refused = await admin.post(WORKFLOWS, json={"name": "w", "definition": listening(**parameters)})
    assert refusal(refused) == (422, "WORKFLOW_INVALID")
    (fault,) = refused.json()["error"]["details"]
    assert (fault["node_id"], fault["field"]) == ("hook", field)
    assert part in fault["message"]


async def test_two_webhooks_of_one_workflow_do_not_share_a_path(admin: httpx.AsyncClient) -> None:
    definition = listening(step("other", "trigger:webhook", path="/hook", credential="hook"))
    refused = await admin.post(WORKFLOWS, json={"name": "w", "definition": definition})
    faults = refused.json()["error"]["details"]
    assert [(fault["node_id"], fault["type"]) for fault in faults] == [
        ("hook", "webhook_path_taken"),
        ("other", "webhook_path_taken"),
    ]


async def test_the_execution_id_answered_is_an_id(admin: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    await make_secret(admin)
    await make_workflow(admin, listening())
    told = (await send(client)).json()
    assert told.keys() == {"success", "data", "message", "meta"}
    assert str(UUID(told["data"]["execution_id"])) == told["data"]["execution_id"]


@pytest.mark.usefixtures("work")
async def test_a_large_body_reaches_the_nodes_behind_it(admin: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    await make_secret(admin)
    definition = listening(
        step("a", "lab:once", text="{{ trigger.body.text | length }} {{ nodes.hook.outputs.body.text | length }}"),
        edges=("hook -> a",),
    )
    await make_workflow(admin, definition)
    body = b'{"text": "%s"}' % (b"x" * 100_000)
    execution = await execution_of(admin, await send(client, body))
    assert (await ended(admin, execution["id"]))["status"] == "success"
    (result,) = await results(admin, execution["id"], node="a")
    assert result["outputs"]["text"] == "100000 100000"
