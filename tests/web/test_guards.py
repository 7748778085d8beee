"""An application with a route that does not say who may use it is not created."""

import pytest
from litestar import Litestar, get

from app.core.errors import ConfigurationError
from app.web.guards import access_of, authenticated, handlers_of, public, require_declared_access, requires


@get("/silent")
async def silent() -> None:
    """Say nothing about who may come."""


@get("/open", guards=[public])
async def open_to_all() -> None:
    """Say so."""


@get("/known", guards=[authenticated])
async def open_to_the_known() -> None:
    """Say so."""


def test_a_route_that_does_not_say_who_may_use_it_is_an_error_at_creation() -> None:
    with pytest.raises(ConfigurationError, match="GET /silent"):
        require_declared_access(Litestar([silent, open_to_all], openapi_config=None, logging_config=None))


def test_routes_that_say_so_are_fine() -> None:
    app = Litestar([open_to_all, open_to_the_known], openapi_config=None, logging_config=None)
    require_declared_access(app)
    assert [access_of(handler) is not None for _, _, handler in handlers_of(app)] == [True, True]


def test_a_guard_for_a_permission_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match=r"devices\.device\.destroy"):
        requires("devices.device.destroy")
