from pathlib import Path

import httpx
import pytest

from tests.support.graphs import step, workflow
from tests.support.working import ended, make_devices, results, run, start, table

pytestmark = pytest.mark.usefixtures("work")


async def test_a_workflow_without_devices_runs_once(admin: httpx.AsyncClient) -> None:
    definition = workflow(step("o", "lab:once", text="by {{ execution.started_by }}"), edges=("start -> o",))
    execution = await run(admin, definition)
    assert execution["status"] == "success"
    (result,) = await results(admin, execution["id"], node="o")
    assert (result["device"], result["outputs"]["text"]) == (None, "by admin")


async def test_a_trigger_alone_ends_at_once(admin: httpx.AsyncClient) -> None:
    execution = await run(admin, workflow(), trigger={"why": "test"})
    assert (execution["status"], execution["nodes"][0]["status"]) == ("success", "success")


async def test_devices_take_their_own_branches_and_skipping_is_recorded(admin: httpx.AsyncClient) -> None:
    await make_devices(admin, ["r1", "r2", "r3"])
    definition = workflow(
        step("a", "lab:read", hosts={"r3": "fail:auth"}),
        step("b", "lab:branch", default="{{ 'left' if host.name == 'r1' else 'right' }}"),
        step("l", "lab:read"),
        step("r", "lab:read"),
        step("end", "lab:read"),
        edges=("start -> a", "a -> b", "b.left -> l", "b.right -> r", "l -> end", "r -> end"),
    )
    execution = await run(admin, definition, ["r1", "r2", "r3"])
    assert table(await results(admin, execution["id"])) == {
        ("start", "-"): "success",
        ("a", "r1"): "success", ("a", "r2"): "success", ("a", "r3"): "failed",
        ("b", "r1"): "success", ("b", "r2"): "success", ("b", "r3"): "skipped",
        ("l", "r1"): "success", ("l", "r2"): "skipped", ("l", "r3"): "skipped",
        ("r", "r1"): "skipped", ("r", "r2"): "success", ("r", "r3"): "skipped",
        ("end", "r1"): "success", ("end", "r2"): "success", ("end", "r3"): "skipped",
    }  # fmt: skip
    assert execution["status"] == "partial"
    assert execution["counts"] == {
        "devices": 3, "succeeded": 2, "failed": 1, "skipped": 0, "unknown": 0, "cancelled": 0,
    }  # fmt: skip
    hosts = (await admin.get(f"/automation/v1/executions/{execution['id']}/devices?status=failed")).json()["data"]
    assert [(host["device"]["name"], host["error_class"]) for host in hosts] == [("r3", "auth")]


async def test_a_handled_failure_does_not_count(admin: httpx.AsyncClient) -> None:
    await make_devices(admin, ["r1"])
    definition = workflow(
        step("a", "lab:read", default="fail:parse"),
        step("rescue", "lab:once", text="{{ nodes.a.failed | join(',') }}: {{ nodes.a.results[0].error.class }}"),
        edges=("start -> a", "a.failure -> rescue"),
    )
    execution = await run(admin, definition, ["r1"])
    assert execution["status"] == "success"
    assert execution["nodes"][1]["counts"]["handled"] == 1
    (rescue,) = await results(admin, execution["id"], node="rescue")
    assert rescue["outputs"]["text"] == "r1: parse"


async def test_values_flow_by_edges_references_and_variables_over_stage_borders(admin: httpx.AsyncClient) -> None:
    await make_devices(admin, ["r1", "r2"])
    definition = workflow(
        step("ask", "lab:read", "Ask", text="{{ host.name }}/{{ variables.site }}"),
        step("set", "lab:count", text="{{ nodes.Ask.outputs.text }}!"),
        step("sum", "lab:once", text="{{ nodes.ask.results | map(attribute='outputs.text') | sort | join(' ') }}"),
        step("tell", "lab:read", text="{{ sum.text }} {{ variables.count }} {{ input.text }}"),
        edges=("start -> ask", "ask -> set", "set -> sum", "sum.text -> tell"),
    )
    execution = await run(admin, definition, ["r1", "r2"], variables={"site": "ber"})
    assert execution["status"] == "success"
    told = {row["device"]["name"]: row["outputs"]["text"] for row in await results(admin, execution["id"], node="tell")}
    assert told == {
        "r1": "r1/ber r2/ber r1/ber! r1/ber r2/ber",
        "r2": "r1/ber r2/ber r2/ber! r1/ber r2/ber",
    }


async def test_only_devices_that_came_to_a_once_node_go_on_behind_it(admin: httpx.AsyncClient) -> None:
    await make_devices(admin, ["r1", "r2"])
    definition = workflow(
        step("a", "lab:read", hosts={"r2": "fail:auth"}),
        step("o", "lab:once"),
        step("b", "lab:read"),
        edges=("start -> a", "a -> o", "o -> b"),
    )
    execution = await run(admin, definition, ["r1", "r2"])
    rows = table(await results(admin, execution["id"], node="b"))
    assert rows == {("b", "r1"): "success", ("b", "r2"): "skipped"}


