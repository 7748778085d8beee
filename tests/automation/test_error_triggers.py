"""Error triggers: which failures they watch, where their branch runs, and what still counts."""

from typing import Any

import httpx
import pytest

from app.automation.workflows.validation import Verdict, validate
from app.palette import build_catalog
from tests.support.graphs import step, workflow
from tests.support.working import NODES, make_devices, results, run, table

CATALOGUE = build_catalog(NODES)
UNWATCHED_LOOP = ("start -> l", "l.each -> a", "l.done -> b")


def trigger(node_id: str = "e", **parameters: Any) -> dict[str, Any]:
    return step(node_id, "flow:error-trigger", options=parameters.pop("options", {}), **parameters)


def read(node_id: str = "a", default: str = "ok", **more: Any) -> dict[str, Any]:
    return step(node_id, "lab:read", default=default, options=more.pop("options", {}), **more)


def watched(verdict: Verdict, node_id: str = "e") -> list[str]:
    return [edge.source for edge in verdict.definition.incoming(node_id) if edge.watch]


def faults(verdict: Verdict) -> list[tuple[str, str | None, str]]:
    return [(found["type"], found["node_id"], found["field"]) for found in verdict.errors]


def test_any_watches_what_handles_no_failure_itself_and_does_not_lie_behind_an_error_trigger() -> None:
    verdict = validate(
        workflow(
            read("a"), read("b"), read("f"), read("c", options={"on_error": "continue"}),
            read("d", options={"on_error": "fail"}), trigger(), read("x"),
            edges=("start -> a", "a -> b", "b.failure -> f", "b -> c", "c -> d", "e -> x"),
        ),
        CATALOGUE,
    )  # fmt: skip
    assert (verdict.errors, verdict.warnings) == ([], [])
    assert watched(verdict) == ["a", "f", "d"]


def test_a_loop_speaks_for_the_nodes_in_it() -> None:
    looped = step("l", "logic:loop", items_expression="{{ [1] }}")
    verdict = validate(workflow(looped, read("a"), read("b"), trigger(), edges=UNWATCHED_LOOP), CATALOGUE)
    assert verdict.errors == []
    assert watched(verdict) == ["l", "b"]


def test_one_for_a_node_in_a_loop_lies_in_the_loop() -> None:
    looped = step("l", "logic:loop", items_expression="{{ [1] }}")
    inner = trigger(error_source="specific", source_node_id="a")
    verdict = validate(
        workflow(looped, read("a"), read("b"), inner, read("x"), edges=(*UNWATCHED_LOOP, "e -> x")), CATALOGUE
    )
    assert verdict.errors == []
    leak = validate(workflow(looped, read("a"), read("b"), inner, edges=(*UNWATCHED_LOOP, "e -> b")), CATALOGUE)
    assert {kind for kind, _, _ in faults(leak)} == {"loop_leak"}


def test_two_for_any_node_do_not_watch_each_others_branches() -> None:
    verdict = validate(
        workflow(read("a"), trigger("e"), trigger("g"), read("x"), read("y"), edges=("start -> a", "e -> x", "g -> y")),
        CATALOGUE,
    )
    assert verdict.errors == []
    assert (watched(verdict, "e"), watched(verdict, "g")) == (["a"], ["a"])


def test_one_for_a_node_in_the_branch_of_another_is_no_cycle() -> None:
    inner = trigger("g", error_source="specific", source_node_id="x")
    nodes = (read("a"), trigger("e"), read("x"), inner, read("y"))
    verdict = validate(workflow(*nodes, edges=("start -> a", "e -> x", "g -> y")), CATALOGUE)
    assert (verdict.errors, verdict.warnings) == ([], [])
    assert (watched(verdict, "e"), watched(verdict, "g")) == (["a"], ["x"])


