"""Tests of workflows: mocked nodes on invented devices, through the real engine."""

from typing import Any

import httpx
import pytest

from app.core import database
from app.core.access import PERMISSIONS
from tests.support.callers import AsUser
from tests.support.graphs import step, workflow
from tests.support.working import ended, make_workflow, results, table

work = pytest.mark.usefixtures("work")
PATH = "/automation/v1/workflows/test"
ASK = step("ask", "lab:read")
EDGE = ("start -> ask",)


async def try_out(admin: httpx.AsyncClient, definition: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = await admin.post(PATH, json={"definition": definition, **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["data"])


@work
async def test_a_mock_stands_in_for_a_node_and_devices_differ(admin: httpx.AsyncClient) -> None:
    definition = workflow(
        ASK,
        step("is_new", "logic:if", expression="{{ ask.version > variables.least and host.site == 'ber' }}"),
        step("push", "config:push", lines="mtu 9000"),
        step("tell", "lab:once"),
        edges=("start -> ask", "ask -> is_new", "is_new.true -> push", "push -> tell"),
    )
    told = await try_out(
        admin,
        definition,
        devices=["r1", {"name": "r2", "site": "ber", "tags": ["x"]}, {"name": "r3", "site": "ber", "data": {"a": 1}}],
        variables={"least": 5},
        mocks={
            "ask": {"outputs": {"version": 7}, "hosts": {"r3": {"error": {"class": "auth", "message": "no"}}}},
            "push": {"changed": True, "diff": "+ mtu 9000"},
            "tell": {"outputs": {"text": "told"}},
        },
        expect={
            "execution": "partial",
            "nodes": {"ask": {"*": "success", "r3": "failed"}, "push": {"r2": "success"}, "tell": "success"},
        },
    )
    assert (told["passed"], told["differences"]) == (True, [])
    execution = told["execution"]
    assert (execution["test"], execution["workflow_id"]) == (True, None)
    rows = await results(admin, execution["id"])
    assert table(rows) == {
        ("start", "-"): "success",
        ("ask", "r1"): "success", ("ask", "r2"): "success", ("ask", "r3"): "failed",
        ("is_new", "r1"): "success", ("is_new", "r2"): "success", ("is_new", "r3"): "skipped",
        ("push", "r1"): "skipped", ("push", "r2"): "success", ("push", "r3"): "skipped",
        ("tell", "-"): "success",
    }  # fmt: skip
    (pushed,) = [row for row in rows if (row["node_id"], row["status"]) == ("push", "success")]
    assert (pushed["changed"], pushed["diff"]) == (True, "+ mtu 9000")
    keys = await database.fetch("SELECT host_key FROM execution_hosts ORDER BY host_key")
    assert [row["host_key"] for row in keys] == ["test:r1", "test:r2", "test:r3"]


@work
async def test_what_is_not_as_expected_is_told_by_node_and_device(admin: httpx.AsyncClient) -> None:
    told = await try_out(
        admin,
        workflow(ASK, edges=EDGE),
        devices=["r1", "r2"],
        mocks={"ask": {"hosts": {"r2": {"status": "failed"}}}},
        expect={"execution": "success", "nodes": {"ask": "success", "start": "failed"}},
    )
    assert told["passed"] is False
    assert [difference["message"] for difference in told["differences"]] == [
        "The execution: expected success, found partial",
        "ask on r2: expected success, found failed (The mock says so.)",
        "start: expected failed, found success",
    ]


@work
async def test_a_saved_workflow_is_tested_even_while_it_is_disabled(admin: httpx.AsyncClient) -> None:
    workflow_id = await make_workflow(admin, workflow(ASK, edges=EDGE))
    await admin.patch(f"/automation/v1/workflows/{workflow_id}", json={"enabled": False})
    body = {"workflow_id": workflow_id, "devices": ["r1"], "mocks": {"ask": {}}}
    answer = await admin.post(PATH, json=body, params={"wait": 60})
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["execution"]["status"] == "success"
    assert answer.json()["data"]["passed"] is None


@work
async def test_failing_some_times_is_for_retries_and_only_what_was_not_sent_is_tried_again(
    admin: httpx.AsyncClient,
) -> None:
    again = {"retries": 3, "retry_delay_s": 0.01}
    definition = workflow(
        step("ask", "lab:read", options=again),
        step("own", "lab:change", options=again),
        step("plain", "lab:plain", options=again),
        edges=("start -> ask", "start -> own", "start -> plain"),
    )
    told = await try_out(
        admin,
        definition,
        devices=["r1", "r2"],
        mocks={
            "ask": {"fail_times": 2, "hosts": {"r2": {"fail_times": 9}}},
            "own": {"fail_times": 1, "error": {"class": "busy"}, "hosts": {"r2": {"error": {"class": "protocol"}}}},
            "plain": {"status": "unknown", "hosts": {"r2": {"status": "success"}}},
        },
    )
    rows = await results(admin, told["execution"]["id"])
    on_devices = [row for row in rows if row["device"]]
    assert {(row["node_id"], row["device"]["name"]): (row["status"], row["attempt"]) for row in on_devices} == {
        ("ask", "r1"): ("success", 3), ("ask", "r2"): ("failed", 4),
        ("own", "r1"): ("success", 2), ("own", "r2"): ("unknown", 1),
        ("plain", "r1"): ("unknown", 1), ("plain", "r2"): ("success", 1),
    }  # fmt: skip
    intents = await database.fetch("SELECT node_id, host_key FROM intents ORDER BY 1, 2")
    assert len(intents) == 4


@work
async def test_a_dry_run_of_a_test_is_refused_where_it_would_be(admin: httpx.AsyncClient) -> None:
    definition = workflow(step("s", "lab:stubborn"), step("c", "lab:change"), edges=("start -> s", "start -> c"))
    told = await try_out(
        admin, definition, devices=["r1"], mocks={"s": {}, "c": {"diff": "+ x"}}, dry_run=True,
        expect={"nodes": {"s": "failed", "c": "success"}},
    )  # fmt: skip
    assert told["passed"]
    assert await database.fetch("SELECT 1 FROM intents") == []


@work
async def test_a_branch_that_a_mock_takes_and_a_wait_that_is_cancelled(admin: httpx.AsyncClient) -> None:
    definition = workflow(
        step("b", "lab:branch"), step("l", "lab:once"), step("r", "lab:once"),
        edges=("start -> b", "b.left -> l", "b.right -> r"),
    )  # fmt: skip
    told = await try_out(admin, definition, mocks={"b": {"branch": "right"}, "l": {}, "r": {}})
    assert table(await results(admin, told["execution"]["id"]))["l", "-"] == "skipped"
    body = {"definition": definition, "mocks": {"b": {"branch": "left"}, "l": {"delay_s": 250}, "r": {}}}
    answer = await admin.post(PATH, json=body, params={"wait": 0})
    assert (answer.status_code, answer.json()["data"]["passed"]) == (202, None)
    execution_id = answer.json()["data"]["execution"]["id"]
    await admin.post(f"/automation/v1/executions/{execution_id}/cancel")
    assert (await ended(admin, execution_id))["status"] == "cancelled"


@work
async def test_two_tests_at_once_on_devices_of_one_name_do_not_wait_for_each_other(admin: httpx.AsyncClient) -> None:
    definition = workflow(step("c", "lab:change"), edges=("start -> c",))
    slow = {"definition": definition, "devices": ["r1"], "mocks": {"c": {"delay_s": 200}}}
    started = (await admin.post(PATH, json=slow, params={"wait": 0})).json()["data"]["execution"]
    told = await try_out(admin, definition, devices=["r1"], mocks={"c": {}}, expect={"execution": "success"})
    assert told["passed"]
    await admin.post(f"/automation/v1/executions/{started['id']}/cancel")
    assert (await ended(admin, started["id"]))["status"] in {"cancelled", "failed"}


async def test_tests_are_a_list_of_their_own(admin: httpx.AsyncClient) -> None:
    answer = await admin.post(PATH, json={"definition": workflow()}, params={"wait": 5})
    assert answer.status_code == 200, answer.text
    assert (await admin.get("/automation/v1/executions")).json()["data"] == []
    (told,) = (await admin.get("/automation/v1/executions?test=true")).json()["data"]
    assert told["test"] is True


PUSH = workflow(
    ASK, step("tell", "notify:webhook", url="http://192.0.2.1/"), step("lost", "lab:read"), edges=(*EDGE, "ask -> tell")
)
DEVICES = {"devices": ["r1"]}
ALL: dict[str, Any] = {"ask": {}, "tell": {}}
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no mock": ({**DEVICES, "mocks": {"ask": {}}}, "mocks.tell", "notify:webhook touches what is outside"),
    "no mock of a device node": ({**DEVICES, "mocks": {"tell": {}}}, "mocks.ask", "lab:read touches what is outside"),
    "unknown node": ({**DEVICES, "mocks": {**ALL, "x": {}}}, "mocks.x", "no node 'x'; there is start, ask, tell, lost"),
    "trigger": ({**DEVICES, "mocks": {**ALL, "start": {}}}, "mocks.start", "runs for real in a test"),
    "unknown host": (
        {**DEVICES, "mocks": {**ALL, "ask": {"hosts": {"r9": {}}}}},
        "mocks.ask.hosts.r9",
        "'r9' is no device here; there is r1",
    ),
    "host of a once node": (
        {**DEVICES, "mocks": {**ALL, "tell": {"hosts": {"r1": {}}}}},
        "mocks.tell.hosts.r1",
        "this node runs once",
    ),
    "unknown branch": (
        {**DEVICES, "mocks": {**ALL, "ask": {"branch": "up"}}},
        "mocks.ask.branch",
        "lab:read has no branch 'up'; it has success",
    ),
    "unknown end of what changes nothing": (
        {**DEVICES, "mocks": {**ALL, "ask": {"status": "unknown"}}},
        "mocks.ask.status",
        "lab:read changes nothing",
    ),
    "success with an error": (
        {**DEVICES, "mocks": {**ALL, "ask": {"status": "success", "error": {}}}},
        "mocks.ask.error",
        "give fail_times, or leave one out",
    ),
    "no devices": ({"mocks": ALL}, "devices", "invent at least one device"),
    "a device twice": ({"devices": ["r1", {"name": "r1"}], "mocks": ALL}, "devices", "'r1' stands there twice"),
    "unexpected node": (
        {**DEVICES, "mocks": ALL, "expect": {"nodes": {"x": "failed"}}},
        "expect.nodes.x",
        "there is start, lost, ask, tell",
    ),
    "unexpected device": (
        {**DEVICES, "mocks": ALL, "expect": {"nodes": {"ask": {"r2": "failed"}}}},
        "expect.nodes.ask.r2",
        "there is *, r1",
    ),
    "unexpected status": (
        {**DEVICES, "mocks": ALL, "expect": {"nodes": {"ask": {"r1": "good"}}}},
        "expect.nodes[...][...]",
        "Invalid enum value 'good'",
    ),
    "unknown field": ({**DEVICES, "mocks": {"ask": {"outptus": {}}}}, "mocks[...]", "unknown field `outptus`"),
    "unknown error class": (
        {**DEVICES, "mocks": {"ask": {"error": {"class": "oops"}}}},
        "mocks[...].error.class",
        "Invalid enum value 'oops'",
    ),
    "neither workflow nor definition": ({"definition": None}, "definition", "give either a definition or"),
    "bad variable": ({**DEVICES, "mocks": ALL, "variables": {"_x": 1}}, "variables._x", "a variable's name"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
async def test_a_test_that_makes_no_sense_is_refused_and_says_where(admin: httpx.AsyncClient, case: str) -> None:
    body, field, part = REFUSED[case]
    answer = await admin.post(PATH, json={"definition": PUSH, **body})
    assert answer.status_code == 422, answer.text
    (fault,) = answer.json()["error"]["details"]
    assert fault["field"] == field
    assert part in fault["message"]
    assert (await admin.get("/automation/v1/executions?test=true")).json()["data"] == []


@pytest.mark.parametrize(
    ("mock", "fields"),
    [
        ({}, ["mocks.b.branch"]),
        ({"branch": "up"}, ["mocks.b.branch"]),
        ({"branch": "left", "hosts": {"r1": {"branch": "up"}}}, ["mocks.b.hosts.r1.branch"]),
        ({"hosts": {"r1": {"branch": "left"}}}, ["mocks.b.branch"]),
    ],
)
async def test_a_mock_of_a_branch_says_which_way_is_taken(
    admin: httpx.AsyncClient, mock: dict[str, Any], fields: list[str]
) -> None:
    definition = workflow(ASK, step("b", "lab:branch"), edges=(*EDGE, "ask -> b"))
    body = {"definition": definition, "devices": ["r1", "r2"], "mocks": {"ask": {}, "b": mock}}
    answer = await admin.post(PATH, json=body)
    assert [fault["field"] for fault in answer.json()["error"]["details"]] == fields


@work
async def test_a_mock_may_say_the_way_of_every_device_by_itself(admin: httpx.AsyncClient) -> None:
    definition = workflow(ASK, step("b", "lab:branch"), edges=(*EDGE, "ask -> b"))
    ways = {"hosts": {"r1": {"branch": "left"}, "r2": {"branch": "right"}}}
    told = await try_out(admin, definition, devices=["r1", "r2"], mocks={"ask": {}, "b": ways})
    rows = await results(admin, told["execution"]["id"], node="b")
    assert {row["device"]["name"]: row["branch"] for row in rows} == {"r1": "left", "r2": "right"}


async def test_a_loop_takes_no_mock(admin: httpx.AsyncClient) -> None:
    definition = workflow(step("l", "logic:loop"), step("b", "lab:once"), edges=("start -> l", "l.each -> b"))
    answer = await admin.post(PATH, json={"definition": definition, "mocks": {"l": {}, "b": {}}})
    assert {fault["node_id"] for fault in answer.json()["error"]["details"]} == {"l"}


async def test_a_test_needs_the_permission_to_run(as_user: AsUser) -> None:
    everything_else = await as_user(*(PERMISSIONS.keys() - {"automation.workflow.run"}))
    assert (await everything_else.post(PATH, json={"definition": workflow()})).status_code == 403