async def test_a_failed_once_node_fails_the_execution(admin: httpx.AsyncClient) -> None:
    definition = workflow(step("o", "lab:once", default="fail:upstream"), edges=("start -> o",))
    execution = await run(admin, definition)
    assert execution["status"] == "failed"
    assert execution["error"] == {"class": "upstream", "message": "- fails as told", "node_id": "o"}


@pytest.mark.parametrize(
    ("parameters", "error_class", "part"),
    [
        ({"default": "raise:x"}, "internal", "ZeroDivisionError: x"),
        ({"text": "{{ variables.nothing }}"}, "expression", "text: there is no 'nothing' here"),
        ({"repeat": "{{ 'many' }}"}, "validation", "Expected `int`"),
    ],
)
async def test_what_a_node_stumbles_over_is_its_error(
    admin: httpx.AsyncClient, parameters: dict[str, str], error_class: str, part: str
) -> None:
    await make_devices(admin, ["r1"])
    execution = await run(admin, workflow(step("a", "lab:read", **parameters), edges=("start -> a",)), ["r1"])
    (result,) = await results(admin, execution["id"], node="a")
    assert (result["status"], result["error"]["class"]) == ("failed", error_class)
    assert part in result["error"]["message"]


async def test_a_branch_that_a_node_does_not_have_is_its_authors_error(admin: httpx.AsyncClient) -> None:
    execution = await run(admin, workflow(step("b", "lab:branch", default="up"), edges=("start -> b",)))
    assert "took the branch 'up'" in execution["error"]["message"]


async def test_a_dry_run_shows_the_diff_and_refuses_what_cannot_show_it(
    admin: httpx.AsyncClient, tmp_path: Path
) -> None:
    await make_devices(admin, ["r1"])
    journal = str(tmp_path / "journal")
    definition = workflow(
        step("c", "lab:change", text="mtu 9000", journal=journal),
        step("s", "lab:stubborn", journal=journal),
        edges=("start -> c", "c -> s"),
    )
    execution = await run(admin, definition, ["r1"], dry_run=True)
    rows = {row["node_id"]: row for row in await results(admin, execution["id"])}
    assert (rows["c"]["status"], rows["c"]["diff"]) == ("success", "+ mtu 9000")
    assert (rows["s"]["status"], rows["s"]["error"]["class"]) == ("failed", "unsupported")
    assert not Path(journal).exists()


async def test_a_change_that_breaks_after_it_began_is_unknown(admin: httpx.AsyncClient, tmp_path: Path) -> None:
    await make_devices(admin, ["r1", "r2", "r3"])
    definition = workflow(
        step("c", "lab:change", text="x", hosts={"r2": "fail:read_timeout", "r3": "fail:config_rejected"}),
        edges=("start -> c",),
    )
    execution = await run(admin, definition, ["r1", "r2", "r3"])
    statuses = table(await results(admin, execution["id"], node="c"))
    assert statuses == {("c", "r1"): "success", ("c", "r2"): "unknown", ("c", "r3"): "failed"}
    assert execution["status"] == "partial"


async def test_a_large_output_is_stored_once_and_read_by_itself(admin: httpx.AsyncClient) -> None:
    await make_devices(admin, ["r1", "r2"])
    definition = workflow(step("a", "lab:read", text="0123456789", repeat=20_000), edges=("start -> a",))
    execution = await run(admin, definition, ["r1", "r2"])
    rows = await results(admin, execution["id"], node="a")
    assert [row["outputs"] for row in rows] == [None, None]
    assert {row["outputs_size_bytes"] for row in rows} == {200_011}
    path = f"/automation/v1/executions/{execution['id']}/results/{rows[0]['id']}/outputs"
    assert (await admin.get(path)).json()["data"]["text"] == "0123456789" * 20_000


async def test_many_devices_are_cut_into_shards_and_joined_again(admin: httpx.AsyncClient) -> None:
    names = [f"r{number:02}" for number in range(40)]
    await make_devices(admin, names)
    definition = workflow(
        step("a", "lab:read"),
        step("o", "lab:once", text="{{ nodes.a.succeeded | length }}"),
        edges=("start -> a", "a -> o"),
    )
    execution = await run(admin, definition, names)
    (once,) = await results(admin, execution["id"], node="o")
    assert (execution["status"], once["outputs"]["text"]) == ("success", "40")


async def test_a_device_deleted_after_the_start_fails_with_a_sentence(
    admin: httpx.AsyncClient,
) -> None:
    (device_id,) = await make_devices(admin, ["r1"])
    definition = workflow(
        step("o", "lab:once", default="sleep:1"), step("a", "lab:read"), edges=("start -> o", "o -> a")
    )
    execution = await start(admin, definition, ["r1"])
    assert (await admin.delete(f"/inventory/v1/devices/{device_id}")).status_code == 200
    assert (await ended(admin, execution["id"]))["status"] == "failed"
    (result,) = await results(admin, execution["id"], node="a")
    assert result["error"]["message"] == "r1 was deleted after the execution had started."
