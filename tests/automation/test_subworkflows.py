"""Workflows within workflows."""

from pathlib import Path
from typing import Any

import httpx
import pytest

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
