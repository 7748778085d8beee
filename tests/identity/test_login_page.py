"""The browser's way in: a form, a cookie, and only to our own pages."""

from ipaddress import ip_network
from typing import Any

import httpx
import pytest
from litestar import Litestar

from app.core.settings import Settings
from app.identity import service
from app.identity.login_page import own_path
from app.main import create_app
from app.web.authentication import COOKIE
from tests.support.callers import open_client

PASSWORD = "correct horse battery staple"
OWN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
async def anna(database: None) -> dict[str, Any]:
    """Return a super_admin with a password."""
    return await service.create_admin("anna", PASSWORD)


def form(**fields: str) -> dict[str, str]:
    """Return a filled-in form."""
    return {"username": "anna", "password": PASSWORD, "next": "/rq", **fields}


async def test_a_login_sets_a_strict_cookie_and_leads_on(client: httpx.AsyncClient, anna: dict[str, Any]) -> None:
    response = await client.post("/login", data=form(), headers=OWN)
    assert (response.status_code, response.headers["location"]) == (303, "/rq")
    cookie = response.headers["set-cookie"].lower()
    assert cookie.startswith(COOKIE)
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/" in cookie
    assert "secure" not in cookie
    assert (await client.get("/identity/v1/auth/me")).json()["data"]["username"] == "anna"


async def test_the_cookie_is_secure_where_tls_is_on(
    app: Litestar, settings: Settings, anna: dict[str, Any], tmp_path: Any
) -> None:
    certificate = tmp_path / "certificate.pem"
    certificate.touch()
    values = {name: getattr(settings, name) for name in settings.__dataclass_fields__}
    encrypted = create_app(Settings(**{**values, "api_tls_cert": certificate}))
    encrypted.state.redis = app.state.redis
    async with open_client(encrypted) as client:
        response = await client.post("/login", data=form(), headers=OWN)
    assert "secure" in response.headers["set-cookie"].lower()


async def test_the_cookie_is_secure_behind_a_proxy_with_tls_that_is_trusted(
    app: Litestar, settings: Settings, anna: dict[str, Any]
) -> None:
    values = {name: getattr(settings, name) for name in settings.__dataclass_fields__}
    behind_proxy = create_app(Settings(**{**values, "trusted_proxies": (ip_network("127.0.0.0/8"),)}))
    behind_proxy.state.redis = app.state.redis
    for application, secure in ((behind_proxy, True), (app, False)):
        async with open_client(application) as client:
            response = await client.post("/login", data=form(), headers={**OWN, "X-Forwarded-Proto": "https"})
        assert ("secure" in response.headers["set-cookie"].lower()) is secure


async def test_a_logout_ends_the_session_and_takes_the_cookie(client: httpx.AsyncClient, anna: dict[str, Any]) -> None:
    await client.post("/login", data=form(), headers=OWN)
    token = client.cookies[COOKIE]
    response = await client.post("/logout", headers=OWN)
    assert (response.status_code, response.headers["location"]) == (303, "/login")
    assert COOKIE not in client.cookies
    client.cookies.set(COOKIE, token)
    assert (await client.get("/identity/v1/auth/me")).status_code == 401


@pytest.mark.parametrize("fields", [{"password": "wrong"}, {"username": "nobody"}, {"password": ""}, {"username": ""}])
async def test_a_refused_login_shows_the_form_again(
    client: httpx.AsyncClient, anna: dict[str, Any], fields: dict[str, str]
) -> None:
    response = await client.post("/login", data=form(**fields), headers=OWN)
    assert response.status_code == 401
    assert "is wrong" in response.text
    assert 'value="/rq"' in response.text
    assert "set-cookie" not in response.headers


async def test_too_many_attempts_are_told_in_the_form(client: httpx.AsyncClient, redis: Any) -> None:
    redis.set("opsconductor:login:address:127.0.0.1", 1000, ex=60)
    response = await client.post("/login", data=form(), headers=OWN)
    assert response.status_code == 429
    assert "too many attempts" in response.text


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}])
async def test_another_site_cannot_log_a_browser_in(
    client: httpx.AsyncClient, anna: dict[str, Any], headers: dict[str, str]
) -> None:
    response = await client.post("/login", data=form(), headers=headers)
    assert (response.status_code, response.json()["error"]["code"]) == (403, "CROSS_SITE_REQUEST")


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example",
        "/\\evil.example",
        "http://evil.example",
        "javascript:alert(1)",
        "",
        "rq",
        "/a\r\nb",
        "/a b",
        None,
    ],
)
def test_a_login_never_leads_to_another_site(wanted: str | None) -> None:
    assert own_path(wanted) == "/schema"


@pytest.mark.parametrize("wanted", ["/rq", "/rq/0/view/jobs", "/schema?x=1#y", "/"])
def test_a_login_leads_to_our_own_pages(wanted: str) -> None:
    assert own_path(wanted) == wanted


async def test_what_the_address_says_cannot_become_markup(client: httpx.AsyncClient) -> None:
    response = await client.get("/login", params={"next": '/"><script>alert(1)</script>'})
    assert "<script>alert" not in response.text
