"""The methods an address answers to, for the Allow header of a 405."""

from litestar import Litestar
from litestar.exceptions import HTTPException
from litestar.utils.path import normalize_path

METHODS = ("DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT")


def allowed_methods(app: Litestar, path: str) -> list[str]:
    """Return the methods that some route at ``path`` takes."""
    return [method for method in METHODS if _answers(app, path, method)]


def _answers(app: Litestar, path: str, method: str) -> bool:
    try:
        app.asgi_router.handle_routing(path=normalize_path(path), method=method)
    except HTTPException:
        return False
    return True