@pytest.mark.parametrize(
    ("node", "edges", "expected"),
    [
        (trigger(), ("a -> e",), ("edge_into_trigger", "edges.a -> e.target")),
        (trigger(error_source="specific"), (), ("missing_parameter", "parameters.source_node_id")),
        (trigger(error_source="specific", source_node_id="z"), (), ("bad_parameter", "parameters.source_node_id")),
        (trigger(error_source="specific", source_node_id="start"), (), ("bad_parameter", "parameters.source_node_id")),
        (
            trigger(error_source="specific", source_node_id="x"),
            ("e -> x",),
            ("bad_parameter", "parameters.source_node_id"),
        ),
        (trigger(error_source="{{ 'any' }}"), (), ("bad_parameter", "parameters")),
        (trigger(error_source="some"), (), ("bad_parameter", "parameters.error_source")),
    ],
)
def test_what_is_wrong_with_an_error_trigger_is_told(
    node: dict[str, Any], edges: tuple[str, ...], expected: tuple[str, str]
) -> None:
    verdict = validate(workflow(read("a"), node, read("x"), edges=("start -> a", *edges)), CATALOGUE)
    assert (expected[0], "e", expected[1]) in faults(verdict)


def test_one_that_never_runs_is_a_warning() -> None:
    handled = read("a", options={"on_error": "continue"})
    specific = trigger(error_source="specific", source_node_id="a")
    for node, word in ((specific, "deals with its failures itself"), (trigger(), "no node whose failure")):
        (warning,) = validate(workflow(handled, node, edges=("start -> a",)), CATALOGUE).warnings
        assert (warning["type"], warning["node_id"]) == ("unconnected", "e")
        assert word in warning["message"]


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize(("goes_on", "status"), [(True, "success"), (False, "partial")])
async def test_the_branch_runs_on_the_devices_that_failed(admin: httpx.AsyncClient, goes_on: bool, status: str) -> None:
    ids = await make_devices(admin, ["r1", "r2"])
    failing = read("a", hosts={"r1": "fail:auth"})
    told = read("x", text="{{ e.error.class }} at {{ nodes.e.outputs.error.node_id }} on {{ e.error.host }}")
    nodes = (failing, read("b"), trigger(continue_workflow=goes_on), told)
    execution = await run(admin, workflow(*nodes, edges=("start -> a", "a -> b", "e -> x")), ids)
    assert execution["status"] == status
    rows = await results(admin, execution["id"])
    assert {key: ended for key, ended in table(rows).items() if key[1] != "-"} == {
        ("a", "r1"): "failed", ("b", "r1"): "skipped", ("e", "r1"): "success", ("x", "r1"): "success",
        ("a", "r2"): "success", ("b", "r2"): "success", ("e", "r2"): "skipped", ("x", "r2"): "skipped",
    }  # fmt: skip
    by_place = {(row["node_id"], row["device"]["name"]): row for row in rows if row["device"]}
    assert by_place["x", "r1"]["outputs"]["text"] == "auth at a on r1"
    assert by_place["a", "r1"]["handled"] is goes_on


@pytest.mark.usefixtures("work")
async def test_the_branch_runs_once_after_a_once_node_and_only_after_its_retries(admin: httpx.AsyncClient) -> None:
    options = {"retries": 1, "retry_delay_s": 0}
    failing = step("a", "lab:once", default="fail:upstream", options=options)
    told = step("x", "lab:once", text="{{ e.error.message }}, {{ e.errors | length }}")
    definition = workflow(failing, step("b", "lab:once"), trigger(), told, edges=("start -> a", "a -> b", "e -> x"))
    execution = await run(admin, definition)
    rows = {row["node_id"]: row for row in await results(admin, execution["id"])}
    assert execution["status"] == "success"
    assert (rows["a"]["attempt"], rows["a"]["status"], rows["b"]["status"]) == (2, "failed", "skipped")
    assert rows["x"]["outputs"]["text"] == "- fails as told, 1"


