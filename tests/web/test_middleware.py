"""Request ids, addresses behind proxies, security headers and the access log."""

import logging
from ipaddress import ip_network

import httpx
import pytest
from litestar import Litestar

from app.web.middleware import client_address
from tests.support.callers import open_client

PROXIES = (ip_network("10.0.0.0/8"), ip_network("::1/128"))


@pytest.mark.parametrize("given", ["0190f1e0-0000-7000-8000-000000000000", "a" * 64, "build:42.a_b-c"])
async def test_a_safe_request_id_is_taken_over_and_echoed(client: httpx.AsyncClient, given: str) -> None:
    response = await client.get("/nowhere", headers={"X-Request-ID": given})
    assert response.headers["x-request-id"] == given
    assert response.json()["error"]["request_id"] == given


@pytest.mark.parametrize("given", ["", "a" * 65, "white space", "<script>", "a\tb", "ünsafe".encode()])
async def test_an_unsafe_request_id_is_replaced(client: httpx.AsyncClient, given: str | bytes) -> None:
    response = await client.get(
        "/health", headers=[(b"x-request-id", given if isinstance(given, bytes) else given.encode())]
    )
    assert len(response.headers["x-request-id"]) == 36


async def test_two_requests_have_two_ids(client: httpx.AsyncClient) -> None:
    first, second = await client.get("/health"), await client.get("/health")
    assert first.headers["x-request-id"] != second.headers["x-request-id"]


@pytest.mark.parametrize("path", ["/health", "/nowhere", "/schema", "/login", "/identity/v1/users"])
async def test_every_answer_carries_the_security_headers(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "address"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "192.0.2.66, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", " , ", "10.0.0.1"),
        ("::1", "2001:db8::5", "2001:db8::5"),
        ("not-an-address", "198.51.100.1", "not-an-address"),
        ("10.0.0.1", "x" * 100, "x" * 64),
    ],
)
def test_the_address_is_that_of_the_last_hop_nobody_trusted_vouches_for(
    peer: str, forwarded_for: str, address: str
) -> None:
    assert client_address((peer, 1), forwarded_for, PROXIES) == address


def test_a_unix_socket_has_no_address() -> None:
    assert not client_address(None, "198.51.100.1", PROXIES)


async def test_the_access_log_has_the_path_but_neither_query_nor_body(
    app: Litestar, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="app.access"):
        async with open_client(app) as client:
            body = {"username": "somebody", "password": "hush-hush-hush"}
            await client.post("/identity/v1/auth/login?token=hidden", json=body)
    lines = [str(record.msg) for record in caplog.records if record.name == "app.access"]
    assert len(lines) == 1
    assert "/identity/v1/auth/login" in lines[0]
    assert "hidden" not in lines[0]
    assert "hush" not in lines[0]
