"""The HTTP door of the system itself: health, metrics, queues and workers, the audit trail, rq-dashboard."""

from dataclasses import asdict
from datetime import datetime
from ipaddress import ip_address
from typing import Annotated

import msgspec
from litestar import Controller, MediaType, Response, asgi, get
from litestar.exceptions import MethodNotAllowedException
from litestar.params import FromQuery, QueryParameter
from litestar.types import ControllerRouterHandler, Receive, Scope, Send
from redis import Redis

from app import __version__
from app.core import context
from app.core.errors import AuthorizationError, UnavailableError
from app.core.settings import Settings
from app.system import dashboard, device_sessions, health, metrics, queues, service
from app.system.schemas import (
    AuditEntryRead,
    ComponentRead,
    DeviceSessionsRead,
    HealthRead,
    LivenessRead,
    Outcome,
    QueueRead,
    VersionsRead,
    WelcomeRead,
    WorkerRead,
)
from app.web.browser import for_browsers, with_policy
from app.web.dependencies import Configuration, Paging, RedisClient
from app.web.envelope import Reply, page_reply, reply
from app.web.guards import authenticated, public, requires

LINKS = {
    "documentation": "/schema",
    "openapi": "/schema/openapi.json",
    "login": "/login",
    "queues": dashboard.MOUNT,
    "health": "/health",
    "ready": "/ready",
}
Text = Annotated[str | None, QueryParameter(max_length=255)]
Since = Annotated[datetime | None, QueryParameter(description="Not before this time (RFC 3339).")]
Until = Annotated[datetime | None, QueryParameter(description="Before this time (RFC 3339).")]


@get("/", guards=[public], tags=["system"])
async def welcome() -> Reply[WelcomeRead]:
    """Say what this is, in which version, and where to go on."""
    return reply(WelcomeRead(name="OpsConductor", version=__version__, links=LINKS))


@get("/health", guards=[public], tags=["system"])
async def get_liveness() -> Reply[LivenessRead]:
    """Say that the process answers."""
    return reply(LivenessRead())


@get("/ready", guards=[public], tags=["system"])
async def get_readiness(redis: RedisClient) -> Reply[HealthRead]:
    """Say whether work can be done: PostgreSQL and Redis answer and a worker was heard from; 503 when not."""
    found = await _health(redis)
    if found.status != "up":
        away = ", ".join(component.name for component in found.components if component.status != "up")
        raise UnavailableError(f"Not ready: {away}.", code="NOT_READY", details=msgspec.to_builtins(found))
    return reply(found)


@get("/metrics", guards=[public], media_type=MediaType.TEXT, include_in_schema=False)
async def get_metrics(settings: Configuration, redis: RedisClient) -> Response[bytes]:
    """Return the metrics for Prometheus, to callers from METRICS_NETWORKS only."""
    _require_metrics_network(settings)
    return Response(await metrics.render(redis), media_type=metrics.CONTENT_TYPE)


class SystemController(Controller):
    """The system's own state."""

    path = "/system/v1"
    tags = ("system",)

    @get("/health", guards=[authenticated])
    async def get_health(self, redis: RedisClient) -> Reply[HealthRead]:
        """Return how each service that this one needs is doing, with its latency."""
        return reply(await _health(redis))

    @get("/info", guards=[authenticated])
    async def get_versions(self, redis: RedisClient) -> Reply[VersionsRead]:
        """Return the versions of what runs here, and since when."""
        return reply(VersionsRead.of(await health.versions(redis)))

    @get("/queues", guards=[requires("system.queues.view")])
    async def list_queues(self, redis: RedisClient) -> Reply[list[QueueRead]]:
        """List the queues with their depth and the age of their oldest job."""
        return reply([QueueRead.of(state) for state in await queues.list_queues(redis)])

    @get("/workers", guards=[requires("system.queues.view")])
    async def list_workers(self, redis: RedisClient) -> Reply[list[WorkerRead]]:
        """List the workers that were heard from, and what they are doing."""
        return reply([WorkerRead.of(worker) for worker in await queues.list_workers(redis)])

    @get("/sessions", guards=[requires("system.queues.view")])
    async def list_sessions(self, redis: RedisClient, paging: Paging) -> Reply[list[DeviceSessionsRead]]:
        """List the devices that sessions are open to, by id: who holds them, since when, and who waits for one."""
        return page_reply(await device_sessions.list_sessions(redis, paging), DeviceSessionsRead.of)

    @get("/audit", guards=[requires("system.audit.view")])
    async def list_audit(
        self,
        *,
        paging: Paging,
        action: Text = None,
        actor_name: Text = None,
        subject_type: Text = None,
        subject_id: Text = None,
        request_id: Text = None,
        outcome: FromQuery[Outcome | None] = None,
        since: Since = None,
        until: Until = None,
    ) -> Reply[list[AuditEntryRead]]:
        """List the audit trail, newest first."""
        page = await service.list_audit(
            paging,
            since=since,
            until=until,
            action=action,
            actor_name=actor_name,
            subject_type=subject_type,
            subject_id=subject_id,
            request_id=request_id,
            outcome=outcome,
        )
        return page_reply(page, AuditEntryRead.of)


@asgi(
    dashboard.MOUNT,
    is_mount=True,
    copy_scope=True,
    guards=[requires("system.queues.view")],
    opt=for_browsers(),
)
async def serve_dashboard(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve rq-dashboard; Litestar ends a mounted path with a slash, which Flask does not know."""
    path = scope["path"].rstrip("/") or "/"
    if dashboard.is_unsafe_read(str(scope.get("method")), path):
        raise MethodNotAllowedException
    state = scope["litestar_app"].state
    if "dashboard" not in state:
        state.dashboard = dashboard.build_dashboard(state.settings.require_redis())
    mounted = {**scope, "path": path, "root_path": dashboard.MOUNT}
    await state.dashboard(mounted, receive, with_policy(send, dashboard.POLICY))


async def _health(redis: Redis) -> HealthRead:
    components = await health.check_components(redis)
    return HealthRead(
        status=health.overall(components),
        components=[ComponentRead.of(asdict(component)) for component in components],
    )


def _require_metrics_network(settings: Settings) -> None:
    address = context.current().address
    try:
        allowed = any(ip_address(address) in network for network in settings.metrics_networks)
    except ValueError:
        allowed = False
    if not allowed:
        raise AuthorizationError(
            f"Metrics are for METRICS_NETWORKS only, and {address or 'this connection'} is not in them.",
            code="METRICS_NETWORK",
        )


ROUTES: list[ControllerRouterHandler] = [
    welcome,
    get_liveness,
    get_readiness,
    get_metrics,
    SystemController,
    serve_dashboard,
]
