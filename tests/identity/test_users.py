"""Users: what they may be made into, and by whom."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from app.core import database as core_database
from app.core.access import PERMISSIONS
from app.identity import service
from app.identity.passwords import hash_password, verify_password
from app.identity.roles import BUILT_IN
from tests.support.callers import AsUser, give_role, log_in, make_user

USERS = "/identity/v1/users"
NEW = {"username": "bert", "password": "long enough for us", "email": "bert@example.net", "roles": ["operator"]}


@pytest.fixture
async def root(database: None) -> UUID:
    """Return the only super_admin."""
    user_id = await make_user("root", [])
    await give_role(user_id, "super_admin")
    return user_id


async def test_a_user_is_created_read_changed_and_deleted(admin: httpx.AsyncClient) -> None:
    created = await admin.post(USERS, json=NEW)
    assert created.status_code == 201
    user = created.json()["data"]
    assert (user["username"], user["roles"], user["status"]) == ("bert", ["operator"], "active")
    assert (await admin.get(f"{USERS}/{user['id']}")).json()["data"] == user
    changed = await admin.patch(f"{USERS}/{user['id']}", json={"full_name": "Bert B.", "roles": ["viewer"]})
    assert changed.json()["data"]["full_name"] == "Bert B."
    assert changed.json()["data"]["email"] == "bert@example.net"
    assert changed.json()["data"]["roles"] == ["viewer"]
    assert (await admin.delete(f"{USERS}/{user['id']}")).status_code == 200
    missing = await admin.get(f"{USERS}/{user['id']}")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "USER_NOT_FOUND")
    actions = await core_database.fetch("SELECT action FROM audit_entries WHERE subject_type = 'user' ORDER BY at")
    assert [entry["action"] for entry in actions] == ["user.create", "user.update", "user.delete"]


async def test_no_answer_and_no_audit_entry_holds_a_password(admin: httpx.AsyncClient) -> None:
    created = await admin.post(USERS, json=NEW)
    changed = await admin.patch(f"{USERS}/{created.json()['data']['id']}", json={"password": "another long password"})
    audit = str(await core_database.fetch("SELECT details FROM audit_entries"))
    for text in (created.text, changed.text, audit):
        assert "long enough for us" not in text
        assert "another long password" not in text
        assert "$2b$" not in text


async def test_a_username_is_taken_once_whatever_its_case(admin: httpx.AsyncClient) -> None:
    await admin.post(USERS, json=NEW)
    again = await admin.post(USERS, json={**NEW, "username": "BERT"})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "USERNAME_TAKEN")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"password": "short"}, "password"),
        ({"password": "x" * 73}, "password"),
        ({"password": "ü" * 37}, "password"),
        ({"password": "with a \0 in it"}, "password"),
        ({"username": "with space"}, "username"),
        ({"username": ""}, "username"),
        ({"email": "not an address"}, "email"),
        ({"roles": ["no-such-role"]}, "roles"),
        ({"status": "locked"}, "status"),
        ({"is_admin": True}, "is_admin"),
    ],
)
async def test_a_wrong_field_is_named(admin: httpx.AsyncClient, change: dict[str, Any], field: str) -> None:
    response = await admin.post(USERS, json={**NEW, **change})
    assert response.status_code == 422
    assert [fault["field"] for fault in response.json()["error"]["details"]] == [field]
    assert await core_database.fetch("SELECT id FROM users WHERE username = 'bert'") == []


async def test_users_are_found_by_text_and_by_status(admin: httpx.AsyncClient) -> None:
    await admin.post(USERS, json=NEW)
    await admin.post(USERS, json={**NEW, "username": "carla", "email": "", "full_name": "100%", "status": "disabled"})

    async def found(**query: str) -> list[str]:
        return [user["username"] for user in (await admin.get(USERS, params=query)).json()["data"]]

    assert await found(q="BERT@") == ["bert"]
    assert await found(q="100%") == ["carla"]
    assert await found(q="%") == ["carla"]
    assert await found(q="_") == []
    assert await found(status="disabled") == ["carla"]
    assert await found(status="active", q="carla") == []


async def test_nobody_gives_a_role_above_himself(as_user: AsUser) -> None:
    manager = await as_user("system.users.create", "system.users.edit", "devices.device.view")
    response = await manager.post(USERS, json={**NEW, "roles": ["admin"]})
    assert (response.status_code, response.json()["error"]["code"]) == (403, "GRANT_ABOVE_ACTOR")
    plain = await manager.post(USERS, json={**NEW, "roles": []})
    assert plain.status_code == 201
    raised = await manager.patch(f"{USERS}/{plain.json()['data']['id']}", json={"roles": ["operator"]})
    assert (raised.status_code, raised.json()["error"]["code"]) == (403, "GRANT_ABOVE_ACTOR")


async def test_nobody_gives_himself_a_role_above_himself(as_user: AsUser) -> None:
    manager = await as_user("system.users.view", "system.users.edit", username="manager")
    (me,) = (await manager.get(USERS)).json()["data"]
    response = await manager.patch(f"{USERS}/{me['id']}", json={"roles": ["super_admin"]})
    assert (response.status_code, response.json()["error"]["code"]) == (403, "GRANT_ABOVE_ACTOR")


@pytest.mark.parametrize("change", [{"password": "taken over by me"}, {"status": "disabled"}, {"roles": []}])
async def test_nobody_changes_a_user_above_himself(as_user: AsUser, root: UUID, change: dict[str, Any]) -> None:
    manager = await as_user(*(PERMISSIONS.keys() - {"system.backup.manage"}))
    response = await manager.patch(f"{USERS}/{root}", json=change)
    assert (response.status_code, response.json()["error"]["code"]) == (403, "USER_ABOVE_ACTOR")
    assert (await manager.delete(f"{USERS}/{root}")).status_code == 403


@pytest.mark.parametrize("change", [{"status": "disabled"}, {"roles": ["admin"]}, {"roles": []}])
async def test_the_last_super_admin_stays(admin: httpx.AsyncClient, root: UUID, change: dict[str, Any]) -> None:
    response = await admin.patch(f"{USERS}/{root}", json=change)
    assert (response.status_code, response.json()["error"]["code"]) == (409, "LAST_SUPER_ADMIN")
    deleted = await admin.delete(f"{USERS}/{root}")
    assert (deleted.status_code, deleted.json()["error"]["code"]) == (409, "LAST_SUPER_ADMIN")
    assert (await service.get_user(root))["roles"] == ["role_of_root", "super_admin"]


async def test_a_disabled_super_admin_does_not_count(admin: httpx.AsyncClient, root: UUID) -> None:
    second = await make_user("second", [])
    await give_role(second, "super_admin")
    assert (await admin.patch(f"{USERS}/{second}", json={"status": "disabled"})).status_code == 200
    assert (await admin.delete(f"{USERS}/{root}")).status_code == 409
    assert (await admin.patch(f"{USERS}/{second}", json={"status": "active"})).status_code == 200
    assert (await admin.delete(f"{USERS}/{root}")).status_code == 200


@pytest.mark.parametrize("change", [{"password": "a new long password"}, {"status": "disabled"}])
async def test_a_new_password_or_a_disabling_ends_the_users_sessions(
    admin: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    user_id = await make_user("carla", [])
    await log_in(user_id)
    await admin.patch(f"{USERS}/{user_id}", json=change)
    rows = await core_database.fetch('SELECT revoked_at FROM sessions WHERE "user" = $1', user_id)
    assert [row["revoked_at"] is None for row in rows] == [False]


async def test_an_empty_change_changes_nothing(admin: httpx.AsyncClient) -> None:
    created = (await admin.post(USERS, json=NEW)).json()["data"]
    changed = (await admin.patch(f"{USERS}/{created['id']}", json={})).json()["data"]
    assert {**changed, "updated_at": None} == {**created, "updated_at": None}


async def test_the_first_admin_holds_everything(database: None) -> None:
    user = await service.create_admin("first", "long enough for us", "first@example.net")
    assert (user["username"], user["roles"]) == ("first", ["super_admin"])


async def test_a_password_of_exactly_72_bytes_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    hashed = await hash_password("x" * 72)
    assert hashed.startswith("$2b$12$")
    assert await verify_password("x" * 72, hashed)
    assert not await verify_password("x" * 73, hashed)
    assert not await verify_password("x" * 72, None)


async def test_seeding_twice_changes_nothing_and_mends_what_was_changed(database: None) -> None:
    before = await core_database.fetch("SELECT * FROM roles ORDER BY name")
    await core_database.execute("UPDATE roles SET permissions = '[]' WHERE name = 'viewer'")
    await service.seed_roles()
    assert await core_database.fetch("SELECT * FROM roles ORDER BY name") == before
    assert [role["name"] for role in before] == sorted(BUILT_IN)


def test_the_built_in_roles_hold_what_their_names_promise() -> None:
    everything = set(PERMISSIONS)
    assert BUILT_IN["super_admin"].permissions == everything
    assert everything - BUILT_IN["admin"].permissions == {"system.roles.manage", "system.backup.manage"}
    assert BUILT_IN["viewer"].permissions < BUILT_IN["operator"].permissions < BUILT_IN["admin"].permissions
    for hidden in ("system.audit.view", "system.logs.view", "system.settings.view", "system.users.view"):
        assert hidden not in BUILT_IN["viewer"].permissions
    assert all(code.endswith(".view") for code in BUILT_IN["viewer"].permissions)
