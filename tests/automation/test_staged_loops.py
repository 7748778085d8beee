"""Loops that run once and hold device nodes: every round is whole stages of its own."""

from pathlib import Path

import httpx
import pytest

from tests.support.graphs import step, workflow
from tests.support.working import make_devices, results, run, table

pytestmark = pytest.mark.usefixtures("work")


async def test_each_round_runs_on_every_device_before_the_next(admin: httpx.AsyncClient, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    ids = await make_devices(admin, ["r1", "r2"])
    definition = workflow(
        step("l", "logic:loop", items_expression="{{ ['x', 'y', 'z'] }}"),
        step("d", "lab:change", text="{{ item }}{{ index }}", journal=str(journal)),
        step("o", "data:set-variable", variable_name="seen", value_expression="{{ nodes.d.succeeded | length }}"),
        step("z", "data:set-variable", variable_name="told", value_expression="{{ l.results }}"),
        edges=("start -> l", "l.each -> d", "d -> o", "l.done -> z"),
    )
    definition["nodes"][3]["data"]["options"] = {"scope": "once"}
    execution = await run(admin, definition, ids)
    assert execution["status"] == "success", (
        execution["error"],
        [n for n in execution["nodes"] if n["status"] != "success"],
    )
    lines = [line.split() for line in journal.read_text().splitlines()]
    assert [text for _, text in lines] == ["x0", "x0", "y1", "y1", "z2", "z2"]
    rows = await results(admin, execution["id"])
    seen = {row["iteration"]: row["outputs"] for row in rows if row["node_id"] == "o"}
    assert seen == {f"l:{index}": {"seen": 2} for index in range(3)}
    (told,) = [row["outputs"]["told"] for row in rows if row["node_id"] == "z"]
    assert [(entry["index"], entry["item"], entry["status"]) for entry in told] == [
        (0, "x", "success"), (1, "y", "success"), (2, "z", "success"),
    ]  # fmt: skip


async def test_a_device_that_fails_in_a_round_is_told_and_the_loop_goes_on(admin: httpx.AsyncClient) -> None:
    ids = await make_devices(admin, ["r1", "r2"])
    definition = workflow(
        step("l", "logic:loop", items_expression="{{ [1, 2] }}", continue_on_error=True),
        step("d", "lab:read", default="{{ 'fail:auth' if item == 1 and host.name == 'r1' else 'ok' }}"),
        edges=("start -> l", "l.each -> d"),
    )
    execution = await run(admin, definition, ids)
    assert execution["status"] == "success"
    (loop,) = [row for row in await results(admin, execution["id"]) if row["node_id"] == "l"]
    assert [(entry["status"], entry["failed"]) for entry in loop["outputs"]["results"]] == [
        ("failed", ["r1"]),
        ("success", []),
    ]


async def test_a_loop_that_does_not_go_on_ends_with_the_failing_round(admin: httpx.AsyncClient) -> None:
    ids = await make_devices(admin, ["r1", "r2"])
    definition = workflow(
        step("l", "logic:loop", items_expression="{{ [1, 2, 3] }}", continue_on_error=False),
        step("d", "lab:read", default="{{ 'fail:auth' if item == 2 and host.name == 'r1' else 'ok' }}"),
        step("z", "lab:once"),
        edges=("start -> l", "l.each -> d", "l.done -> z"),
    )
    execution = await run(admin, definition, ids)
    assert execution["status"] == "failed"
    rows = await results(admin, execution["id"])
    assert {row["iteration"] for row in rows if row["node_id"] == "d"} == {"l:0", "l:1"}
    assert table(rows)["z", "-"] == "skipped"


async def test_rounds_nest(admin: httpx.AsyncClient) -> None:
    ids = await make_devices(admin, ["r1"])
    definition = workflow(
        step("a", "logic:loop", items_expression="{{ ['x', 'y'] }}"),
        step("b", "logic:loop", items_expression="{{ [1, 2] }}"),
        step("d", "lab:read", text="{{ a.item }}{{ item }}"),
        step("z", "lab:once"),
        edges=("start -> a", "a.each -> b", "b.each -> d", "a.done -> z"),
    )
    execution = await run(admin, definition, ids)
    assert execution["status"] == "success", (
        execution["error"],
        [n for n in execution["nodes"] if n["status"] != "success"],
    )
    rows = await results(admin, execution["id"], node="d")
    assert sorted((row["iteration"], row["outputs"]["text"]) for row in rows) == [
        ("a:0.b:0", "x1"), ("a:0.b:1", "x2"), ("a:1.b:0", "y1"), ("a:1.b:1", "y2"),
    ]  # fmt: skip


async def test_a_loop_over_nothing_leaves_its_devices_alone(admin: httpx.AsyncClient) -> None:
    ids = await make_devices(admin, ["r1"])
    definition = workflow(
        step("l", "logic:loop", items_expression="{{ [] }}"),
        step("d", "lab:read"),
        step("z", "lab:read"),
        edges=("start -> l", "l.each -> d", "l.done -> z"),
    )
    execution = await run(admin, definition, ids)
    assert execution["status"] == "success"
    assert {node["node_id"]: node["status"] for node in execution["nodes"]} == {
        "start": "success", "l": "success", "d": "skipped", "z": "success",
    }  # fmt: skip


async def test_a_block_on_devices_is_tried_again_as_a_whole(admin: httpx.AsyncClient, tmp_path: Path) -> None:
    ids = await make_devices(admin, ["r1", "r2"])
    definition = workflow(
        step("r", "logic:retry", retry_delay=0.05),
        step("d", "lab:read", hosts={"r2": f"fail-once:{tmp_path}/mark"}),
        step("z", "lab:read"),
        edges=("start -> r", "r.try -> d", "r.done -> z"),
    )
    execution = await run(admin, definition, ids)
    assert execution["status"] == "success", (
        execution["error"],
        [n for n in execution["nodes"] if n["status"] != "success"],
    )
    rows = await results(admin, execution["id"], node="d")
    assert sorted((row["iteration"], row["device"]["name"], row["status"]) for row in rows) == [
        ("r:0", "r1", "success"), ("r:0", "r2", "failed"), ("r:1", "r1", "success"), ("r:1", "r2", "success"),
    ]  # fmt: skip


async def test_rounds_do_not_change_what_their_loop_goes_through(admin: httpx.AsyncClient) -> None:
    ids = await make_devices(admin, ["r1"])
    definition = workflow(
        step("l", "logic:loop", items_expression="{{ variables.todo }}"),
        step("d", "lab:read", text="{{ item }}"),
        step("s", "data:set-variable", variable_name="todo", value_expression="{{ [] }}", options={"scope": "once"}),
        edges=("start -> l", "l.each -> d", "d -> s"),
    )
    execution = await run(admin, definition, ids, variables={"todo": ["x", "y"]})
    assert execution["status"] == "success", execution["error"]
    assert sorted(row["outputs"]["text"] for row in await results(admin, execution["id"], node="d")) == ["x", "y"]
