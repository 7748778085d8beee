"""Branches that overlap, and what brings them together again."""

from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.support.graphs import step, workflow
from tests.support.working import make_devices, results, run, table

pytestmark = pytest.mark.usefixtures("work")


@pytest.mark.parametrize("kind", ["lab:read", "lab:once"])
async def test_sibling_branches_overlap(admin: httpx.AsyncClient, kind: str) -> None:
    ids = await make_devices(admin, ["r1"])
    slow = [step(name, kind, default="sleep:1.5") for name in "ab"]
    definition = workflow(
        *slow, step("m", "logic:merge", data="{{ 1 }}"), edges=("start -> a", "start -> b", "a -> m", "b -> m")
    )
    execution = await run(admin, definition, ids if kind == "lab:read" else [])
    assert execution["status"] == "success"
    rows = {row["node_id"]: row for row in await results(admin, execution["id"])}
    began = {name: datetime.fromisoformat(rows[name]["started_at"]) for name in "abm"}
    assert abs(began["a"] - began["b"]) < timedelta(seconds=1.4)
    assert began["m"] - max(began["a"], began["b"]) >= timedelta(seconds=1.4)


async def test_a_merge_of_the_first_goes_on_before_the_others(admin: httpx.AsyncClient) -> None:
    ids = await make_devices(admin, ["r1"])
    definition = workflow(
        step("fast", "lab:read"),
        step("slow", "lab:read", default="sleep:1.5"),
        step("m", "logic:merge", mode="first", data="{{ now.timestamp() }}"),
        step("z", "lab:read"),
        edges=("start -> fast", "start -> slow", "fast -> m", "slow -> m", "m -> z"),
    )
    execution = await run(admin, definition, ids)
    assert execution["status"] == "success"
    rows = {row["node_id"]: row for row in await results(admin, execution["id"])}
    assert rows["z"]["duration_ms"] < 1000
    assert rows["z"]["started_at"] < rows["slow"]["started_at"] or rows["slow"]["duration_ms"] > 1000
    assert len([row for row in rows if row == "m"]) == 1


async def test_all_branches_of_a_parallel_node_run(admin: httpx.AsyncClient) -> None:
    definition = workflow(
        step("p", "logic:parallel", branches=3),
        *(step(name, "lab:once") for name in "abc"),
        edges=("start -> p", "p.branch_0 -> a", "p.branch_1 -> b", "p.branch_2 -> c"),
    )
    execution = await run(admin, definition)
    assert execution["status"] == "success"
    assert [table(await results(admin, execution["id"]))[name, "-"] for name in "abc"] == ["success"] * 3


async def test_nobody_passes_a_barrier_before_everybody_has_come(admin: httpx.AsyncClient) -> None:
    ids = await make_devices(admin, ["r1", "r2", "r3"])
    definition = workflow(
        step("a", "lab:read", hosts={"r2": "sleep:1", "r3": "fail:auth"}),
        step("x", "logic:barrier"),
        step("b", "lab:read"),
        edges=("start -> a", "a -> x", "x -> b"),
    )
    execution = await run(admin, definition, ids)
    assert execution["status"] == "partial"
    rows = await results(admin, execution["id"])
    assert table(rows)["b", "r3"] == "skipped"
    began = min(row["started_at"] for row in rows if row["node_id"] == "b" and row["status"] == "success")
    assert began > max(row["started_at"] for row in rows if row["node_id"] == "a")


async def test_a_block_is_tried_again_until_it_succeeds(admin: httpx.AsyncClient, tmp_path: Path) -> None:
    definition = workflow(
        step("r", "logic:retry", retry_delay=0.05),
        step("a", "lab:once"),
        step("b", "lab:once", default=f"fail-once:{tmp_path}/mark"),
        step("z", "lab:once"),
        edges=("start -> r", "r.try -> a", "a -> b", "r.done -> z"),
    )
    execution = await run(admin, definition)
    assert execution["status"] == "success"
    rows = [(row["node_id"], row["iteration"], row["status"]) for row in await results(admin, execution["id"])]
    assert ("b", "r:0", "failed") in rows
    assert ("b", "r:1", "success") in rows
    assert ("z", "", "success") in rows


async def test_a_block_that_never_succeeds_fails_once_its_tries_are_used_up(admin: httpx.AsyncClient) -> None:
    definition = workflow(
        step("r", "logic:retry", retry_delay=0, max_retries=2),
        step("a", "lab:once", default="fail:upstream"),
        step("z", "lab:once"),
        edges=("start -> r", "r.try -> a", "r.done -> z"),
    )
    execution = await run(admin, definition)
    assert execution["status"] == "failed"
    rows = [(row["node_id"], row["iteration"], row["status"]) for row in await results(admin, execution["id"])]
    assert [row for row in rows if row[0] == "a"] == [("a", f"r:{index}", "failed") for index in range(3)]
    assert ("z", "", "skipped") in rows


@pytest.mark.parametrize(("behaviour", "taken"), [("ok", "good"), ("fail:auth", "bad")])
async def test_a_failure_in_a_block_is_caught(admin: httpx.AsyncClient, behaviour: str, taken: str) -> None:
    ids = await make_devices(admin, ["r1"])
    definition = workflow(
        step("c", "logic:catch"),
        step("a", "lab:read", default=behaviour),
        step("good", "lab:read"),
        step("bad", "data:set-variable", variable_name="why", value_expression="{{ c.error }}"),
        edges=("start -> c", "c.try -> a", "c.done -> good", "c.caught -> bad"),
    )
    definition["nodes"][1]["data"]["options"] = {"scope": "device"}
    execution = await run(admin, definition, ids)
    assert execution["status"] == "success"
    rows = await results(admin, execution["id"])
    assert {row["node_id"] for row in rows if row["node_id"] in {"good", "bad"} and row["status"] == "success"} == {
        taken
    }
