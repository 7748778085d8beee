"""Coming in: passwords, tokens, their rotation, reuse and end."""

import hashlib
from typing import Any

import httpx
import pytest
from litestar import Litestar

from app.core import database as core_database
from app.identity import service
from app.identity.attempts import ACCOUNT_LIMIT, ADDRESS_LIMIT
from tests.support.callers import open_client

PASSWORD = "correct horse battery staple"
LOGIN = "/identity/v1/auth/login"
REFRESH = "/identity/v1/auth/refresh"
ME = "/identity/v1/auth/me"


@pytest.fixture
async def anna(database: None) -> dict[str, Any]:
    """Return a super_admin with a password."""
    return await service.create_admin("Anna", PASSWORD, "anna@example.net")


async def log_in(client: httpx.AsyncClient, username: str = "anna", password: str = PASSWORD) -> httpx.Response:
    """Post a login."""
    return await client.post(LOGIN, json={"username": username, "password": password})


async def who(client: httpx.AsyncClient, access_token: str) -> int:
    """Return the status of asking who a token belongs to."""
    return (await client.get(ME, headers={"Authorization": f"Bearer {access_token}"})).status_code


async def audited(action: str) -> list[dict[str, Any]]:
    """Return the audit entries of an action, oldest first."""
    return await core_database.fetch("SELECT * FROM audit_entries WHERE action = $1 ORDER BY at", action)


async def test_the_right_password_opens_a_session(client: httpx.AsyncClient, anna: dict[str, Any]) -> None:
    response = await log_in(client)
    assert response.status_code == 200
    tokens = response.json()["data"]
    assert (tokens["token_type"], tokens["expires_in_s"]) == ("bearer", 3600)
    me = (await client.get(ME, headers={"Authorization": f"Bearer {tokens['access_token']}"})).json()["data"]
    assert (me["username"], me["email"], me["roles"]) == ("anna", "anna@example.net", ["super_admin"])
    assert "system.roles.manage" in me["permissions"]
    assert "password_hash" not in me


@pytest.mark.parametrize("username", ["anna", "ANNA", "Anna"])
async def test_a_username_is_known_in_any_case(client: httpx.AsyncClient, anna: dict[str, Any], username: str) -> None:
    assert (await log_in(client, username)).status_code == 200


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("anna", "wrong"),
        ("nobody", PASSWORD),
        ("anna", PASSWORD + "x" * 60),
        ("anna", "\0"),
        ("anna", PASSWORD.upper()),
    ],
)
async def test_every_refusal_says_the_same_and_is_audited(
    client: httpx.AsyncClient, anna: dict[str, Any], username: str, password: str
) -> None:
    response = await log_in(client, username, password)
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "LOGIN_REFUSED"
    assert response.json()["error"]["message"] == "The username or the password is wrong, or the account is not active."
    (entry,) = await audited("auth.login")
    assert (entry["outcome"], entry["actor_name"]) == ("failure", username)
    assert entry["request_id"] == response.headers["x-request-id"]
    assert password not in str(entry) or password == "wrong"


async def test_an_unknown_user_costs_a_hash_like_a_known_one(
    client: httpx.AsyncClient, anna: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[bytes] = []

    def check(password: bytes, hashed: bytes) -> bool:
        checked.append(hashed)
        return False

    monkeypatch.setattr("app.identity.passwords.bcrypt.checkpw", check)
    await log_in(client, "anna")
    await log_in(client, "nobody")
    known, unknown = checked
    assert unknown[:7] == known[:7] == b"$2b$04$"
    assert len(unknown) == len(known)


async def test_a_disabled_user_neither_comes_in_nor_stays(client: httpx.AsyncClient, anna: dict[str, Any]) -> None:
    token = (await log_in(client)).json()["data"]["access_token"]
    await core_database.execute("UPDATE users SET status = 'disabled'")
    refused = await log_in(client)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "LOGIN_REFUSED")
    assert await who(client, token) == 401


async def test_a_login_is_audited_and_remembered(client: httpx.AsyncClient, anna: dict[str, Any]) -> None:
    await log_in(client)
    (entry,) = await audited("auth.login")
    assert (entry["outcome"], entry["actor_id"], entry["address"]) == ("success", anna["id"], "127.0.0.1")
    assert (await service.get_user(anna["id"]))["last_login_at"] is not None


async def test_only_hashes_of_tokens_are_kept(client: httpx.AsyncClient, anna: dict[str, Any]) -> None:
    tokens = (await log_in(client)).json()["data"]
    (session,) = await core_database.fetch("SELECT * FROM sessions")
    assert session["access_hash"] == hashlib.sha256(tokens["access_token"].encode()).hexdigest()
    assert tokens["access_token"] not in str(session)
    assert tokens["refresh_token"] not in str(session)


async def test_a_refresh_replaces_both_tokens(client: httpx.AsyncClient, anna: dict[str, Any]) -> None:
    first = (await log_in(client)).json()["data"]
    response = await client.post(REFRESH, json={"refresh_token": first["refresh_token"]})
    assert response.status_code == 200
    second = response.json()["data"]
    assert await who(client, first["access_token"]) == 401
    assert await who(client, second["access_token"]) == 200


async def test_a_spent_refresh_token_ends_everything_its_login_led_to(
    client: httpx.AsyncClient, anna: dict[str, Any]
) -> None:
    stolen = (await log_in(client)).json()["data"]
    other_login = (await log_in(client)).json()["data"]
    renewed = (await client.post(REFRESH, json={"refresh_token": stolen["refresh_token"]})).json()["data"]
    again = await client.post(REFRESH, json={"refresh_token": stolen["refresh_token"]})
    assert (again.status_code, again.json()["error"]["code"]) == (401, "REFRESH_REFUSED")
    assert await who(client, renewed["access_token"]) == 401
    assert (await client.post(REFRESH, json={"refresh_token": renewed["refresh_token"]})).status_code == 401
    assert await who(client, other_login["access_token"]) == 200
    (entry,) = await audited("auth.refresh_reuse")
    assert (entry["outcome"], entry["actor_id"]) == ("failure", anna["id"])


