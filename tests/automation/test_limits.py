"""What bounds a run: timeouts of nodes and of the whole, hosts at once, waves, and how many may fail."""

from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.support.graphs import step, workflow
from tests.support.working import make_devices, results, run, table

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
