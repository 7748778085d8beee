"""Who calls: a bearer token or the session cookie becomes a Principal before any handler runs."""

from collections.abc import Awaitable
from typing import Any, Protocol
from urllib.parse import urlsplit

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import Headers
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from app.core.access import Principal
from app.core.errors import AuthenticationError, AuthorizationError
from app.web.guards import access_of

COOKIE = "opsconductor_session"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LOGIN_FIRST = (
    "This needs a login: send `Authorization: Bearer <access_token>` with a token of POST /identity/v1/auth/login, "
    "or come with a browser through /login."
)
LOGIN_AGAIN = "The token or session is unknown, has expired or was revoked. Log in again, or refresh."


class Resolver(Protocol):
    """Finds whose an access token is; None when it is nobody's."""

    def __call__(self, token: str, *, by_cookie: bool) -> Awaitable[Principal | None]:
        """Return the principal of a token."""
        ...


class AuthenticationMiddleware(ASGIMiddleware):
    """Sets ``scope["user"]`` on every route that is not public; raises AuthenticationError when nobody is known."""

    scopes = (ScopeType.HTTP, ScopeType.ASGI)

    def __init__(self, resolve: Resolver) -> None:
        self._resolve = resolve

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Authenticate, then pass on."""
        access = access_of(scope["route_handler"])
        if scope.get("method") != "OPTIONS" and not (access and access.public):
            scope["user"] = await self._authenticate(ASGIConnection(scope, receive, send))
        await next_app(scope, receive, send)

    async def _authenticate(self, connection: ASGIConnection[Any, Any, Any, Any]) -> Principal:
        token, by_cookie = _find_token(connection)
        principal = await self._resolve(token, by_cookie=by_cookie)
        if principal is None:
            raise AuthenticationError(LOGIN_AGAIN)
        if by_cookie and connection.scope.get("method") not in SAFE_METHODS:
            require_same_origin(connection.headers)
        return principal


async def same_origin(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Guard a form that is posted before anybody is known; raises AuthorizationError for another site's."""
    require_same_origin(connection.headers)


def require_same_origin(headers: Headers) -> None:
    """Raise AuthorizationError unless the browser says that the request comes from a page of ours."""
    fetch_site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if fetch_site is not None:
        allowed = fetch_site == "same-origin"
    else:
        allowed = origin is not None and urlsplit(origin).netloc == headers.get("host")
    if not allowed:
        raise AuthorizationError(
            "A browser's session may change things only from this server's own pages (Sec-Fetch-Site or Origin says "
            "otherwise, or neither was sent). Programs use a bearer token.",
            code="CROSS_SITE_REQUEST",
        )


async def provide_principal(request: Request[Any, Any, Any]) -> Principal:
    """Hand the caller to a handler."""
    principal: Principal = request.user
    return principal


def _find_token(connection: ASGIConnection[Any, Any, Any, Any]) -> tuple[str, bool]:
    authorization = connection.headers.get("authorization")
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise AuthenticationError("The Authorization header is not of the form `Bearer <access_token>`.")
        return token.strip(), False
    cookie = connection.cookies.get(COOKIE)
    if not cookie:
        raise AuthenticationError(LOGIN_FIRST)
    return cookie, True