async def test_an_unknown_an_expired_and_a_revoked_refresh_token_are_refused(
    client: httpx.AsyncClient, anna: dict[str, Any]
) -> None:
    assert (await client.post(REFRESH, json={"refresh_token": "made up"})).status_code == 401
    expired = (await log_in(client)).json()["data"]
    await core_database.execute("UPDATE sessions SET refresh_expires_at = now() - interval '1 second'")
    assert (await client.post(REFRESH, json={"refresh_token": expired["refresh_token"]})).status_code == 401
    revoked = (await log_in(client)).json()["data"]
    await core_database.execute("UPDATE sessions SET revoked_at = now()")
    assert (await client.post(REFRESH, json={"refresh_token": revoked["refresh_token"]})).status_code == 401


async def test_an_access_token_expires(client: httpx.AsyncClient, anna: dict[str, Any]) -> None:
    tokens = (await log_in(client)).json()["data"]
    await core_database.execute("UPDATE sessions SET access_expires_at = now() - interval '1 second'")
    assert await who(client, tokens["access_token"]) == 401
    assert (await client.post(REFRESH, json={"refresh_token": tokens["refresh_token"]})).status_code == 200


async def test_a_logout_ends_access_and_refresh(client: httpx.AsyncClient, anna: dict[str, Any]) -> None:
    tokens = (await log_in(client)).json()["data"]
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await client.post("/identity/v1/auth/logout", headers=bearer)).status_code == 200
    assert await who(client, tokens["access_token"]) == 401
    assert (await client.post(REFRESH, json={"refresh_token": tokens["refresh_token"]})).status_code == 401
    assert len(await audited("auth.logout")) == 1


async def test_a_login_forgets_the_users_expired_sessions(client: httpx.AsyncClient, anna: dict[str, Any]) -> None:
    await log_in(client)
    await core_database.execute("UPDATE sessions SET refresh_expires_at = now() - interval '1 second'")
    await log_in(client)
    assert len(await core_database.fetch("SELECT id FROM sessions")) == 1


async def test_an_account_is_guarded_against_guessing_from_many_addresses(app: Litestar, anna: dict[str, Any]) -> None:
    for attempt in range(ACCOUNT_LIMIT):
        async with open_client(app, peer=f"192.0.2.{attempt}") as client:
            assert (await log_in(client, "anna", "\0")).status_code == 401
    async with open_client(app, peer="192.0.2.200") as client:
        limited = await log_in(client)
        assert (limited.status_code, limited.json()["error"]["code"]) == (429, "RATE_LIMITED")
        assert 1 <= int(limited.headers["retry-after"]) <= 900
        assert (await log_in(client, "somebody-else")).status_code == 401


async def test_an_address_is_limited_over_all_accounts(app: Litestar, redis: Any) -> None:
    redis.set("opsconductor:login:address:127.0.0.1", ADDRESS_LIMIT, ex=60)
    async with open_client(app) as client:
        assert (await log_in(client, "anybody")).status_code == 429
    async with open_client(app, peer="192.0.2.1") as client:
        assert (await log_in(client, "anybody")).status_code == 401


async def test_a_right_password_clears_the_failures_before_it(
    client: httpx.AsyncClient, anna: dict[str, Any], redis: Any
) -> None:
    await log_in(client, "anna", "wrong")
    await log_in(client)
    assert redis.keys("opsconductor:login:account:*") == []
    assert int(redis.get("opsconductor:login:address:127.0.0.1")) == 1


async def test_sessions_are_listed_and_one_of_them_ended(client: httpx.AsyncClient, anna: dict[str, Any]) -> None:
    first = (await log_in(client)).json()["data"]["access_token"]
    second = (await log_in(client)).json()["data"]["access_token"]
    bearer = {"Authorization": f"Bearer {second}"}
    sessions = (await client.get("/identity/v1/sessions", headers=bearer)).json()["data"]
    assert [session["current"] for session in sessions] == [True, False]
    assert sessions[0]["address"] == "127.0.0.1"
    assert sessions[0]["user_agent"].startswith("python-httpx")
    ended = await client.delete(f"/identity/v1/sessions/{sessions[1]['id']}", headers=bearer)
    assert ended.status_code == 200
    assert [await who(client, first), await who(client, second)] == [401, 200]
    again = await client.delete(f"/identity/v1/sessions/{sessions[1]['id']}", headers=bearer)
    assert (again.status_code, again.json()["error"]["code"]) == (404, "SESSION_NOT_FOUND")


async def test_nobody_ends_somebody_elses_session(
    client: httpx.AsyncClient, admin: httpx.AsyncClient, anna: dict[str, Any]
) -> None:
    token = (await log_in(client)).json()["data"]["access_token"]
    (session,) = await core_database.fetch('SELECT id FROM sessions WHERE "user" = $1', anna["id"])
    assert (await admin.delete(f"/identity/v1/sessions/{session['id']}")).status_code == 404
    assert await who(client, token) == 200


async def test_all_other_sessions_end_at_once(client: httpx.AsyncClient, anna: dict[str, Any]) -> None:
    tokens = [(await log_in(client)).json()["data"]["access_token"] for _ in range(3)]
    await client.delete("/identity/v1/sessions", headers={"Authorization": f"Bearer {tokens[1]}"})
    assert [await who(client, token) for token in tokens] == [401, 200, 401]
