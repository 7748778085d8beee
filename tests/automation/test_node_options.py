from pathlib import Path

import httpx
import pytest

from tests.support.graphs import step, workflow
from tests.support.working import make_devices, results, run, table

pytestmark = pytest.mark.usefixtures("work")
AGAIN = {"retries": 2, "retry_delay_s": 0.05}


async def test_a_disabled_node_is_skipped_and_the_walk_goes_on(admin: httpx.AsyncClient) -> None:
    await make_devices(admin, ["r1"])
    definition = workflow(
        step("a", "lab:read", default="fail:auth", options={"disabled": True}),
        step("b", "lab:read"),
        step("f", "lab:read"),
        edges=("start -> a", "a -> b", "a.failure -> f"),
    )
    execution = await run(admin, definition, ["r1"])
    statuses = table(await results(admin, execution["id"]))
    assert (statuses["a", "r1"], statuses["b", "r1"], statuses["f", "r1"]) == ("skipped", "success", "skipped")
    assert execution["status"] == "success"


async def test_run_if_skips_where_it_is_false_and_the_walk_goes_on(admin: httpx.AsyncClient) -> None:
    await make_devices(admin, ["r1", "r2"])
    definition = workflow(
        step("a", "lab:read", options={"run_if": "host.name == 'r1'"}),
        step("b", "lab:read"),
        step("o", "lab:once", options={"run_if": "{{ nodes.a.succeeded | length > 1 }}"}),
        edges=("start -> a", "a -> b", "b -> o"),
    )
    execution = await run(admin, definition, ["r1", "r2"])
    assert table(await results(admin, execution["id"])) == {
        ("start", "-"): "success",
        ("a", "r1"): "success",
        ("a", "r2"): "skipped",
        ("b", "r1"): "success",
        ("b", "r2"): "success",
        ("o", "-"): "skipped",
    }


async def test_a_broken_run_if_fails_the_node(admin: httpx.AsyncClient) -> None:
    definition = workflow(step("o", "lab:once", options={"run_if": "variables.nothing"}), edges=("start -> o",))
    execution = await run(admin, definition)
    assert execution["error"]["class"] == "expression"
    assert execution["error"]["message"].startswith("run_if: there is no 'nothing' here")


async def test_a_failed_node_is_tried_again(admin: httpx.AsyncClient, tmp_path: Path) -> None:
    await make_devices(admin, ["r1"])
    definition = workflow(
        step("a", "lab:read", default=f"fail-once:{tmp_path / 'a'}", options=AGAIN),
        step("o", "lab:once", default=f"fail-once:{tmp_path / 'o'}", options={**AGAIN, "backoff": "exponential"}),
        edges=("start -> a", "a -> o"),
    )
    execution = await run(admin, definition, ["r1"])
    rows = {row["node_id"]: (row["status"], row["attempt"]) for row in await results(admin, execution["id"])}
    assert rows == {"start": ("success", 1), "a": ("success", 2), "o": ("success", 2)}


async def test_tries_come_to_an_end_with_the_last_error(admin: httpx.AsyncClient) -> None:
    definition = workflow(step("o", "lab:once", default="fail:upstream", options=AGAIN), edges=("start -> o",))
    execution = await run(admin, definition)
    (row,) = await results(admin, execution["id"], node="o")
    assert (row["status"], row["attempt"], row["error"]["class"]) == ("failed", 3, "upstream")


@pytest.mark.parametrize(("error_class", "attempts"), [("validation", 1), ("auth", 3)])
async def test_what_another_try_would_only_repeat_is_not_tried_again(
    admin: httpx.AsyncClient, error_class: str, attempts: int
) -> None:
    await make_devices(admin, ["r1"])
    definition = workflow(step("a", "lab:read", default=f"fail:{error_class}", options=AGAIN), edges=("start -> a",))
    execution = await run(admin, definition, ["r1"])
    (row,) = await results(admin, execution["id"], node="a")
    assert row["attempt"] == attempts


async def test_a_change_whose_author_knows_nothing_of_intents_is_fenced_all_the_same(
    admin: httpx.AsyncClient, tmp_path: Path
) -> None:
    await make_devices(admin, ["r1", "r2"])
    journal = tmp_path / "journal"
    definition = workflow(
        step(
            "c",
            "lab:plain",
            default="fail:read_timeout",
            hosts={"r2": "fail:auth"},
            journal=str(journal),
            options=AGAIN,
        ),
        edges=("start -> c",),
    )
    execution = await run(admin, definition, ["r1", "r2"])
    assert table(await results(admin, execution["id"], node="c")) == {("c", "r1"): "unknown", ("c", "r2"): "failed"}
    assert sorted(journal.read_text().splitlines()) == ["r1 ", "r2 "]


async def test_a_change_is_not_tried_again_once_it_began(admin: httpx.AsyncClient, tmp_path: Path) -> None:
    await make_devices(admin, ["r1"])
    journal = tmp_path / "journal"
    definition = workflow(
        step("c", "lab:change", default="fail:read_timeout", text="x", journal=str(journal), options=AGAIN),
        edges=("start -> c",),
    )
    execution = await run(admin, definition, ["r1"])
    (row,) = await results(admin, execution["id"], node="c")
    assert (row["status"], row["attempt"]) == ("unknown", 1)
    assert journal.read_text() == "r1 x\n"
