"""Workflows within workflows."""

from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import httpx
import pytest

from app.automation.executions import retention, standing
from app.automation.executions.retention import Retention
from app.core import database
from tests.support.callers import AsUser
from tests.support.graphs import step, workflow
from tests.support.working import ended, make_devices, make_workflow, results, run, stands, start, table

pytestmark = pytest.mark.usefixtures("work")


def calling(name: str, **more: Any) -> dict[str, Any]:
    """Return a workflow that reads, and then calls another on the devices that could be read."""
    return workflow(
        step("read", "lab:read", hosts={"r2": "fail:auth"}),
        step("call", "flow:subworkflow", workflow=name, **more),
        step("after", "lab:read"),
        edges=("start -> read", "read -> call", "call -> after"),
    )


async def test_a_step_runs_another_workflow_on_the_devices_that_came_there(
    admin: httpx.AsyncClient, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    inner = workflow(step("c", "lab:change", text="{{ variables.vlan }}", journal=str(journal)), edges=("start -> c",))
    await make_workflow(admin, inner, "inner")
    ids = await make_devices(admin, ["r1", "r2"])
    execution = await run(admin, calling("inner", variables={"vlan": "{{ 7 }}"}), ids)
    assert execution["status"] == "partial"
    assert journal.read_text() == "r1 7\n"
    (row,) = await results(admin, execution["id"], node="call")
    assert row["outputs"]["status"] == "success"
    child = (await admin.get(f"/automation/v1/executions/{row['outputs']['execution_id']}")).json()["data"]
    assert (child["workflow_name"], child["parent"], child["counts"]["devices"]) == ("inner", execution["id"], 1)
    assert table(await results(admin, execution["id"]))["after", "r1"] == "success"


async def test_a_step_that_ends_badly_fails(admin: httpx.AsyncClient) -> None:
    await make_workflow(admin, workflow(step("c", "lab:once", default="fail:upstream"), edges=("start -> c",)), "inner")
    execution = await run(admin, calling("inner"), await make_devices(admin, ["r1"]))
    assert execution["status"] == "failed"
    assert "inner ended as failed" in execution["error"]["message"]


async def test_a_workflow_does_not_run_within_itself(admin: httpx.AsyncClient) -> None:
    ids = await make_devices(admin, ["r1"])
    execution = await run(admin, calling("test"), ids)
    assert execution["status"] == "failed"
    assert "'test' would run within itself" in execution["error"]["message"]


async def test_a_workflow_that_does_not_exist_is_named(admin: httpx.AsyncClient) -> None:
    execution = await run(admin, calling("nowhere"), await make_devices(admin, ["r1"]))
    assert "there is no workflow 'nowhere'" in execution["error"]["message"]


async def test_cancelling_reaches_the_steps_within(admin: httpx.AsyncClient) -> None:
    inner = await make_workflow(
        admin, workflow(step("w", "flow:delay", delay_seconds=600), edges=("start -> w",)), "inner"
    )
    execution = await start(admin, calling("inner"), await make_devices(admin, ["r1"]))
    await stands(admin, execution["id"], "waiting")
    await admin.post(f"/automation/v1/executions/{execution['id']}/cancel")
    assert (await ended(admin, execution["id"]))["status"] == "cancelled"
    (child,) = (await admin.get(f"/automation/v1/executions?workflow_id={inner}")).json()["data"]
    assert (await ended(admin, child["id"]))["status"] == "cancelled"


async def test_a_step_of_an_execution_that_runs_is_not_deleted(admin: httpx.AsyncClient, tmp_path: Path) -> None:
    await make_workflow(admin, workflow(), "inner")
    definition = workflow(
        step("call", "flow:subworkflow", workflow="inner"),
        step("hold", "lab:once", default=f"wait:{tmp_path}/go"),
        edges=("start -> call", "call -> hold"),
    )
    execution = await start(admin, definition)
    while not (rows := await results(admin, execution["id"], node="call")):
        await anyio.sleep(0.05)
    child = rows[0]["outputs"]["execution_id"]
    refused = await admin.delete(f"/automation/v1/executions/{child}")
    await database.execute("UPDATE executions SET finished_at = now() - interval '9 days' WHERE id = $1::uuid", child)
    assert (await retention.sweep(Retention(days=1))).executions == 0
    (tmp_path / "go").touch()
    await ended(admin, execution["id"])
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "EXECUTION_RUNNING")
    assert (await admin.delete(f"/automation/v1/executions/{child}")).status_code == 204


