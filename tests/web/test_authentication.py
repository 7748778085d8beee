"""Tokens and cookies, and what a browser's session may not be made to do by another site."""

import httpx
import pytest
from litestar import Litestar
from redis import Redis

from app.core.access import PERMISSIONS
from app.core.queue import queue
from app.identity.authentication import open_session
from app.web.authentication import COOKIE
from tests.support.callers import AsUser, make_user, open_client

FOREIGN = [
    {},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://testserver.evil.example"},
]
OWN = [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://testserver"}]


@pytest.fixture
async def browser(app: Litestar, database: None) -> httpx.AsyncClient:
    """Return the client of a browser with the session cookie of somebody who may do everything."""
    user_id = await make_user("surfer", PERMISSIONS)
    tokens, _ = await open_session(user_id, kind="cookie")
    client = open_client(app)
    client.cookies.set(COOKIE, tokens.access_token)
    return client


@pytest.mark.parametrize("authorization", ["Basic dXNlcjpwYXNz", "Bearer", "Bearer   ", "", "token"])
async def test_another_authorization_scheme_is_refused(client: httpx.AsyncClient, authorization: str) -> None:
    response = await client.get("/identity/v1/auth/me", headers={"Authorization": authorization})
    assert (response.status_code, response.json()["error"]["code"]) == (401, "UNAUTHENTICATED")


async def test_a_browser_reads_with_its_cookie_alone(browser: httpx.AsyncClient) -> None:
    response = await browser.get("/identity/v1/auth/me")
    assert response.json()["data"]["username"] == "surfer"


@pytest.mark.parametrize("headers", FOREIGN)
async def test_another_site_cannot_write_with_a_browsers_cookie(
    browser: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    for method, path in (
        ("POST", "/identity/v1/auth/logout"),
        ("DELETE", "/identity/v1/sessions"),
        ("POST", "/logout"),
    ):
        response = await browser.request(method, path, headers=headers)
        assert (response.status_code, response.json()["error"]["code"]) == (403, "CROSS_SITE_REQUEST")
    assert (await browser.get("/identity/v1/auth/me")).status_code == 200


@pytest.mark.parametrize("headers", FOREIGN)
async def test_another_site_cannot_write_through_rq_dashboard(
    browser: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    response = await browser.post("/rq/queue/default/compact", headers=headers)
    assert (response.status_code, response.json()["error"]["code"]) == (403, "CROSS_SITE_REQUEST")


@pytest.mark.parametrize("headers", OWN)
async def test_our_own_pages_write_with_the_cookie(
    browser: httpx.AsyncClient, redis: Redis, headers: dict[str, str]
) -> None:
    queue("default", redis).enqueue("operator.add", 1, 2)
    assert (await browser.post("/rq/queue/default/compact", headers=headers)).status_code == 200
    assert (await browser.post("/identity/v1/auth/logout", headers=headers)).status_code == 200


async def test_a_bearer_token_needs_no_origin(admin: httpx.AsyncClient) -> None:
    assert (await admin.post("/identity/v1/auth/logout")).status_code == 200


async def test_a_cookie_is_no_bearer_token_and_a_bearer_token_no_cookie(
    app: Litestar, browser: httpx.AsyncClient
) -> None:
    user_id = await make_user("second", [])
    bearer, _ = await open_session(user_id)
    cookie = browser.cookies[COOKIE]
    async with open_client(app, token=cookie) as client:
        assert (await client.get("/identity/v1/auth/me")).status_code == 401
    async with open_client(app) as client:
        client.cookies.set(COOKIE, bearer.access_token)
        assert (await client.get("/identity/v1/auth/me")).status_code == 401


@pytest.mark.parametrize("path", ["/rq", "/rq/", "/rq/0/view/workers"])
async def test_a_browser_without_a_session_is_sent_to_the_login_page(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path, headers={"Accept": "text/html,application/xhtml+xml"})
    assert response.status_code == 303
    assert response.headers["location"] == f"/login?next={path}"


async def test_a_program_without_a_token_is_not_sent_anywhere(client: httpx.AsyncClient) -> None:
    assert (await client.get("/rq")).status_code == 401
    response = await client.get("/identity/v1/auth/me", headers={"Accept": "text/html"})
    assert response.status_code == 401


async def test_a_permission_taken_away_is_gone_at_once(app: Litestar, as_user: AsUser) -> None:
    viewer = await as_user("system.users.view", username="viewer")
    assert (await viewer.get("/identity/v1/users")).status_code == 200
    admin = await as_user(*PERMISSIONS)
    users = (await admin.get("/identity/v1/users", params={"q": "viewer"})).json()["data"]
    changed = await admin.patch(f"/identity/v1/users/{users[0]['id']}", json={"roles": []})
    assert changed.status_code == 200
    assert (await viewer.get("/identity/v1/users")).status_code == 403
