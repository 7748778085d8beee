"""Whatever is raised, the answer is the envelope with the right status, code and nothing of the inside."""

import logging
from typing import Any

import asyncpg
import httpx
import pytest
from litestar import Litestar, post
from litestar.params import FromQuery
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from app.core import database, errors
from app.core.crypto import DecryptionError
from app.core.queue import connect
from app.core.settings import Settings
from app.main import create_app
from app.web.guards import public
from tests.support.callers import open_client

RAISED: dict[str, tuple[Exception, int, str]] = {
    "malformed": (errors.MalformedError("m"), 400, "MALFORMED_REQUEST"),
    "validation": (errors.ValidationError.of("name", "too long"), 422, "VALIDATION_ERROR"),
    "authentication": (errors.AuthenticationError("m"), 401, "UNAUTHENTICATED"),
    "authorization": (errors.AuthorizationError("m"), 403, "FORBIDDEN"),
    "not_found": (errors.NotFoundError("m", code="DEVICE_NOT_FOUND"), 404, "DEVICE_NOT_FOUND"),
    "conflict": (errors.ConflictError("m", details={"users": ["u"]}), 409, "CONFLICT"),
    "rate_limit": (errors.RateLimitError("m", retry_after_s=7), 429, "RATE_LIMITED"),
    "execution": (errors.ExecutionError("m"), 409, "EXECUTION_ERROR"),
    "upstream": (errors.UpstreamError("m"), 502, "UPSTREAM_ERROR"),
    "unavailable": (errors.UnavailableError("m"), 503, "UNAVAILABLE"),
    "deadline": (errors.DeadlineError("m"), 504, "DEADLINE_EXCEEDED"),
    "database": (errors.DatabaseError("secret inside"), 500, "INTERNAL_ERROR"),
    "decryption": (DecryptionError("secret inside"), 500, "INTERNAL_ERROR"),
    "unknown": (RuntimeError("secret inside"), 500, "INTERNAL_ERROR"),
    "postgres_away": (ConnectionRefusedError("secret inside"), 503, "UNAVAILABLE"),
    "postgres_full": (asyncpg.TooManyConnectionsError("secret inside"), 503, "UNAVAILABLE"),
    "redis_away": (RedisConnectionError("secret inside"), 503, "UNAVAILABLE"),
}


@post("/test/raise", guards=[public], include_in_schema=False)
async def raise_named(name: FromQuery[str]) -> None:
    """Raise one of the errors above."""
    raise RAISED[name][0]


@post("/test/twice", guards=[public], include_in_schema=False)
async def insert_twice() -> None:
    """Break a unique constraint that nobody translates."""
    for _ in range(2):
        await database.execute("INSERT INTO device_groups (id, name) VALUES (gen_random_uuid(), 'same')")


@pytest.fixture
def faulty(database: None, redis: Redis, settings: Settings) -> Litestar:
    """Return an application of its own with two routes that fail."""
    app = create_app(settings)
    app.state.redis = redis
    app.register(raise_named)
    app.register(insert_twice)
    for route in app.routes:
        for handler in getattr(route, "route_handlers", []):
            if str(route.path).startswith("/test/"):
                handler.opt["query_parameters"] = frozenset({"name"})
    return app


@pytest.mark.parametrize("name", RAISED)
async def test_every_error_has_its_status_and_its_code(faulty: Litestar, name: str) -> None:
    _, status, code = RAISED[name]
    async with open_client(faulty) as client:
        response = await client.post("/test/raise", params={"name": name})
    assert response.status_code == status
    assert response.json()["success"] is False
    assert response.json()["error"]["code"] == code
    assert "secret inside" not in response.text
    assert "Traceback" not in response.text


async def test_details_and_headers_of_an_error_reach_the_client(faulty: Litestar) -> None:
    async with open_client(faulty) as client:
        limited = await client.post("/test/raise", params={"name": "rate_limit"})
        invalid = await client.post("/test/raise", params={"name": "validation"})
        conflict = await client.post("/test/raise", params={"name": "conflict"})
    assert limited.headers["retry-after"] == "7"
    assert invalid.json()["error"]["details"] == [{"field": "name", "message": "too long"}]
    assert conflict.json()["error"]["details"] == {"users": ["u"]}


