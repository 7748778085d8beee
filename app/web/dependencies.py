"""What a handler may ask for by name: caller, page, settings, Redis client and node catalogue.

Litestar injects by the parameter's name: ``principal``, ``paging``, ``settings``, ``redis`` and ``catalogue``.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from litestar import Request
from litestar.di import NamedDependency, Provide
from litestar.params import SkipValidation
from redis import Redis

from app.core.access import Principal
from app.core.paging import PageRequest
from app.core.settings import Settings
from app.web.authentication import provide_principal
from app.web.paging import provide_paging
from tasks.catalog import Catalog

Caller: TypeAlias = NamedDependency[Principal]
Paging: TypeAlias = NamedDependency[PageRequest]
Configuration: TypeAlias = NamedDependency[SkipValidation[Settings]]
RedisClient: TypeAlias = NamedDependency[Redis]
Palette: TypeAlias = NamedDependency[SkipValidation[Catalog]]


async def provide_settings(request: Request[Any, Any, Any]) -> Settings:
    """Hand the configuration to a handler."""
    settings: Settings = request.app.state.settings
    return settings


async def provide_redis(request: Request[Any, Any, Any]) -> Redis:
    """Hand the Redis client to a handler; it blocks, so call it in a thread."""
    redis: Redis = request.app.state.redis
    return redis


async def provide_catalogue(request: Request[Any, Any, Any]) -> Catalog:
    """Hand the catalogue of node types to a handler."""
    catalogue: Catalog = request.app.state.catalogue
    return catalogue


DEPENDENCIES: Mapping[str, Provide] = {
    "principal": Provide(provide_principal),
    "paging": Provide(provide_paging),
    "settings": Provide(provide_settings),
    "redis": Provide(provide_redis),
    "catalogue": Provide(provide_catalogue),
}