async def test_a_step_whose_execution_has_vanished_fails(admin: httpx.AsyncClient) -> None:
    inner = workflow(step("w", "flow:delay", delay_seconds=600), edges=("start -> w",))
    await make_workflow(admin, inner, "inner")
    execution = await start(
        admin, workflow(step("call", "flow:subworkflow", workflow="inner"), edges=("start -> call",))
    )
    await stands(admin, execution["id"], "waiting")
    await database.execute("DELETE FROM executions WHERE parent = $1::uuid", execution["id"])
    await database.execute("UPDATE parkings SET due_at = now() WHERE execution = $1::uuid", execution["id"])
    execution = await ended(admin, execution["id"])
    assert (execution["status"], execution["error"]["class"]) == ("failed", "upstream")
    assert "was deleted" in execution["error"]["message"]


async def test_a_step_is_stopped_even_if_who_stopped_its_execution_died_over_it(admin: httpx.AsyncClient) -> None:
    inner = workflow(step("w", "flow:delay", delay_seconds=600), edges=("start -> w",))
    await make_workflow(admin, inner, "inner")
    execution = await start(
        admin, workflow(step("call", "flow:subworkflow", workflow="inner"), edges=("start -> call",))
    )
    await stands(admin, execution["id"], "waiting")
    (child,) = await database.fetch("SELECT id FROM executions WHERE parent = $1::uuid", execution["id"])
    await database.execute("UPDATE executions SET parent = NULL WHERE id = $1", child["id"])
    assert await standing.stop(UUID(execution["id"]), "cancelled")
    await database.execute("UPDATE executions SET parent = $2::uuid WHERE id = $1", child["id"], execution["id"])
    assert (await ended(admin, str(child["id"])))["status"] == "cancelled"


async def test_a_step_needs_the_rights_of_a_start(admin: httpx.AsyncClient, as_user: AsUser) -> None:
    await make_devices(admin, ["r1"])
    inner = await make_workflow(admin, workflow(step("a", "lab:read"), edges=("start -> a",)), "inner")
    call = step("call", "flow:subworkflow", workflow="inner", targets={"devices": ["r1"]})
    outer = await make_workflow(admin, workflow(call, edges=("start -> call",)), "outer")
    runner = await as_user("automation.workflow.run", "automation.execution.view")
    path = f"/automation/v1/workflows/{inner}/execute"
    assert (await runner.post(path, json={"targets": {"devices": ["r1"]}})).status_code == 403
    execution = (await runner.post(f"/automation/v1/workflows/{outer}/execute", json={})).json()["data"]
    execution = await ended(runner, execution["id"])
    assert execution["status"] == "failed"
    assert "devices.device.connect" in execution["error"]["message"]


async def test_a_step_that_is_dry_by_its_own_option_changes_nothing(admin: httpx.AsyncClient, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    await make_devices(admin, ["r1"])
    inner = workflow(step("c", "lab:change", text="x", journal=str(journal)), edges=("start -> c",))
    await make_workflow(admin, inner, "inner")
    targets = {"devices": ["r1"]}
    call = step("call", "flow:subworkflow", workflow="inner", targets=targets, options={"dry_run": True})
    execution = await run(admin, workflow(call, edges=("start -> call",)))
    assert execution["status"] == "success"
    assert not journal.exists()
