"""Templates: those of the product are sound and become workflows; those of one's own are copied and never run."""

import socket
from typing import Any

import httpx
import pytest

from app.automation.executions.starting import plan_start
from app.automation.workflows.service import check_definition
from app.automation.workflows.settings import settings_faults
from app.automation.workflows.templates import shipped
from app.core.errors import ConflictError
from app.palette import build_catalog
from tests.support.graphs import CATALOGUE, step, workflow
from tests.support.working import ended, make_devices, results

URL = "/automation/v1/workflows"
TEMPLATES = "/automation/v1/workflow-templates"
DEFINITION = workflow(step("a", "flow:noop"), edges=("start -> a",))


async def made(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await client.post(URL, json={"name": "w", "definition": DEFINITION, **body})
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["data"])


@pytest.mark.parametrize("template_id", list(shipped()))
def test_a_template_of_the_product_has_no_fault_and_no_warning(template_id: str) -> None:
    template = shipped()[template_id]
    verdict, plan = check_definition(template.definition, build_catalog())
    assert (verdict.errors, verdict.warnings) == ([], [])
    assert plan is not None
    assert settings_faults(template.settings) == []
    assert template.description
    assert template.folder is None


async def test_a_template_of_the_product_becomes_a_workflow(admin: httpx.AsyncClient) -> None:
    listed = (await admin.get(TEMPLATES)).json()["data"]
    assert [entry["id"] for entry in listed] == ["change-in-waves", "reachability", "software-audit"]
    assert listed[1]["node_types"] == ["network:ping", "notify:log", "trigger:manual"]
    detail = (await admin.get(f"{TEMPLATES}/change-in-waves")).json()["data"]
    answer = await admin.post(f"{TEMPLATES}/change-in-waves/instantiate", json={"name": "My change"})
    row = answer.json()["data"]
    assert (answer.status_code, row["name"], row["template"], row["version"]) == (201, "My change", False, 1)
    assert (row["definition"], row["settings"]) == (detail["definition"], detail["settings"])
    assert row["settings"]["waves"] == [1, "10%", "rest"]
    note = (await admin.get(f"{URL}/{row['id']}/versions")).json()["data"][0]["note"]
    assert note == "From the template change-in-waves"


@pytest.mark.usefixtures("work")
async def test_the_reachability_report_tells_who_answers(admin: httpx.AsyncClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_server(("127.0.0.1", 0)) as closed:
        await make_devices(admin, ["up"], port=listener.getsockname()[1])
        await make_devices(admin, ["down"], port=closed.getsockname()[1])
        closed.close()
        answer = await admin.post(f"{TEMPLATES}/reachability/instantiate", json={"name": "reach"})
        saved = answer.json()["data"]
        saved["definition"]["nodes"][1]["data"]["parameters"]["method"] = "tcp"
        address = f"{URL}/{saved['id']}"
        await admin.patch(address, json={"definition": saved["definition"]})
        started = await admin.post(f"{address}/execute", json={"targets": {"devices": ["up", "down"]}})
        await ended(admin, started.json()["data"]["id"])
    (row,) = await results(admin, started.json()["data"]["id"], node="report")
    assert row["outputs"] == {"message": "1 devices answer, 1 do not", "value": ["down"]}


async def test_a_template_that_is_not_there_is_not_found(admin: httpx.AsyncClient) -> None:
    for method, path in (("GET", "nothing"), ("POST", "nothing/instantiate")):
        answer = await admin.request(method, f"{TEMPLATES}/{path}", json={"name": "x"} if method == "POST" else None)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "TEMPLATE_NOT_FOUND")
    await made(admin)
    taken = await admin.post(f"{TEMPLATES}/reachability/instantiate", json={"name": "w"})
    assert taken.status_code == 409
    assert (await admin.post(f"{TEMPLATES}/reachability/instantiate", json={})).status_code == 422


async def test_a_template_of_ones_own_is_found_and_never_started(admin: httpx.AsyncClient) -> None:
    template, plain = await made(admin, template=True), await made(admin, name="plain")
    for wanted, name in (("true", "w"), ("false", "plain")):
        listed = (await admin.get(URL, params={"template": wanted})).json()["data"]
        assert [row["name"] for row in listed] == [name]
    refused = await admin.post(f"{URL}/{template['id']}/execute", json={})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "WORKFLOW_IS_TEMPLATE")
    assert (await admin.post(f"{URL}/{plain['id']}/execute", json={})).status_code == 202
    await admin.patch(f"{URL}/{template['id']}", json={"template": False})
    assert (await admin.post(f"{URL}/{template['id']}/execute", json={})).status_code == 202


def test_nothing_plans_the_start_of_a_template() -> None:
    definition = workflow(step("a", "test:once"), edges=("start -> a",))
    row = {"name": "w", "enabled": True, "template": True, "definition": definition}
    with pytest.raises(ConflictError, match="is a template"):
        plan_start(row, None, CATALOGUE, frozenset())
    assert plan_start({**row, "template": False}, None, CATALOGUE, frozenset())[1].trigger == "start"


async def test_a_copy_has_everything_but_the_name_and_is_no_template(admin: httpx.AsyncClient) -> None:
    folder = (await admin.post(f"{URL}/folders", json={"name": "Core"})).json()["data"]["id"]
    original = await made(
        admin, template=True, tags=["t"], description="d", settings={"concurrency": 3}, folder_id=folder
    )
    answer = await admin.post(f"{URL}/{original['id']}/duplicate", json={})
    copy = answer.json()["data"]
    assert (answer.status_code, copy["name"], copy["template"], copy["version"]) == (201, "w (copy)", False, 1)
    same = ("definition", "settings", "tags", "description", "folder_id", "enabled")
    assert {name: copy[name] for name in same} == {name: original[name] for name in same}
    assert (await admin.get(f"{URL}/{copy['id']}/versions/1")).json()["data"]["note"] == "Copy of 'w', version 1"


async def test_copies_are_named_apart(admin: httpx.AsyncClient) -> None:
    original = await made(admin, name="x" * 150)
    address = f"{URL}/{original['id']}/duplicate"
    bodies: list[dict[str, Any]] = [{}, {}, {"name": "mine", "folder_id": None}]
    names = [(await admin.post(address, json=body)).json()["data"]["name"] for body in bodies]
    stem = "x" * 138
    assert names == [f"{stem} (copy)", f"{stem} (copy 2)", "mine"]
    taken = await admin.post(address, json={"name": "mine"})
    assert (taken.status_code, taken.json()["error"]["code"]) == (409, "WORKFLOW_NAME_TAKEN")
