"""Every route of the application: who may use it, and the envelope on each refusal."""

import re
from collections.abc import Iterator

import httpx
import pytest
from litestar import Litestar

from app.core.access import PERMISSIONS
from app.core.settings import Settings
from app.main import create_app
from app.web.guards import Access, access_of, handlers_of
from tests.support.callers import AsUser

PUBLIC = {
    "GET /",
    "GET /health",
    "GET /ready",
    "GET /metrics",
    "GET /schema",
    "GET /schema/openapi.json",
    "GET /schema/assets/{name:str}",
    "GET /login",
    "POST /login",
    "POST /identity/v1/auth/login",
    "POST /identity/v1/auth/refresh",
    *(f"{method} /automation/v1/webhooks/{{path:path}}" for method in ("GET", "POST", "PUT", "DELETE")),
}
ANYBODY_KNOWN = {
    "DELETE /identity/v1/sessions",
    "DELETE /identity/v1/sessions/{session_id:uuid}",
    "GET /identity/v1/auth/me",
    "GET /identity/v1/auth/me/permissions",
    "GET /identity/v1/sessions",
    "GET /system/v1/health",
    "GET /system/v1/info",
    "POST /identity/v1/auth/logout",
    "POST /logout",
}
PARAMETER = re.compile(r"\{\w+:(\w+)\}")
VALUES = {"uuid": "0190f1e0-0000-7000-8000-000000000000", "str": "anything", "int": "1", "path": "any/thing"}


def routes(app: Litestar) -> Iterator[tuple[str, str, Access]]:
    """Yield method, template and access of each route."""
    for path, method, handler in handlers_of(app):
        access = access_of(handler)
        assert access is not None
        yield method, path, access


def address(template: str) -> str:
    """Fill a route's template."""
    return PARAMETER.sub(lambda match: VALUES[match[1]], template)


def is_envelope(response: httpx.Response) -> bool:
    """Say whether an answer is an error in the envelope."""
    body = response.json()
    return (
        body.keys() == {"success", "error"}
        and body["success"] is False
        and body["error"].keys() == {"code", "message", "details", "request_id"}
        and re.fullmatch(r"[A-Z][A-Z0-9_]+", body["error"]["code"]) is not None
        and body["error"]["request_id"] == response.headers["x-request-id"]
    )


def test_only_the_listed_routes_are_open_to_everybody(app: Litestar) -> None:
    assert {f"{method} {path}" for method, path, access in routes(app) if access.public} == PUBLIC


def test_only_the_listed_routes_need_no_permission(app: Litestar) -> None:
    found = {
        f"{method} {path}" for method, path, access in routes(app) if not access.public and access.permission is None
    }
    assert found == ANYBODY_KNOWN


async def test_every_other_route_refuses_a_request_without_a_token(app: Litestar, client: httpx.AsyncClient) -> None:
    for method, path, access in routes(app):
        if not access.public:
            response = await client.request("GET" if method == "*" else method, address(path))
            assert response.status_code == 401, f"{method} {path}"
            assert is_envelope(response), f"{method} {path}"
            assert response.headers["www-authenticate"].startswith("Bearer"), f"{method} {path}"


async def test_every_other_route_refuses_a_token_that_nobody_was_given(
    app: Litestar, client: httpx.AsyncClient
) -> None:
    for method, path, access in routes(app):
        if not access.public:
            verb = "GET" if method == "*" else method
            response = await client.request(verb, address(path), headers={"Authorization": "Bearer made-up"})
            assert response.status_code == 401, f"{method} {path}"
            assert is_envelope(response), f"{method} {path}"


async def test_every_route_with_a_permission_refuses_a_token_without_it(app: Litestar, as_user: AsUser) -> None:
    for permission in {access.permission for _, _, access in routes(app)} - {None}:
        everything_else = await as_user(*(PERMISSIONS.keys() - {permission}))
        for method, path, access in routes(app):
            if access.permission == permission:
                response = await everything_else.request("GET" if method == "*" else method, address(path))
                assert response.status_code == 403, f"{method} {path}"
                assert is_envelope(response), f"{method} {path}"
                assert response.json()["error"]["details"] == {"permission": permission}


async def test_every_route_with_a_permission_lets_its_holder_past_the_guard(app: Litestar, as_user: AsUser) -> None:
    for permission in {access.permission for _, _, access in routes(app)} - {None}:
        holder = await as_user(permission)
        for method, path, access in routes(app):
            if access.permission == permission:
                response = await holder.request("GET" if method == "*" else method, address(path))
                assert response.status_code not in {401, 403}, f"{method} {path}"
                assert response.status_code < 500, f"{method} {path}"


async def test_no_route_ignores_an_unknown_query_parameter(app: Litestar, admin: httpx.AsyncClient) -> None:
    for method, path, _ in routes(app):
        if method != "*" and path not in {"/logout", "/automation/v1/webhooks/{path:path}"}:
            response = await admin.request(method, address(path), params={"no_such_parameter": "1"})
            assert response.status_code in {403, 422}, f"{method} {path}"
            if response.status_code == 422:
                assert response.json()["error"]["details"][0]["field"] == "no_such_parameter", f"{method} {path}"


@pytest.mark.parametrize("method", ["GET", "PUT", "TRACE", "BREW"])
async def test_every_address_answers_a_foreign_method_in_the_envelope(
    app: Litestar, admin: httpx.AsyncClient, method: str
) -> None:
    templates: dict[str, set[str]] = {}
    for known, path, _ in routes(app):
        templates.setdefault(path, set()).add(known)
    for path, methods in templates.items():
        if method in methods or "*" in methods:
            continue
        response = await admin.request(method, address(path))
        assert response.status_code == 405, f"{method} {path}"
        assert is_envelope(response), f"{method} {path}"
        assert methods <= set(response.headers["allow"].split(", ")), f"{method} {path}"


def test_an_application_needs_a_secret_key(settings: Settings) -> None:
    keyless = Settings(postgres=settings.postgres, redis_url=settings.redis_url)
    with pytest.raises(Exception, match="SECRET_KEY is not set"):
        create_app(keyless)
