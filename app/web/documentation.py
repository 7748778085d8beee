"""The API's own pages: the OpenAPI document, and a browsable view of it that loads nothing from elsewhere."""

from importlib.resources import files
from pathlib import Path
from typing import Any

from litestar import MediaType, Request, Response, Router, get
from litestar.openapi import OpenAPIConfig
from litestar.params import FromPath
from litestar.response import File
from litestar.types import ControllerRouterHandler

from app.core.errors import NotFoundError
from app.web.guards import public
from app.web.openapi import complete

ASSETS = Path(str(files("litestar_offline_docs"))) / "static"
OWN = Path(str(files("app.web"))) / "pages"
SERVED = {
    "swagger-ui.css": (ASSETS, "text/css"),
    "swagger-ui-bundle.js": (ASSETS, "text/javascript"),
    "documentation.js": (OWN, "text/javascript"),
}
PAGE_POLICY = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"


class _NoPages(Router):
    """The router Litestar would fill with pages that load from a CDN and with a 404 outside the envelope."""

    def register(self, _: ControllerRouterHandler) -> list[Any]:
        """Take nothing: the handlers below stand in its place."""
        return []


def configuration(version: str) -> OpenAPIConfig:
    """Return what the OpenAPI document says of the API as a whole."""
    return OpenAPIConfig(
        title="OpsConductor",
        version=version,
        description=(
            "Network automation: workflows drawn as graphs, run on many devices at once.\n\n"
            "This document for programs: [/schema/openapi.json](/schema/openapi.json). Log in with "
            "`POST /identity/v1/auth/login` and give the access token to *Authorize*."
        ),
        use_handler_docstrings=True,
        openapi_router=_NoPages(path="/schema", route_handlers=[]),
    )


@get("/schema", include_in_schema=False, guards=[public], media_type=MediaType.HTML)
async def show_page() -> Response[str]:
    """Show the browsable documentation."""
    page = (OWN / "documentation.html").read_text(encoding="utf-8")
    return Response(page, headers={"Content-Security-Policy": PAGE_POLICY}, media_type=MediaType.HTML)


@get("/schema/openapi.json", include_in_schema=False, guards=[public])
async def get_document(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
    state = request.app.state
    if "openapi" not in state:
        state.openapi = complete(request.app)
    document: dict[str, Any] = state.openapi
    return document


@get("/schema/assets/{name:str}", include_in_schema=False, guards=[public])
async def get_asset(name: FromPath[str]) -> File:
    """Return a style sheet or script of the documentation page."""
    if name not in SERVED:
        raise NotFoundError(f"The documentation page has no asset {name!r}.")
    folder, media_type = SERVED[name]
    headers = {"Cache-Control": "max-age=3600"}
    return File(folder / name, content_disposition_type="inline", media_type=media_type, headers=headers)


ROUTES: list[ControllerRouterHandler] = [show_page, get_document, get_asset]
