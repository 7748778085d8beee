"""Nobody starves: a shard lets others have its worker, and its hosts that have not begun wait at the back."""

from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from app.automation.executions.engine.yielding import ASK_EVERY_S
from app.core import database
from tests.support.graphs import step, workflow
from tests.support.quick_worker import QUICK
from tests.support.working import ended, make_devices, make_workflow, results, run, start

WORKERS, WINDOW = 2, 25
pytestmark = pytest.mark.usefixtures("work")


async def hosts_by_status(execution_id: str) -> Counter[str]:
    rows = await database.fetch(
        "SELECT status, cardinality(host_keys) AS hosts FROM shards WHERE execution = $1::uuid", execution_id
    )
    counted: Counter[str] = Counter()
    for row in rows:
        counted[row["status"]] += row["hosts"]
    return counted


async def begin(admin: httpx.AsyncClient, workflow_id: str, **body: Any) -> dict[str, Any]:
    answer = await admin.post(f"/automation/v1/workflows/{workflow_id}/execute", json=body)
    assert answer.status_code == 202, answer.text
    return dict(answer.json()["data"])


async def hold_all_workers(admin: httpx.AsyncClient, opened: Path) -> list[str]:
    """Start executions that wait for a mark, more than there can be workers, and return them."""
    waiting = workflow(step("o", "lab:once", default=f"wait:{opened}"), edges=("start -> o",))
    workflow_id = await make_workflow(admin, waiting, "waiting")
    return [(await begin(admin, workflow_id))["id"] for _ in range(4 * WORKERS)]


async def test_hosts_that_have_not_begun_wait_at_the_back(admin: httpx.AsyncClient, tmp_path: Path) -> None:
    names = [f"r{number:02}" for number in range(70)]
    ids = await make_devices(admin, names)
    opened, journal = tmp_path / "opened", tmp_path / "journal"
    slow = workflow(
        step("a", "lab:read", default=f"wait:{opened}"),
        step("c", "lab:change", text="x", journal=str(journal)),
        edges=("start -> a", "a -> c"),
    )
    first = await start(admin, slow, ids)
    while (await hosts_by_status(first["id"]))["running"] < len(names):
        await anyio.sleep(0.05)
    before = await database.fetch("SELECT host_keys FROM shards WHERE execution = $1::uuid", first["id"])
    under_way = sum(min(WINDOW, len(row["host_keys"])) for row in before)
    others = await hold_all_workers(admin, opened)
    while (await hosts_by_status(first["id"])).get("queued", 0) < len(names) - under_way:
        await anyio.sleep(0.05)
    assert (await hosts_by_status(first["id"]))["running"] == under_way
    opened.touch()
    assert {(await ended(admin, one))["status"] for one in others} == {"success"}
    execution = await ended(admin, first["id"])
    assert (execution["status"], execution["counts"]["succeeded"]) == ("success", len(names))
    assert Counter(journal.read_text().split("\n")) == Counter({f"{name} x": 1 for name in names} | {"": 1})
    runs = "SELECT devices_left, wave_left FROM stage_runs WHERE execution = $1::uuid"
    left = await database.fetch(runs, first["id"])
    assert [(row["devices_left"], row["wave_left"]) for row in left] == [(0, 0)]


async def test_hosts_handed_over_keep_to_what_the_execution_allows(admin: httpx.AsyncClient, tmp_path: Path) -> None:
    opened, inside = tmp_path / "opened", tmp_path / "inside"
    ids = await make_devices(admin, [f"r{number}" for number in range(8)])
    definition = workflow(
        step("a", "lab:read", default=f"crowd:3:{inside}"),
        step("b", "lab:read", default=f"wait:{opened}"),
        edges=("start -> a", "a -> b"),
    )
    body = {"name": "limited", "definition": definition, "settings": {"concurrency": 3}}
    saved = (await admin.post("/automation/v1/workflows", json=body)).json()["data"]
    limited = await begin(admin, saved["id"], targets={"devices": ids})
    while not await hosts_by_status(limited["id"]) or (await hosts_by_status(limited["id"]))["queued"]:
        await anyio.sleep(0.05)
    others = await hold_all_workers(admin, opened)
    await anyio.sleep(QUICK.turn_s + ASK_EVERY_S + 1)
    before = await database.fetch("SELECT 1 FROM shards WHERE execution = $1::uuid", limited["id"])
    opened.touch()
    assert {(await ended(admin, one))["status"] for one in others} == {"success"}
    assert (await ended(admin, limited["id"]))["status"] == "success"
    shards = await database.fetch("SELECT threads FROM shards WHERE execution = $1::uuid", limited["id"])
    assert len(shards) > len(before)
    assert {row["threads"] for row in shards} <= {1, 2, 3}


async def test_an_execution_alone_is_never_cut_into_more_shards(admin: httpx.AsyncClient) -> None:
    ids = await make_devices(admin, [f"r{number:02}" for number in range(60)])
    definition = workflow(step("a", "lab:read", default="sleep:2"), edges=("start -> a",))
    execution = await run(admin, definition, ids)
    assert (execution["status"], len(await results(admin, execution["id"], node="a"))) == ("success", 60)
    shards = await database.fetch("SELECT 1 FROM shards WHERE execution = $1::uuid", execution["id"])
    assert len(shards) <= WORKERS
