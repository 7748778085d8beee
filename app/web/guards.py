"""Guards: every route says who may use it, and an application with one that does not say so is not created."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from app.core.access import PERMISSIONS, Principal
from app.core.errors import ConfigurationError

Connection = ASGIConnection[Any, Any, Any, Any]


@dataclass(frozen=True)
class Access:
    """Who may use a route: everybody, everybody known, or those who hold a permission."""

    public: bool = False
    permission: str | None = None

    async def __call__(self, connection: Connection, _: BaseRouteHandler) -> None:
        """Raise AuthorizationError unless the caller may."""
        if self.permission is not None:
            cast("Principal", connection.user).require(self.permission)


def requires(permission: str) -> Guard:
    """Return the guard that lets in only holders of a permission of the catalogue."""
    if permission not in PERMISSIONS:
        raise ConfigurationError(f"{permission!r} is no permission. The catalogue is app/core/access.py.")
    return Access(permission=permission)


public: Guard = Access(public=True)
authenticated: Guard = Access()


def access_of(handler: BaseRouteHandler) -> Access | None:
    """Return what a route's own guards say, or None when they say nothing."""
    for guard in handler.resolve_guards():
        declared = getattr(guard, "func", guard)
        if isinstance(declared, Access):
            return declared
    return None


def handlers_of(app: Litestar) -> Iterator[tuple[str, str, BaseRouteHandler]]:
    """Yield path, method and handler of every route; the OPTIONS that Litestar adds to each are left out.

    A mounted application has the method ``*``.
    """
    for route in app.routes:
        for handler in getattr(route, "route_handlers", None) or [cast("Any", route).route_handler]:
            methods = sorted(getattr(handler, "http_methods", {"*"}))
            yield from ((route.path, str(method), handler) for method in methods if method != "OPTIONS")


def require_declared_access(app: Litestar) -> None:
    """Raise ConfigurationError when a route does not say who may use it."""
    undeclared = [f"{method} {path}" for path, method, handler in handlers_of(app) if access_of(handler) is None]
    if undeclared:
        raise ConfigurationError(
            f"These routes do not say who may use them: {', '.join(undeclared)}. "
            "Give each a guard of app.web.guards: requires(permission), authenticated or public."
        )
