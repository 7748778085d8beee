"""What every request passes first: its id and the client's address, the access log, security headers, the clock."""

import re
import time
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, cast

from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.core import context
from app.core.clock import uuid7
from app.core.logging import get_logger
from app.core.settings import Network
from app.web import metrics

REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
}

log = get_logger("app.access")


class RequestMiddleware:
    """The outermost layer of the application; it sees unknown addresses and mounted applications too."""

    def __init__(self, app: ASGIApp, *, trusted_proxies: tuple[Network, ...] = ()) -> None:
        self._app = app
        self._trusted_proxies = trusted_proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request under its id."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        entered = context.RequestContext(
            request_id=_request_id(headers.get("x-request-id")),
            address=client_address(scope.get("client"), headers.get("x-forwarded-for", ""), self._trusted_proxies),
        )
        context.enter(entered)
        if headers.get("x-forwarded-proto") == "https" and _is_trusted(
            _host(scope.get("client")), self._trusted_proxies
        ):
            scope["scheme"] = "https"
        served = _Served(send, entered.request_id)
        method, path = str(scope["method"]), str(scope["path"])
        started = time.perf_counter()
        try:
            await self._app(scope, receive, served.send)
        finally:
            elapsed_s = time.perf_counter() - started
            metrics.observe_request(method, _route_of(cast("Mapping[str, Any]", scope)), served.status, elapsed_s)
            log.info(
                "request",
                method=method,
                path=path,
                status=served.status,
                duration_ms=round(elapsed_s * 1000, 1),
                address=entered.address,
                user=getattr(scope.get("user"), "username", ""),
            )


class _Served:
    """An answer on its way: adds the headers that all answers carry, and remembers the status."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status = 500

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            headers = MutableScopeHeaders.from_message(message)
            headers["X-Request-ID"] = self._request_id
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)


def client_address(client: tuple[str, int] | None, forwarded_for: str, trusted_proxies: tuple[Network, ...]) -> str:
    """Return the address that a request comes from.

    X-Forwarded-For is believed from right to left, as long as the one who said so is a trusted proxy.
    """
    address = _host(client)
    hops = [hop.strip() for hop in forwarded_for.split(",") if hop.strip()]
    while hops and _is_trusted(address, trusted_proxies):
        address = hops.pop()
    return address[:64]


def _host(client: tuple[str, int] | None) -> str:
    return client[0] if client else ""


def _is_trusted(address: str, trusted_proxies: tuple[Network, ...]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in trusted_proxies)


def _request_id(given: str | None) -> str:
    return given if given and REQUEST_ID.fullmatch(given) else str(uuid7())


def _route_of(scope: Mapping[str, Any]) -> str:
    handler = scope.get("route_handler")
    if handler is None:
        return "unmatched"
    return str(min(handler.paths) if getattr(handler, "is_mount", False) else scope["path_template"])
