"""Query strings: a parameter that a route does not declare is an error, not ignored."""

from typing import Any, cast

from litestar import Litestar, Request
from litestar.routes import HTTPRoute

from app.core.errors import Fault, ValidationError

OPT_KEY = "query_parameters"
ANY_KEY = "any_query_parameters"


def note_query_parameters(app: Litestar) -> None:
    """Note in every handler which query parameters it and its dependencies read."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler, model in route.route_handler_map.values():
                handler.opt[OPT_KEY] = frozenset(parameter.field_alias for parameter in model.expected_query_params)


def any_query() -> dict[str, Any]:
    """Return the ``opt`` of a route whose query string is its caller's own affair."""
    return {ANY_KEY: True}


async def refuse_unknown_query(request: Request[Any, Any, Any]) -> None:
    """Raise ValidationError naming each query parameter that the route does not declare, or that holds a NUL."""
    if request.route_handler.opt.get(ANY_KEY):
        return
    declared = cast("frozenset[str]", request.route_handler.opt.get(OPT_KEY, frozenset()))
    offered = ", ".join(sorted(declared)) or "none"
    faults = [
        Fault(field=name, message=f"there is no such query parameter; this route has: {offered}")
        for name in dict.fromkeys(request.query_params)
        if name not in declared
    ]
    faults += [
        Fault(field=name, message="it holds a NUL character (U+0000)")
        for name, value in request.query_params.multi_items()
        if name in declared and "\0" in value
    ]
    if faults:
        raise ValidationError("; ".join(f"{fault['field']}: {fault['message']}" for fault in faults), faults)