@pytest.mark.usefixtures("work")
async def test_a_retry_that_succeeds_is_no_failure(admin: httpx.AsyncClient, tmp_path: Any) -> None:
    failing = step(
        "a", "lab:once", default=f"fail-once:{tmp_path / 'mark'}", options={"retries": 1, "retry_delay_s": 0}
    )
    execution = await run(admin, workflow(failing, trigger(), edges=("start -> a",)))
    rows = {row["node_id"]: row["status"] for row in await results(admin, execution["id"])}
    assert (execution["status"], rows["e"]) == ("success", "skipped")


@pytest.mark.usefixtures("work")
async def test_after_on_error_fail_the_branch_runs_and_the_failure_counts(admin: httpx.AsyncClient) -> None:
    failing = step("a", "lab:once", default="fail:upstream", options={"on_error": "fail"})
    specific = trigger(error_source="specific", source_node_id="a")
    execution = await run(admin, workflow(failing, specific, step("x", "lab:once"), edges=("start -> a", "e -> x")))
    rows = {row["node_id"]: row["status"] for row in await results(admin, execution["id"])}
    assert (execution["status"], rows["x"]) == ("failed", "success")


@pytest.mark.usefixtures("work")
async def test_a_specific_one_passes_over_other_failures(admin: httpx.AsyncClient) -> None:
    ids = await make_devices(admin, ["r1", "r2"])
    nodes = (
        read("a", hosts={"r1": "fail:auth"}), read("b", hosts={"r2": "fail:parse"}),
        trigger(error_source="specific", source_node_id="b"),
    )  # fmt: skip
    execution = await run(admin, workflow(*nodes, edges=("start -> a", "a -> b")), ids)
    rows = table(await results(admin, execution["id"]))
    assert (rows["e", "r1"], rows["e", "r2"]) == ("skipped", "success")
    assert execution["status"] == "partial"


@pytest.mark.usefixtures("work")
async def test_told_to_run_once_it_sees_the_failures_of_all_devices(admin: httpx.AsyncClient) -> None:
    ids = await make_devices(admin, ["r1", "r2", "r3"])
    failing = read("a", hosts={"r1": "fail:auth", "r3": "fail:dns"})
    told = step("x", "lab:once", text="{{ e.errors | map(attribute='host') | sort | join(' ') }}")
    nodes = (failing, trigger(options={"scope": "once"}), told)
    execution = await run(admin, workflow(*nodes, edges=("start -> a", "e -> x")), ids)
    rows = {row["node_id"]: row for row in await results(admin, execution["id"]) if row["device"] is None}
    assert (rows["e"]["status"], rows["x"]["outputs"]["text"]) == ("success", "r1 r3")
    assert execution["status"] == "success"


@pytest.mark.usefixtures("work")
async def test_a_change_whose_effect_is_unknown_begins_the_branch_and_counts(admin: httpx.AsyncClient) -> None:
    ids = await make_devices(admin, ["r1"])
    changing = step("a", "lab:change", default="fail:read_timeout")
    execution = await run(admin, workflow(changing, trigger(), edges=("start -> a",)), ids)
    rows = table(await results(admin, execution["id"]))
    assert (rows["a", "r1"], rows["e", "r1"]) == ("unknown", "success")
    assert execution["status"] == "failed"


@pytest.mark.usefixtures("work")
async def test_in_a_loop_the_branch_runs_in_the_round_that_failed(admin: httpx.AsyncClient) -> None:
    looped = step("l", "logic:loop", items_expression="{{ ['ok', 'fail:auth', 'ok'] }}")
    failing = step("a", "lab:once", default="{{ item }}")
    inner = trigger(error_source="specific", source_node_id="a")
    nodes = (looped, failing, inner, step("x", "lab:once"))
    execution = await run(admin, workflow(*nodes, edges=("start -> l", "l.each -> a", "e -> x")))
    rows = {(row["node_id"], row["iteration"]): row["status"] for row in await results(admin, execution["id"])}
    assert execution["status"] == "success"
    assert [rows["x", f"l:{index}"] for index in range(3)] == ["skipped", "success", "skipped"]