async def test_a_fault_of_ours_is_logged_with_its_traceback_under_the_request_id(
    faulty: Litestar, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_client(faulty) as client:
        response = await client.post("/test/raise", params={"name": "unknown"})
    request_id = response.json()["error"]["request_id"]
    record = next(record for record in caplog.records if record.levelno == logging.ERROR)
    assert request_id in str(record.msg)
    assert "RuntimeError: secret inside" in str(record.msg)


async def test_a_violation_that_nobody_translated_is_a_conflict(faulty: Litestar) -> None:
    async with open_client(faulty) as client:
        response = await client.post("/test/twice")
    assert (response.status_code, response.json()["error"]["code"]) == (409, "CONFLICT")


async def test_an_unknown_address_is_answered_in_the_envelope(client: httpx.AsyncClient) -> None:
    response = await client.get("/nowhere/at/all")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "NOT_FOUND")


async def test_an_id_that_is_no_uuid_names_nothing(admin: httpx.AsyncClient) -> None:
    response = await admin.get("/identity/v1/users/not-a-uuid")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"{broken", {"Content-Type": "application/json"}, 400, "MALFORMED_REQUEST"),
        (b'{"username": "\xff"}', {"Content-Type": "application/json"}, 400, "MALFORMED_REQUEST"),
        (b"[" * 100_000, {"Content-Type": "application/json"}, 400, "MALFORMED_REQUEST"),
        (b"", {"Content-Type": "application/json"}, 422, "VALIDATION_ERROR"),
        (b"[]", {"Content-Type": "application/json"}, 422, "VALIDATION_ERROR"),
        (b"{}", {"Content-Type": "text/plain"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b"{}", {}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b" " * (5 * 1024 * 1024 + 1), {"Content-Type": "application/json"}, 413, "BODY_TOO_LARGE"),
    ],
    ids=["broken", "not-utf8", "too-deep", "missing", "not-an-object", "plain-text", "no-type", "too-large"],
)
async def test_a_body_that_cannot_be_read_is_refused(
    admin: httpx.AsyncClient, content: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    response = await admin.post("/identity/v1/users", content=content, headers=headers)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


async def test_a_missing_body_is_called_a_missing_body(admin: httpx.AsyncClient) -> None:
    response = await admin.post("/identity/v1/users", headers={"Content-Type": "application/json"})
    assert response.json()["error"]["details"] == [
        {"field": "body", "message": "it is missing; this route needs a JSON body"}
    ]


async def test_all_wrong_fields_of_a_body_are_named(admin: httpx.AsyncClient) -> None:
    body: dict[str, Any] = {
        "username": "no spaces please",
        "password": "short",
        "email": 5,
        "age": 7,
        "roles": ["Bad!"],
    }
    response = await admin.post("/identity/v1/users", json=body)
    assert response.status_code == 422
    fields = [fault["field"] for fault in response.json()["error"]["details"]]
    assert sorted(fields) == ["age", "email", "password", "roles[0]", "username"]


async def test_query_parameters_that_cannot_be_read_are_named(admin: httpx.AsyncClient) -> None:
    response = await admin.get("/system/v1/audit", params={"since": "yesterday", "outcome": "maybe"})
    assert response.status_code == 422
    assert sorted(fault["field"] for fault in response.json()["error"]["details"]) == ["outcome", "since"]


@pytest.mark.parametrize("where", ["query", "body"])
async def test_a_nul_character_is_refused_rather_than_stored(admin: httpx.AsyncClient, where: str) -> None:
    if where == "query":
        response = await admin.get("/identity/v1/users", params={"q": "a\0b"})
    else:
        body = {"username": "nul", "password": "long enough for us", "full_name": "a\0b"}
        response = await admin.post("/identity/v1/users", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (422, "VALIDATION_ERROR")


async def test_without_redis_a_login_is_unavailable_rather_than_broken(app: Litestar) -> None:
    with connect("unix:///nonexistent/redis.sock") as away:
        app.state.redis = away
        async with open_client(app) as client:
            body = {"username": "somebody", "password": "anything at all"}
            response = await client.post("/identity/v1/auth/login", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "UNAVAILABLE")
    assert response.headers["retry-after"] == "5"
