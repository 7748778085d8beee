from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.core.embedded import EmbeddedServices
from app.core.settings import Settings, load_settings
from tests.support import working
from tests.support.graphs import step, workflow
from tests.support.working import ended, make_devices, results, run

PORTS = [
    {"device": "r1", "port": "Gi0/1", "speed": 1000},
    {"device": "r1", "port": "Gi0/2", "speed": 100},
    {"device": "r2", "port": "Gi0/1", "speed": 1000},
]


@pytest.fixture
def settings(services: EmbeddedServices) -> Settings:
    """Return settings with the lab's node types."""
    return replace(load_settings(), nodes_path=working.NODES, workers=1, redis_url=working.redis_url())


@pytest.fixture(scope="module", autouse=True)
def _work(services: EmbeddedServices, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run a worker for the tests of this module."""
    log: Path = tmp_path_factory.mktemp("workers") / "worker.log"
    with working.workers(1, log):
        yield


async def outputs(admin: httpx.AsyncClient, execution: dict[str, Any], node: str) -> dict[str, Any]:
    (row,) = await results(admin, execution["id"], node=node)
    found: dict[str, Any] = row["outputs"]
    return found


async def test_rows_are_written_shaped_read_changed_and_deleted(admin: httpx.AsyncClient) -> None:
    own = {"table": "custom", "custom_table": "ports"}
    fast = [{"column": "speed", "operator": "greater_than", "value": "{{ variables.least }}"}]
    definition = workflow(
        step("shape", "data:transform", transform_type="map", expression="{{ variables.ports }}",
             item_expression="dict(item, site=variables.site)"),
        step("write", "db:upsert", **own, key_columns=["device", "port"]),
        step("change", "db:update", **own, where_type="conditions", where=fast, data_expression="{{ {'fast': true} }}"),
        step("read", "db:query", **own, where=[{"column": "fast", "value": True}], order_by=[{"column": "device"}]),
        step("code", "transform:code", code="names = items | map(attribute='device') | list\nnames | join(',')"),
        step("drop", "db:delete", **own, where_type="by_column", column_name="device", column_values="{{ ['r1'] }}"),
        step("left", "db:query", **own),
        edges=("start -> shape", "shape.result -> write.data", "write -> change", "change -> read",
               "read.results -> code.data", "code -> drop", "drop -> left"),
    )  # fmt: skip
    execution = await run(admin, definition, variables={"ports": PORTS, "site": "ber", "least": 500})
    assert execution["status"] == "success", execution
    assert (await outputs(admin, execution, "write"))["inserted_count"] == 3
    assert (await outputs(admin, execution, "change"))["count"] == 2
    assert (await outputs(admin, execution, "code"))["items"] == "r1,r2"
    assert (await outputs(admin, execution, "drop"))["count"] == 2
    (left,) = (await outputs(admin, execution, "left"))["results"]
    assert {name: left[name] for name in ("device", "site", "fast")} == {"device": "r2", "site": "ber", "fast": True}


async def test_devices_are_changed_by_what_devices_said_and_a_dry_run_only_says_so(admin: httpx.AsyncClient) -> None:
    await make_devices(admin, ["r1", "r2"])
    definition = workflow(
        step("ask", "lab:read", text="{{ host.name }}"),
        step("change", "db:update",
             data_expression="{{ [{'name': nodes.ask.results[0].host, 'os_version': '17.3'}] }}"),
        step("put", "db:insert", on_conflict="ignore", data_expression="{{ variables.new }}"),
        edges=("start -> ask", "ask -> change", "change -> put"),
    )  # fmt: skip
    new = [{"name": "r3", "address": "192.0.2.3", "platform": "cisco_ios"}]
    dry = await run(admin, definition, ["r1"], variables={"new": new}, dry_run=True)
    assert dry["status"] == "success", dry
    (said,) = await results(admin, dry["id"], node="put")
    assert (said["diff"], said["outputs"]["count"]) == ("+ 1 row of devices", 1)
    devices = (await admin.get("/inventory/v1/devices")).json()["data"]
    assert [(device["name"], device["os_version"]) for device in devices] == [("r1", ""), ("r2", "")]
    again = await admin.post(
        f"/automation/v1/workflows/{dry['workflow_id']}/execute",
        json={"targets": {"devices": ["r1"]}, "variables": {"new": new}},
    )
    real = await ended(admin, again.json()["data"]["id"])
    assert real["status"] == "success", real
    devices = (await admin.get("/inventory/v1/devices")).json()["data"]
    assert [(device["name"], device["os_version"]) for device in devices] == [("r1", "17.3"), ("r2", ""), ("r3", "")]


async def test_what_is_refused_fails_the_node_with_its_class(admin: httpx.AsyncClient) -> None:
    definition = workflow(
        step("bad", "db:insert", data_expression="{{ [{'name': 'r1'}] }}"),
        step("rescue", "debug:log", message="{{ input.error.class }}"),
        edges=("start -> bad", "bad.failure -> rescue"),
    )
    execution = await run(admin, definition)
    assert execution["status"] == "success"
    (bad,) = await results(admin, execution["id"], node="bad")
    assert (bad["status"], bad["error"]["class"]) == ("failed", "validation")
    assert (await outputs(admin, execution, "rescue"))["message"] == "validation"


async def test_what_an_expression_for_each_item_names_is_there_when_it_runs_elsewhere(admin: httpx.AsyncClient) -> None:
    await make_devices(admin, ["r1", "r2"])
    definition = workflow(
        step("ask", "lab:read", text="{{ host.name }}"),
        step("code", "transform:code", items="{{ [1, 2] }}", mode="run_once_each_item",
             code="known = nodes.ask.results\nitem ~ ':' ~ known | map(attribute='host') | sort | join('+')"),
        edges=("start -> ask", "ask -> once", "once -> code"),
    )  # fmt: skip
    definition["nodes"].append(step("once", "lab:once", text="x"))
    execution = await run(admin, definition, ["r1", "r2"])
    assert execution["status"] == "success", execution
    assert (await outputs(admin, execution, "code"))["items"] == ["1:r1+r2", "2:r1+r2"]


async def test_a_loop_counts_its_rounds(admin: httpx.AsyncClient) -> None:
    definition = workflow(
        step("l", "flow:loop", loop_type="count", count=3),
        step("say", "debug:log", message="{{ item }}"),
        step("set", "debug:set-variable", variable_name="rounds", value_expression="l.results | length"),
        step("end", "debug:log", message="{{ variables.rounds }}"),
        edges=("start -> l", "l.each -> say", "l.done -> set", "set -> end"),
    )
    execution = await run(admin, definition)
    assert execution["status"] == "success", execution["error"]
    assert (await outputs(admin, execution, "end"))["message"] == "3"


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (step("n", "db:query", table="users"), "Invalid enum value 'users'"),
        (step("n", "db:query", query_type="custom"), "Invalid enum value 'custom'"),
        (step("n", "db:insert", table="executions"), "Invalid enum value 'executions'"),
        (step("n", "db:upsert", custom_table="a b", key_columns=["a"]), "matching regex"),
        (step("n", "db:query", where=[{"column": "name", "operator": "like"}]), "Invalid enum value 'like'"),
        (step("n", "transform:code", code="index = 5"), "would replace 'index'"),
        (step("n", "transform:code", code="a = 1\nb"), "'b' is neither a node nor one of"),
        (step("n", "data:transform", transform_type="map", item_expression="nodes.gone.outputs.x"), "'gone'"),
        (step("n", "data:transform", transform_type="map", item_expression="item |"), "not well formed"),
    ],
)
async def test_what_cannot_be_meant_is_refused_when_it_is_saved(
    admin: httpx.AsyncClient, node: dict[str, Any], words: str
) -> None:
    definition = workflow(node, edges=("start -> n",))
    answer = await admin.post("/automation/v1/workflows", json={"name": "w", "definition": definition})
    assert answer.status_code == 422
    assert words in answer.text
