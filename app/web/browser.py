"""Pages for people: where a browser without a session is sent, and what its pages may load."""

from typing import Any
from urllib.parse import quote, unquote

from litestar import Request
from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message, Send

OPT_KEY = "for_browsers"
LOGIN_PAGE = "/login"


def for_browsers() -> dict[str, Any]:
    """Return the ``opt`` of a route that sends a browser without a session to the login page."""
    return {OPT_KEY: True}


def login_address(request: Request[Any, Any, Any]) -> str | None:
    """Return the login page that leads back here, when this is a page for browsers and a browser asks."""
    matched = request.scope.get("route_handler") is not None
    if not matched or not request.route_handler.opt.get(OPT_KEY):
        return None
    if "text/html" not in request.headers.get("accept", ""):
        return None
    return f"{LOGIN_PAGE}?next={quote(asked_path(request), safe='/')}"


def asked_path(request: Request[Any, Any, Any]) -> str:
    """Return the path that was asked for; below a mounted application Litestar shortens the one in the scope."""
    raw: bytes | None = request.scope.get("raw_path")
    return request.url.path if raw is None else unquote(raw.decode("latin-1"))


def with_policy(send: Send, policy: str) -> Send:
    """Wrap ``send`` so that the answer carries a content security policy of its own."""

    async def send_with_policy(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableScopeHeaders.from_message(message)["Content-Security-Policy"] = policy
        await send(message)

    return send_with_policy
