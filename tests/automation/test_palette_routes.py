import httpx
import pytest

from tests.support.graphs import step, workflow
from tests.support.working import make_devices, results, run


async def test_a_node_of_a_third_party_is_in_the_palette_with_its_schema(admin: httpx.AsyncClient) -> None:
    listed = {entry["id"]: entry for entry in (await admin.get("/automation/v1/node-types")).json()["data"]}
    assert {"ssh:command", "lab:read"} <= listed.keys()
    schema = listed["lab:read"]["parameters"]
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["properties"]["repeat"] == {"type": "integer", "default": 1}
    one = (await admin.get("/automation/v1/node-types/lab:read")).json()["data"]
    assert one == listed["lab:read"]


@pytest.mark.usefixtures("work")
async def test_a_node_of_a_third_party_runs_in_a_workflow(admin: httpx.AsyncClient) -> None:
    await make_devices(admin, ["r1"])
    execution = await run(admin, workflow(step("a", "lab:read", text="hi"), edges=("start -> a",)), ["r1"])
    (row,) = await results(admin, execution["id"], node="a")
    assert row["outputs"] == {"text": "hi"}


async def test_an_unknown_node_type_is_not_found(admin: httpx.AsyncClient) -> None:
    answer = await admin.get("/automation/v1/node-types/no:such")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NODE_TYPE_NOT_FOUND")


async def test_packages_hold_all_node_types(admin: httpx.AsyncClient) -> None:
    packages = (await admin.get("/automation/v1/packages")).json()["data"]
    types = (await admin.get("/automation/v1/node-types")).json()["data"]
    assert sorted(node_id for package in packages for node_id in package["node_types"]) == [
        entry["id"] for entry in types
    ]


async def test_a_parser_can_be_tried_on_a_text(admin: httpx.AsyncClient) -> None:
    own = (await admin.get("/automation/v1/parsers", params={"platform": "ciena_saos"})).json()["data"]
    assert {parser["id"] for parser in own} >= {"ciena_saos.port_show", "ciena_saos.lldp_show_neighbors"}
    body = {"platform": "cisco_ios", "command": "show clock", "text": "*18:57:38.177 EST Mon Oct 13 2014\n"}
    answer = await admin.post("/automation/v1/parsers/parse", json=body)
    assert answer.json()["data"]["records"][0]["year"] == "2014"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"platform": "ciena_saos", "command": "port show", "text": "nonsense"}, "text"),
        ({"platform": "ciena_saos", "command": "no such thing", "text": ""}, "command"),
    ],
)
async def test_a_text_that_no_parser_reads_is_refused(
    admin: httpx.AsyncClient, body: dict[str, str], field: str
) -> None:
    answer = await admin.post("/automation/v1/parsers/parse", json=body)
    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json()["error"]["details"]] == [field]
