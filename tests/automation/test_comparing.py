from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from app.automation.executions import comparing, outputs
from app.core import database
from tests.support.callers import AsUser
from tests.support.graphs import step, workflow
from tests.support.recording import add_execution, add_host, add_result
from tests.support.working import make_devices, run


async def compared(client: httpx.AsyncClient, before: object, after: object, **query: Any) -> dict[str, Any]:
    answer = await client.get(f"/automation/v1/executions/{before}/diff/{after}", params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def refused(client: httpx.AsyncClient, before: object, after: object, **query: Any) -> tuple[int, str, str]:
    answer = await client.get(f"/automation/v1/executions/{before}/diff/{after}", params=query)
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["message"]


async def made(*nodes: str, hosts: tuple[str, ...] = ("r1",), **more: Any) -> UUID:
    """Insert an execution with a trigger, some nodes, and some hosts."""
    execution_id = await add_execution(**more)
    for position, node_id in enumerate(("start", *nodes)):
        await database.execute(
            "INSERT INTO node_executions (id, execution, node_id, node_type, scope, position, succeeded, failed, "
            "skipped, unknown, cancelled, handled) VALUES ($1, $2, $3, 'lab:read', 'device', $4, 0, 0, 0, 0, 0, 0)",
            uuid4(),
            execution_id,
            node_id,
            position,
        )
    for host in hosts:
        await add_host(execution_id, host)
    return execution_id


@pytest.mark.usefixtures("work")
async def test_two_runs_of_a_workflow_differ_where_a_device_answers_otherwise(admin: httpx.AsyncClient) -> None:
    await make_devices(admin, ["r1", "r2"])
    runs = []
    for text, hosts in (("a\nb\n", {}), ("a\nc\n", {"r2": "fail:auth"})):
        definition = workflow(step("a", "lab:read", text=text, hosts=hosts), edges=("start -> a",))
        saved = await admin.post("/automation/v1/workflows", json={"name": f"{text!r}", "definition": definition})
        body = {"targets": {"devices": ["r1", "r2"]}}
        path = f"/automation/v1/workflows/{saved.json()['data']['id']}/execute"
        runs.append((await admin.post(path, json=body, params={"wait": 60})).json()["data"]["id"])
    answer = await compared(admin, *runs)
    by_name = {one["device"]["name"]: one["nodes"] for one in answer["data"]}
    assert set(by_name) == {"r1", "r2"}
    (r1,) = by_name["r1"]
    assert (r1["before"]["status"], r1["after"]["status"]) == ("success", "success")
    (change,) = r1["outputs"]
    assert change["path"] == ["text"]
    assert change["text_diff"].splitlines()[-3:] == [" a", "-b", "+c"]
    (r2,) = by_name["r2"]
    assert (r2["after"]["status"], r2["after"]["error"]["class"]) == ("failed", "auth")
    assert answer["meta"] | {"next_cursor": None} == {
        "total": 3,
        "total_is_estimate": False,
        "limit": 50,
        "next_cursor": None,
        "same_workflow": False,
        "nodes": ["start", "a"],
        "nodes_only_before": [],
        "nodes_only_after": [],
    }
    again = await run(admin, definition, ["r1", "r2"])
    assert [one["device"]["name"] for one in (await compared(admin, runs[1], again["id"]))["data"]] == []


async def test_only_differences_are_told_unless_all_is_asked_for(admin: httpx.AsyncClient) -> None:
    before, after = await made("a", "b"), await made("a", "b")
    for execution_id in (before, after):
        await add_result(execution_id, "a", found={"x": 1})
        await add_result(execution_id, "start", "-", found={})
    await add_result(before, "b", iteration="each:0")
    assert [node["node_id"] for node in (await compared(admin, before, after))["data"][0]["nodes"]] == ["b"]
    (missing,) = (await compared(admin, before, after, node="b"))["data"][0]["nodes"]
    assert (missing["iteration"], missing["after"], missing["outputs"]) == ("each:0", None, [])
    whole = (await compared(admin, before, after, all="true"))["data"]
    assert [(one["device"] and one["device"]["name"], len(one["nodes"])) for one in whole] == [(None, 1), ("r1", 2)]
    assert (await compared(admin, before, after, node="a"))["data"] == []


async def test_pages_hold_every_device_that_differs_once(
    admin: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "BATCH_HOSTS", 4)
    monkeypatch.setattr(comparing, "MAX_BATCHES", 2)
    names = tuple(f"r{number:02}" for number in range(30))
    before, after = await made("a", hosts=names), await made("a", hosts=names)
    for number, name in enumerate(names):
        await add_result(before, host=name, found={"x": 0})
        await add_result(after, host=name, found={"x": int(number % 3 == 0 and number not in range(5, 20))})
    seen: list[str] = []
    pages, cursor = 0, None
    while pages == 0 or cursor:
        answer = await compared(admin, before, after, limit=2, **({"cursor": cursor} if cursor else {}))
        seen += [one["device"]["name"] for one in answer["data"]]
        assert len(answer["data"]) <= 2
        cursor = answer["meta"]["next_cursor"]
        pages += 1
    assert seen == ["r00", "r03", "r21", "r24", "r27"]
    only = await compared(admin, before, after, device="r03")
    assert ([one["device"]["name"] for one in only["data"]], only["meta"]["total"]) == (["r03"], 1)


async def test_a_reader_without_the_right_sees_no_secret_and_no_difference_of_secrets(
    admin: httpx.AsyncClient, as_user: AsUser
) -> None:
    before, after = await made("a"), await made("a")
    for execution_id, secret in ((before, "one"), (after, "two")):
        await add_result(execution_id, found={"text": f"snmp-server community {secret} RO\n" * 2})
    assert "two" in (await compared(admin, before, after))["data"][0]["nodes"][0]["outputs"][0]["text_diff"]
    viewer = await as_user("automation.execution.view")
    assert (await compared(viewer, before, after))["data"] == []
    (same,) = (await compared(viewer, before, after, all="true"))["data"]
    assert same["nodes"][0]["outputs"] == []


async def test_large_outputs_are_compared_and_huge_ones_only_said_to_differ(admin: httpx.AsyncClient) -> None:
    before, after = await made("a", "b"), await made("a", "b")
    large = "a line of some length\n" * (outputs.INLINE_BYTES // 20)
    huge = "x" * (comparing.MAX_OUTPUT_BYTES + 1)
    for execution_id, more in ((before, ""), (after, "more\n")):
        await add_result(execution_id, "a", found={"text": large + more})
        await add_result(execution_id, "b", found={"text": huge + more})
    a, b = (await compared(admin, before, after))["data"][0]["nodes"]
    assert a["outputs"][0]["text_diff"].endswith("+more")
    assert (a["truncated"], b["outputs"], b["truncated"]) == (False, [], True)


async def test_what_cannot_be_compared_is_refused(admin: httpx.AsyncClient) -> None:
    one, other = await made("a"), await made("b", "c", workflow="inventory")
    elsewhere, running = await made("a", hosts=("r9",)), await made("a", status="running")
    assert (await refused(admin, one, one))[:2] == (422, "VALIDATION_ERROR")
    assert "no node in common" in (await refused(admin, one, other))[2]
    assert "no device in common" in (await refused(admin, one, elsewhere))[2]
    assert (await refused(admin, one, running))[:2] == (409, "EXECUTION_RUNNING")
    assert (await refused(admin, one, uuid4()))[:2] == (404, "EXECUTION_NOT_FOUND")
    twin = await made("a")
    assert "'x' is not in both" in (await refused(admin, one, twin, node="x"))[2]
    assert "neither execution has a device 'r7'" in (await refused(admin, one, twin, device="r7"))[2]
    assert "leave sort out" in (await refused(admin, one, twin, sort="name"))[2]
    for _ in range(2):
        await add_result(twin, host=f"r{_}")
    cursor = (await admin.get(f"/automation/v1/executions/{twin}/results?limit=1")).json()["meta"]["next_cursor"]
    assert (await refused(admin, one, twin, cursor=cursor))[:2] == (400, "MALFORMED_REQUEST")


async def test_executions_of_one_workflow_are_said_to_be_so(admin: httpx.AsyncClient) -> None:
    workflow_id = uuid4()
    before, after = await made("a", workflow_id=workflow_id), await made("a", "b", workflow_id=workflow_id)
    meta = (await compared(admin, before, after))["meta"]
    assert (meta["same_workflow"], meta["nodes_only_after"]) == (True, ["b"])
