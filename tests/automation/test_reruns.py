"""Reruns: which devices, from where, and with what of the old results."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.graphs import step, workflow
from tests.support.working import ended, make_devices, results, run, stands, start, table

pytestmark = pytest.mark.usefixtures("work")


async def rerun(admin: httpx.AsyncClient, execution_id: str, **given: Any) -> dict[str, Any]:
    """Run it once more and return the new execution at its end."""
    answer = await admin.post(f"/automation/v1/executions/{execution_id}/rerun", json=given)
    assert answer.status_code == 202, answer.text
    return await ended(admin, answer.json()["data"]["id"])


def flaky(tmp_path: Path, journal: Path) -> dict[str, Any]:
    """Return a workflow in which r2 and r3 fail the first time, each in its way."""
    return workflow(
        step("a", "lab:change", text="a", journal=str(journal)),
        step("b", "lab:read", hosts={"r2": f"fail-once:{tmp_path}/b", "r3": "fail:auth"}),
        step("c", "lab:read"),
        edges=("start -> a", "a -> b", "b -> c"),
    )


async def test_only_the_devices_that_failed_are_run_again(admin: httpx.AsyncClient, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    ids = await make_devices(admin, ["r1", "r2", "r3"])
    first = await run(admin, flaky(tmp_path, journal), ids)
    assert first["status"] == "partial"
    again = await rerun(admin, first["id"], only="failed")
    assert (again["rerun_of"], again["trigger"]["kind"], again["counts"]["devices"]) == (first["id"], "rerun", 2)
    statuses = table(await results(admin, again["id"]))
    assert (statuses["b", "r2"], statuses["c", "r2"], statuses["b", "r3"]) == ("success", "success", "failed")
    assert sorted(journal.read_text().split("\n")) == ["", "r1 a", "r2 a", "r2 a", "r3 a", "r3 a"]


async def test_only_the_devices_with_one_class_of_error_are_run_again(admin: httpx.AsyncClient, tmp_path: Path) -> None:
    ids = await make_devices(admin, ["r1", "r2", "r3"])
    first = await run(admin, flaky(tmp_path, tmp_path / "journal"), ids)
    again = await rerun(admin, first["id"], error_class="upstream")
    assert {device for _, device in table(await results(admin, again["id"]))} == {"-", "r2"}
    assert again["status"] == "success"


async def test_from_a_node_on_nothing_before_it_is_run_again(admin: httpx.AsyncClient, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    ids = await make_devices(admin, ["r1", "r2", "r3"])
    first = await run(admin, flaky(tmp_path, journal), ids)
    again = await rerun(admin, first["id"], only="failed", from_node="b")
    assert sorted(journal.read_text().split("\n")) == ["", "r1 a", "r2 a", "r3 a"]
    statuses = table(await results(admin, again["id"]))
    assert (statuses["a", "r2"], statuses["b", "r2"], statuses["c", "r2"]) == ("success",) * 3
    counts = {node["node_id"]: node["counts"]["succeeded"] for node in again["nodes"]}
    assert counts == {"start": 1, "a": 2, "b": 1, "c": 1}


async def test_what_cannot_be_run_again_says_why(admin: httpx.AsyncClient) -> None:
    ids = await make_devices(admin, ["r1"])
    definition = workflow(
        step("a", "lab:read"), step("w", "flow:delay", delay_seconds=600), edges=("start -> a", "a -> w")
    )
    running = await start(admin, definition, ids)
    await stands(admin, running["id"], "waiting")
    path = f"/automation/v1/executions/{running['id']}/rerun"
    assert (await admin.post(path, json={})).json()["error"]["code"] == "EXECUTION_RUNNING"
    await admin.post(f"/automation/v1/executions/{running['id']}/cancel")
    none = await admin.post(path, json={"error_class": "dns"})
    assert (none.status_code, none.json()["error"]["code"]) == (409, "NOTHING_TO_RERUN")
    nowhere = await admin.post(path, json={"from_node": "x"})
    assert (nowhere.status_code, nowhere.json()["error"]["details"][0]["field"]) == (422, "from_node")


async def test_a_node_with_targets_of_its_own_runs_on_those_alone(admin: httpx.AsyncClient) -> None:
    await make_devices(admin, ["r1", "r2", "r3"])
    definition = workflow(
        step("a", "lab:read"),
        step("b", "lab:read", options={"targets": {"devices": ["r2", "r3"]}}),
        step("c", "lab:read"),
        edges=("start -> a", "a -> b", "b -> c"),
    )
    execution = await run(admin, definition, ["r1", "r2"])
    assert execution["status"] == "success"
    statuses = table(await results(admin, execution["id"]))
    assert {host: [statuses[node, host] for node in "abc"] for host in ("r1", "r2", "r3")} == {
        "r1": ["success", "skipped", "success"],
        "r2": ["success", "success", "success"],
        "r3": ["skipped", "success", "skipped"],
    }
    assert execution["counts"]["succeeded"] == 3


async def test_wrong_targets_of_a_node_are_named(admin: httpx.AsyncClient) -> None:
    await make_devices(admin, ["r1"])
    definition = workflow(step("a", "lab:read", options={"targets": {"devices": ["nobody"]}}), edges=("start -> a",))
    saved = await admin.post("/automation/v1/workflows", json={"name": "x", "definition": definition})
    answer = await admin.post(f"/automation/v1/workflows/{saved.json()['data']['id']}/execute", json={})
    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["field"].startswith("a.options.targets")


async def test_a_test_is_not_rerun_for_real(admin: httpx.AsyncClient) -> None:
    await run(admin, workflow())
    answer = await admin.post("/automation/v1/workflows/test", json={"definition": workflow(), "devices": []})
    assert answer.status_code in {200, 202}, answer.text
    execution_id = answer.json()["data"]["execution"]["id"]
    await ended(admin, execution_id)
    again = await admin.post(f"/automation/v1/executions/{execution_id}/rerun", json={})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "EXECUTION_IS_TEST")
