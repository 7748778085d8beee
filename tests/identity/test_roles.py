"""Roles of one's own, and the built-in ones that stay as they are."""

from typing import Any

import httpx
import pytest

from app.core.access import PERMISSIONS
from tests.support.callers import AsUser

ROLES = "/identity/v1/roles"
NEW = {"name": "auditor", "permissions": ["system.audit.view", "devices.device.view"], "description": "Reads"}


async def role_named(client: httpx.AsyncClient, name: str) -> dict[str, Any]:
    """Return a role of the list."""
    roles = (await client.get(ROLES, params={"limit": "500"})).json()["data"]
    return next(role for role in roles if role["name"] == name)


async def test_a_role_is_created_read_changed_and_deleted(admin: httpx.AsyncClient) -> None:
    created = await admin.post(ROLES, json=NEW)
    assert created.status_code == 201
    role = created.json()["data"]
    assert role["permissions"] == ["devices.device.view", "system.audit.view"]
    assert (await admin.get(f"{ROLES}/{role['id']}")).json()["data"] == role
    changed = await admin.patch(f"{ROLES}/{role['id']}", json={"permissions": ["system.audit.view"]})
    assert (changed.json()["data"]["permissions"], changed.json()["data"]["description"]) == (
        ["system.audit.view"],
        "Reads",
    )
    assert (await admin.patch(f"{ROLES}/{role['id']}", json={})).status_code == 200
    assert (await admin.delete(f"{ROLES}/{role['id']}")).status_code == 200
    missing = await admin.get(f"{ROLES}/{role['id']}")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "ROLE_NOT_FOUND")


@pytest.mark.parametrize("name", ["super_admin", "admin", "operator", "viewer"])
async def test_a_built_in_role_stays_as_it_is(admin: httpx.AsyncClient, name: str) -> None:
    role = await role_named(admin, name)
    changed = await admin.patch(f"{ROLES}/{role['id']}", json={"permissions": []})
    deleted = await admin.delete(f"{ROLES}/{role['id']}")
    for response in (changed, deleted):
        assert (response.status_code, response.json()["error"]["code"]) == (409, "ROLE_BUILT_IN")
    assert await role_named(admin, name) == role


async def test_a_role_name_is_taken_once(admin: httpx.AsyncClient) -> None:
    response = await admin.post(ROLES, json={**NEW, "name": "viewer"})
    assert (response.status_code, response.json()["error"]["code"]) == (409, "ROLE_NAME_TAKEN")


async def test_a_permission_that_does_not_exist_is_named(admin: httpx.AsyncClient) -> None:
    response = await admin.post(ROLES, json={**NEW, "permissions": ["devices.device.view", "devices.device.fly"]})
    assert response.status_code == 422
    assert [fault["field"] for fault in response.json()["error"]["details"]] == ["permissions[1]"]


async def test_nobody_makes_or_changes_a_role_above_himself(admin: httpx.AsyncClient, as_user: AsUser) -> None:
    role = (await admin.post(ROLES, json=NEW)).json()["data"]
    manager = await as_user("system.roles.manage", "devices.device.view")
    made = await manager.post(ROLES, json={**NEW, "name": "other"})
    changed = await manager.patch(f"{ROLES}/{role['id']}", json={"description": "mine now"})
    deleted = await manager.delete(f"{ROLES}/{role['id']}")
    for response in (made, changed, deleted):
        assert (response.status_code, response.json()["error"]["code"]) == (403, "GRANT_ABOVE_ACTOR")


async def test_a_role_in_use_is_kept_and_its_holders_are_named(admin: httpx.AsyncClient) -> None:
    role = (await admin.post(ROLES, json=NEW)).json()["data"]
    body = {"username": "bert", "password": "long enough for us", "roles": ["auditor"]}
    await admin.post("/identity/v1/users", json=body)
    response = await admin.delete(f"{ROLES}/{role['id']}")
    assert (response.status_code, response.json()["error"]["code"]) == (409, "ROLE_IN_USE")
    assert response.json()["error"]["details"] == {"users": ["bert"]}


async def test_every_permission_is_listed_with_what_it_means(admin: httpx.AsyncClient) -> None:
    listed = (await admin.get("/identity/v1/permissions")).json()["data"]
    assert {entry["code"]: entry["description"] for entry in listed} == PERMISSIONS


async def test_somebody_sees_his_own_permissions(as_user: AsUser) -> None:
    somebody = await as_user("devices.device.view")
    listed = (await somebody.get("/identity/v1/auth/me/permissions")).json()["data"]
    assert listed == [{"code": "devices.device.view", "description": "See devices"}]
