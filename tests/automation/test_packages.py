"""Packages of node types: what they are, and what becomes of workflows when one is switched off."""

from typing import Any

import httpx
import pytest

from app.automation.workflows.packages import PACKAGES
from app.automation.workflows.validation import validate
from app.core.access import PERMISSIONS
from app.palette import build_catalog
from tests.support.callers import AsUser
from tests.support.graphs import CATALOGUE, step, workflow

URL = "/automation/v1/packages"
WORKFLOWS = "/automation/v1/workflows"
USES = workflow(step("say", "debug:log", message="x"), edges=("start -> say",))


async def switch(client: httpx.AsyncClient, package: str, *, enabled: bool) -> dict[str, Any]:
    answer = await client.patch(f"{URL}/{package}", json={"enabled": enabled})
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["data"])


async def test_a_package_tells_its_name_purpose_and_node_types(admin: httpx.AsyncClient) -> None:
    listed = {entry["id"]: entry for entry in (await admin.get(URL)).json()["data"]}
    assert list(listed) == sorted(listed)
    assert listed["ssh"] == {
        "id": "ssh",
        "name": PACKAGES["ssh"].name,
        "description": PACKAGES["ssh"].description,
        "enabled": True,
        "node_types": ["ssh:command"],
    }
    assert all(entry["name"] for entry in listed.values())


def test_the_packages_described_are_those_of_node_types() -> None:
    assert set(PACKAGES) <= {node_type.package for node_type in build_catalog().values()}


async def test_a_workflow_with_a_disabled_package_is_not_saved(admin: httpx.AsyncClient) -> None:
    assert (await switch(admin, "debug-utility", enabled=False))["enabled"] is False
    for url, body in (
        (WORKFLOWS, {"name": "w", "definition": USES}),
        (f"{WORKFLOWS}/import", {"name": "w", "definition": USES}),
    ):
        refused = await admin.post(url, json=body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "WORKFLOW_INVALID")
        (fault,) = refused.json()["error"]["details"]
        assert (fault["type"], fault["node_id"], fault["field"]) == ("package_disabled", "say", "data.nodeType")
        assert "'debug-utility'" in fault["message"]
    verdict = (await admin.post(f"{WORKFLOWS}/validate", json={"definition": USES})).json()["data"]
    assert (verdict["valid"], verdict["errors"][0]["type"]) == (False, "package_disabled")
    await switch(admin, "debug-utility", enabled=True)
    assert (await admin.post(WORKFLOWS, json={"name": "w", "definition": USES})).status_code == 201


async def test_a_workflow_with_a_disabled_package_is_not_started(admin: httpx.AsyncClient) -> None:
    saved = (await admin.post(WORKFLOWS, json={"name": "w", "definition": USES})).json()["data"]
    await switch(admin, "debug-utility", enabled=False)
    address = f"{WORKFLOWS}/{saved['id']}"
    refused = await admin.post(f"{address}/execute", json={})
    assert (refused.status_code, refused.json()["error"]["details"][0]["type"]) == (422, "package_disabled")
    assert (await admin.get("/automation/v1/executions")).json()["data"] == []
    assert (await admin.patch(address, json={"name": "x"})).status_code == 200
    assert (await admin.patch(address, json={"definition": USES})).status_code == 422
    await switch(admin, "debug-utility", enabled=True)
    assert (await admin.post(f"{address}/execute", json={})).status_code == 202


async def test_node_types_of_a_disabled_package_are_shown_as_such(admin: httpx.AsyncClient) -> None:
    await switch(admin, "ssh", enabled=False)
    listed = {entry["id"]: entry for entry in (await admin.get("/automation/v1/node-types")).json()["data"]}
    assert (listed["ssh:command"]["enabled"], listed["debug:log"]["enabled"]) == (False, True)
    assert (await admin.get("/automation/v1/node-types/ssh:command")).json()["data"]["enabled"] is False


async def test_switching_twice_is_noted_once(admin: httpx.AsyncClient) -> None:
    for enabled in (False, False, True, True):
        await switch(admin, "ssh", enabled=enabled)
    acts = (await admin.get("/system/v1/audit", params={"subject_type": "package"})).json()["data"]
    assert [act["action"] for act in acts] == ["package.enabled", "package.disabled"]


async def test_the_core_stays_and_an_unknown_package_is_not_found(admin: httpx.AsyncClient) -> None:
    refused = await admin.patch(f"{URL}/core", json={"enabled": False})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "PACKAGE_REQUIRED")
    assert (await switch(admin, "core", enabled=True))["enabled"] is True
    missing = await admin.patch(f"{URL}/nothing", json={"enabled": False})
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "PACKAGE_NOT_FOUND")
    assert (await admin.patch(f"{URL}/ssh", json={})).status_code == 422


async def test_switching_needs_the_right_to_change_settings(as_user: AsUser) -> None:
    editor = await as_user(*(PERMISSIONS.keys() - {"system.settings.edit"}))
    assert (await editor.patch(f"{URL}/ssh", json={"enabled": False})).status_code == 403


@pytest.mark.parametrize(("disabled", "faults"), [(set(), []), ({"core"}, ["start", "a"]), ({"other"}, [])])
def test_validation_is_told_which_packages_are_disabled(disabled: set[str], faults: list[str]) -> None:
    verdict = validate(workflow(step("a", "test:once"), edges=("start -> a",)), CATALOGUE, frozenset(disabled))
    assert [fault["node_id"] for fault in verdict.errors if fault["type"] == "package_disabled"] == faults
    assert verdict.valid is not bool(faults)
