"""Composition root: puts the areas' routes, the web furniture and the services together into one application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar
from litestar.config.cors import CORSConfig

from app import __version__
from app.automation.executions import routes as executions_routes
from app.automation.executions.approvals import routes as approvals_routes
from app.automation.executions.resuming import routes as resuming_routes
from app.automation.executions.starts import routes as starts_routes
from app.automation.workflows import routes as workflows_routes
from app.core import database, migrations
from app.core.logging import configure_logging
from app.core.queue import connect
from app.core.settings import Settings, load_settings
from app.credentials import routes as credentials_routes
from app.credentials import vault
from app.data_tables import routes as data_tables_routes
from app.devices import routes as devices_routes
from app.identity import authentication
from app.identity import routes as identity_routes
from app.palette import build_catalog
from app.system import routes as system_routes
from app.web import documentation
from app.web.authentication import AuthenticationMiddleware
from app.web.bodies import MAX_BODY_BYTES, ApiRequest
from app.web.cursors import Cursor, write_cursor
from app.web.dependencies import DEPENDENCIES
from app.web.errors import answer
from app.web.guards import require_declared_access
from app.web.middleware import RequestMiddleware
from app.web.query import note_query_parameters, refuse_unknown_query

ROUTES = [
    *documentation.ROUTES,
    *identity_routes.ROUTES,
    *credentials_routes.ROUTES,
    *devices_routes.ROUTES,
    *workflows_routes.ROUTES,
    *executions_routes.ROUTES,
    *approvals_routes.ROUTES,
    *resuming_routes.ROUTES,
    *data_tables_routes.ROUTES,
    *starts_routes.ROUTES,
    *system_routes.ROUTES,
]
POOL_SIZE = 10


def create_app(settings: Settings | None = None) -> Litestar:
    """Build the application; raises ConfigurationError when a setting or a route is wrong."""
    settings = settings or load_settings()
    secret_key = settings.require_secret_key()
    vault.configure(settings.require_keyring())
    app = Litestar(
        route_handlers=ROUTES,
        request_class=ApiRequest,
        request_max_body_size=MAX_BODY_BYTES,
        middleware=[AuthenticationMiddleware(authentication.resolve)],
        before_request=refuse_unknown_query,
        exception_handlers={Exception: answer},
        dependencies=DEPENDENCIES,
        type_encoders={Cursor: lambda cursor: write_cursor(secret_key, cursor)},
        openapi_config=documentation.configuration(__version__),
        cors_config=_cors(settings),
        lifespan=[_services],
        logging_config=None,
        debug=False,
    )
    app.state.settings = settings
    app.state.catalogue = build_catalog(settings.nodes_path)
    note_query_parameters(app)
    require_declared_access(app)
    app.asgi_handler = RequestMiddleware(app.asgi_handler, trusted_proxies=settings.trusted_proxies)
    return app


@asynccontextmanager
async def _services(app: Litestar) -> AsyncIterator[None]:
    """Open what the routes need, and close it when the application ends."""
    settings: Settings = app.state.settings
    configure_logging(settings.log_level, settings.log_format)
    await migrations.require_current()
    await database.open_pool(max_size=POOL_SIZE)
    app.state.redis = connect(settings.require_redis())
    try:
        yield
    finally:
        app.state.redis.close()
        await database.close_pool()


def _cors(settings: Settings) -> CORSConfig | None:
    return CORSConfig(allow_origins=list(settings.cors_origins)) if settings.cors_origins else None
