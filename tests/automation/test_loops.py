from pathlib import Path
from typing import Any

import httpx
import pytest

from app.automation.workflows.validation import validate
from tests.support.graphs import CATALOGUE, step, workflow
from tests.support.working import make_devices, results, run, table

work = pytest.mark.usefixtures("work")


def loop(node_id: str, items: str, **parameters: Any) -> dict[str, Any]:
    return step(node_id, "logic:loop", items_expression=items, **parameters)


async def rounds(admin: httpx.AsyncClient, execution_id: str, node: str) -> list[tuple[str, str, str]]:
    rows = await results(admin, execution_id, node=node)
    return sorted((row["device"]["name"] if row["device"] else "-", row["iteration"], row["status"]) for row in rows)


@work
async def test_a_loop_runs_its_body_for_every_item_and_goes_on_with_the_results(admin: httpx.AsyncClient) -> None:
    definition = workflow(
        loop("l", "{{ ['a', 'b', 'c'] }}"),
        step("say", "lab:once", text="{{ index }}{{ item }}{{ input.item }}"),
        step("end", "lab:once", text="{{ l.results | map(attribute='outputs.say.text') | join(' ') }}"),
        edges=("start -> l", "l.each -> say", "l.item -> say", "l.done -> end"),
    )
    execution = await run(admin, definition)
    assert execution["status"] == "success"
    assert await rounds(admin, execution["id"], "say") == [("-", f"l:{number}", "success") for number in range(3)]
    (end,) = await results(admin, execution["id"], node="end")
    assert end["outputs"]["text"] == "0aa 1bb 2cc"


@work
async def test_every_device_goes_its_own_number_of_rounds(admin: httpx.AsyncClient) -> None:
    await make_devices(admin, ["r1", "r2", "r3"])
    definition = workflow(
        step("a", "lab:read"),
        loop("l", "{{ range(host.name[1] | int - 1) }}"),
        step("body", "lab:read", text="{{ item }}"),
        step("end", "lab:read", text="{{ l.results | length }}"),
        edges=("start -> a", "a -> l", "l.each -> body", "l.done -> end"),
    )
    execution = await run(admin, definition, ["r1", "r2", "r3"])
    assert await rounds(admin, execution["id"], "body") == [
        ("r1", "", "skipped"), ("r2", "l:0", "success"), ("r3", "l:0", "success"), ("r3", "l:1", "success"),
    ]  # fmt: skip
    ends = {row["device"]["name"]: row["outputs"]["text"] for row in await results(admin, execution["id"], node="end")}
    assert ends == {"r1": "0", "r2": "1", "r3": "2"}
    assert execution["counts"]["succeeded"] == 3


@work
async def test_a_loop_that_counts_needs_no_items(admin: httpx.AsyncClient) -> None:
    definition = workflow(
        step("l", "logic:loop", loop_type="count", count=2),
        step("say", "lab:once", text="{{ item }}"),
        edges=("start -> l", "l.each -> say"),
    )
    execution = await run(admin, definition)
    assert execution["status"] == "success"
    assert [row["outputs"]["text"] for row in await results(admin, execution["id"], node="say")] == ["0", "1"]


@work
async def test_a_loop_without_items_says_what_it_lacks(admin: httpx.AsyncClient) -> None:
    definition = workflow(step("l", "logic:loop"), step("say", "lab:once"), edges=("start -> l", "l.each -> say"))
    execution = await run(admin, definition)
    assert execution["status"] == "failed"
    assert "items_expression gave nothing" in execution["error"]["message"]


@work
async def test_loops_nest_and_rounds_know_their_path(admin: httpx.AsyncClient) -> None:
    definition = workflow(
        loop("outer", "{{ [[1, 2], [3]] }}"),
        loop("inner", "{{ item }}"),
        step("body", "lab:once", text="{{ item }}"),
        step("after", "lab:once", text="{{ inner.results | length }}"),
        edges=("start -> outer", "outer.each -> inner", "inner.each -> body", "inner.done -> after"),
    )
    execution = await run(admin, definition)
    assert await rounds(admin, execution["id"], "body") == [
        ("-", "outer:0.inner:0", "success"), ("-", "outer:0.inner:1", "success"), ("-", "outer:1.inner:0", "success"),
    ]  # fmt: skip
    texts = {row["iteration"]: row["outputs"]["text"] for row in await results(admin, execution["id"], node="after")}
    assert texts == {"outer:0": "2", "outer:1": "1"}


@work
async def test_a_batch_is_an_array(admin: httpx.AsyncClient) -> None:
    definition = workflow(
        loop("l", "{{ range(5) }}", batch_size=2),
        step("say", "lab:once", text="{{ item | join('+') }}"),
        edges=("start -> l", "l.each -> say"),
    )
    execution = await run(admin, definition)
    said = sorted(row["outputs"]["text"] for row in await results(admin, execution["id"], node="say"))
    assert said == ["0+1", "2+3", "4"]


