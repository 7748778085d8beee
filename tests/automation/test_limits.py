"""What bounds a run: timeouts of nodes and of the whole, hosts at once, waves, and how many may fail."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.graphs import step, workflow
from tests.support.working import ended, make_devices, results, run, table

JITTER = timedelta(milliseconds=40)
pytestmark = pytest.mark.usefixtures("work")


@pytest.mark.parametrize("behaviour", ["sleep:30", "hang:30"])
async def test_a_node_that_takes_too_long_ends_as_a_timeout(admin: httpx.AsyncClient, behaviour: str) -> None:
    ids = await make_devices(admin, ["r1", "r2"])
    definition = workflow(
        step("a", "lab:read", hosts={"r1": behaviour}, options={"timeout_s": 0.5}),
        step("b", "lab:read"),
        edges=("start -> a", "a -> b"),
    )
    execution = await run(admin, definition, ids)
    assert execution["status"] == "partial"
    rows = {
        (row["node_id"], row["device"] and row["device"]["name"]): row for row in await results(admin, execution["id"])
    }
    assert rows["a", "r1"]["error"]["class"] == "timeout"
    assert rows["a", "r1"]["duration_ms"] < 10_000
    assert rows["b", "r2"]["status"] == "success"


async def test_a_change_that_takes_too_long_is_unknown(admin: httpx.AsyncClient) -> None:
    ids = await make_devices(admin, ["r1"])
    definition = workflow(
        step("a", "lab:change", text="x", default="sleep:30", options={"timeout_s": 0.5, "retries": 3}),
        edges=("start -> a",),
    )
    execution = await run(admin, definition, ids)
    assert execution["status"] == "failed"
    (row,) = await results(admin, execution["id"], node="a")
    assert (row["status"], row["error"]["class"], row["attempt"]) == ("unknown", "timeout", 1)


async def test_only_so_many_hosts_are_in_a_node_at_once(admin: httpx.AsyncClient, tmp_path: Path) -> None:
    ids = await make_devices(admin, [f"r{number}" for number in range(8)])
    definition = workflow(step("a", "lab:read", default="sleep:0.2", options={"concurrency": 2}), edges=("start -> a",))
    execution = await run(admin, definition, ids)
    assert execution["status"] == "success"
    spans = []
    for row in await results(admin, execution["id"], node="a"):
        began = datetime.fromisoformat(row["started_at"])
        spans.append((began, began + timedelta(milliseconds=row["duration_ms"]) - JITTER))
    assert max(sum(began <= at < ended for began, ended in spans) for at, _ in spans) <= 2


async def test_a_node_is_run_dry_by_its_own_option(admin: httpx.AsyncClient, tmp_path: Path) -> None:
    ids = await make_devices(admin, ["r1"])
    definition = workflow(
        step("a", "lab:change", text="x", journal=str(tmp_path / "journal"), options={"dry_run": True}),
        edges=("start -> a",),
    )
    execution = await run(admin, definition, ids)
    assert table(await results(admin, execution["id"]))["a", "r1"] == "success"
    assert not (tmp_path / "journal").exists()


async def limited(
    admin: httpx.AsyncClient, definition: dict[str, Any], ids: list[str], **settings: Any
) -> dict[str, Any]:
    """Save a workflow with settings, run it and return the execution at its end."""
    saved = await admin.post(
        "/automation/v1/workflows", json={"name": "limited", "definition": definition, "settings": settings}
    )
    assert saved.status_code == 201, saved.text
    path = f"/automation/v1/workflows/{saved.json()['data']['id']}/execute"
    answer = await admin.post(path, json={"targets": {"devices": ids}} if ids else {})
    return await ended(admin, answer.json()["data"]["id"])


async def test_an_execution_that_lasts_too_long_ends_as_a_timeout(admin: httpx.AsyncClient) -> None:
    ids = await make_devices(admin, ["r1", "r2"])
    definition = workflow(step("a", "lab:read", hosts={"r1": "sleep:60"}), edges=("start -> a",))
    execution = await limited(admin, definition, ids, timeout_s=1)
    assert (execution["status"], execution["error"]["class"]) == ("timeout", "timeout")
    assert execution["counts"]["succeeded"] == 1
    assert table(await results(admin, execution["id"]))["a", "r2"] == "success"


async def test_a_wait_does_not_outlast_the_execution(admin: httpx.AsyncClient) -> None:
    definition = workflow(step("w", "flow:delay", delay_seconds=600), edges=("start -> w",))
    execution = await limited(admin, definition, [], timeout_s=1)
    assert execution["status"] == "timeout"


@pytest.mark.parametrize("bounds", [{"max_failed": 1}, {"error_handling": "stop"}])
async def test_after_too_many_failures_no_further_device_is_begun(
    admin: httpx.AsyncClient, bounds: dict[str, Any], tmp_path: Path
) -> None:
    ids = await make_devices(admin, [f"r{number}" for number in range(9)])
    allowed = bounds.get("max_failed", 0)
    definition = workflow(
        step("a", "lab:change", text="x", journal=str(tmp_path / "journal"), default="fail:config_rejected"),
        edges=("start -> a",),
    )
    execution = await limited(admin, definition, ids, concurrency=1, **bounds)
    assert execution["status"] == "failed"
    assert execution["stop_reason"] == "max_failed"
    assert f"{allowed + 1} device" in execution["error"]["message"]
    assert (execution["counts"]["failed"], execution["counts"]["cancelled"]) == (allowed + 1, 8 - allowed)
    assert len((tmp_path / "journal").read_text().splitlines()) == allowed + 1


async def test_waves_change_a_few_devices_before_the_others(admin: httpx.AsyncClient, tmp_path: Path) -> None:
    ids = await make_devices(admin, [f"r{number}" for number in range(6)])
    definition = workflow(
        step("look", "lab:read"),
        step("gather", "logic:barrier"),
        step("a", "lab:change", text="x", default="sleep:0.1"),
        edges=("start -> look", "look -> gather", "gather -> a"),
    )
    execution = await limited(admin, definition, ids, waves=[1, "34%", "rest"])
    assert execution["status"] == "success"
    rows = sorted(await results(admin, execution["id"], node="a"), key=lambda row: row["started_at"])
    ends = [datetime.fromisoformat(row["started_at"]) + timedelta(milliseconds=row["duration_ms"]) for row in rows]
    begins = [datetime.fromisoformat(row["started_at"]) + JITTER for row in rows]
    assert ends[0] <= begins[1]
    assert max(ends[1:3]) <= min(begins[3:])


async def test_a_failed_wave_keeps_the_others_from_beginning(admin: httpx.AsyncClient, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    ids = await make_devices(admin, [f"r{number}" for number in range(6)])
    definition = workflow(
        step("a", "lab:change", text="x", journal=str(journal), default="fail:config_rejected"), edges=("start -> a",)
    )
    execution = await limited(admin, definition, ids, waves=[2, "rest"], max_failed=0)
    assert execution["status"] == "failed"
    assert len(journal.read_text().splitlines()) == 2
    assert execution["counts"]["cancelled"] == 4


async def test_a_host_on_which_a_call_lives_on_is_no_success(admin: httpx.AsyncClient) -> None:
    ids = await make_devices(admin, ["r1"])
    definition = workflow(
        step("a", "lab:read", default="hang:8", options={"timeout_s": 0.5, "on_error": "continue"}),
        step("b", "lab:read"),
        edges=("start -> a", "a -> b"),
    )
    execution = await run(admin, definition, ids)
    assert execution["status"] == "failed"
    assert {row["node_id"] for row in await results(admin, execution["id"])} == {"start", "a"}