@work
@pytest.mark.parametrize(("forgiving", "status", "rounds_run"), [(True, "success", 3), (False, "failed", 2)])
async def test_a_failed_round_ends_the_loop_unless_it_may_go_on(
    admin: httpx.AsyncClient, forgiving: bool, status: str, rounds_run: int
) -> None:
    definition = workflow(
        loop("l", "{{ [0, 1, 2] }}", continue_on_error=forgiving),
        step("body", "lab:once", default="{{ 'fail:upstream' if item == 1 else 'ok' }}"),
        step("end", "lab:once", text="{{ l.results | map(attribute='status') | join(' ') }}"),
        edges=("start -> l", "l.each -> body", "l.done -> end"),
    )
    execution = await run(admin, definition)
    assert execution["status"] == status
    assert len(await rounds(admin, execution["id"], "body")) == rounds_run
    statuses = table(await results(admin, execution["id"]))
    assert statuses["end", "-"] == ("success" if forgiving else "skipped")
    if not forgiving:
        (row,) = await results(admin, execution["id"], node="l")
        assert row["error"] == {
            "class": "upstream",
            "message": "Round 1 failed at body: - fails as told",
            "node_id": None,
        }


@work
@pytest.mark.parametrize(
    ("items", "part"),
    [("{{ 5 }}", "gave int"), ("{{ none }}", "gave nothing"), ("{{ range(4) }}", "more than max_items")],
)
async def test_what_a_loop_cannot_go_through_is_an_error(admin: httpx.AsyncClient, items: str, part: str) -> None:
    definition = workflow(
        loop("l", items, max_items=3), step("body", "lab:once"), edges=("start -> l", "l.each -> body")
    )
    execution = await run(admin, definition)
    assert execution["status"] == "failed"
    assert part in execution["error"]["message"]


@work
async def test_after_a_death_in_a_loop_the_rounds_done_are_not_run_again(
    admin: httpx.AsyncClient, tmp_path: Path
) -> None:
    await make_devices(admin, ["r1"])
    journal = tmp_path / "journal"
    definition = workflow(
        step("a", "lab:read"),
        loop("l", "{{ range(3) }}"),
        step("c", "lab:change", text="{{ index }}", journal=str(journal)),
        step("d", "lab:read", default="{{ 'kill-once:" + str(tmp_path / "mark") + "' if index == 1 else 'ok' }}"),
        edges=("start -> a", "a -> l", "l.each -> c", "c -> d"),
    )
    execution = await run(admin, definition, ["r1"])
    lines = journal.read_text().split("\n")
    assert len(lines) == len(set(lines))
    statuses = {row["iteration"]: row["status"] for row in await results(admin, execution["id"], node="c")}
    assert statuses["l:2"] == "success"
    assert set(statuses.values()) <= {"success", "unknown"}


BODY = step("b", "test:once")
BAD = {
    "empty_loop": workflow(step("l", "logic:loop"), BODY, edges=("start -> l", "l.done -> b")),
    "loop_leak": workflow(step("l", "logic:loop"), BODY, edges=("start -> l", "l.each -> b", "l.done -> b")),
    "loop_entry": workflow(step("l", "logic:loop"), BODY, edges=("start -> l", "l.each -> b", "start -> b")),
    "loop_scope": workflow(
        step("l", "logic:loop", options={"scope": "device"}), BODY, edges=("start -> l", "l.each -> b")
    ),
    "bad_id": workflow(step("l.1", "logic:loop"), BODY, edges=()),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_loop_that_cannot_run_is_refused(kind: str) -> None:
    found = [fault["node_id"] for fault in validate(BAD[kind], CATALOGUE).errors if fault["type"] == kind]
    assert found == [{"empty_loop": "l", "bad_id": "l.1"}.get(kind, "b")]


@work
async def test_what_a_loop_tells_survives_a_wait_in_its_rounds(admin: httpx.AsyncClient) -> None:
    await make_devices(admin, ["r1"])
    definition = workflow(
        step("a", "lab:read"),
        loop("l", "{{ [1, 2] }}"),
        step("w", "flow:delay", delay_seconds=0.6),
        step("say", "lab:read", text="{{ item }}"),
        step("end", "lab:read", text="{{ l.results | map(attribute='outputs.say.text') | join(' ') }}"),
        edges=("start -> a", "a -> l", "l.each -> w", "w -> say", "l.done -> end"),
    )
    execution = await run(admin, definition, ["r1"])
    (end,) = await results(admin, execution["id"], node="end")
    assert (execution["status"], end["outputs"]["text"]) == ("success", "1 2")


def test_loops_whose_rounds_would_have_too_long_a_name_are_refused() -> None:
    outer, inner = "o" * 60, "i" * 60
    edges = (f"start -> {outer}", f"{outer}.each -> {inner}", f"{inner}.each -> say")
    definition = workflow(loop(outer, "{{ [1] }}"), loop(inner, "{{ [1] }}"), step("say", "test:once"), edges=edges)
    assert [(error["node_id"], error["type"]) for error in validate(definition, CATALOGUE).errors] == [
        (inner, "bad_id")
    ]
    shorter = workflow(loop(outer, "{{ [1] }}"), step("say", "test:once"), edges=(edges[0], f"{outer}.each -> say"))
    assert not validate(shorter, CATALOGUE).errors
