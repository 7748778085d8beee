"""Logins at the last moment: resolved in the worker when a session opens, masked from then on, kept nowhere."""

import os
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from typing import TypeVar
from uuid import UUID

from redis import Redis

from app.automation.executions.engine import runtime
from app.automation.executions.masks import Masker
from app.core.access import Principal
from app.core.database import DatabaseThread, patiently
from app.core.leases import connect_briefly
from app.core.trials import RedisTrials, reason_of
from app.credentials import service as credentials
from app.devices.logins import FleetLogins
from inventory.records import HostRecord

T = TypeVar("T")


def login_source(db: DatabaseThread, masker: Masker, actor: Principal, hosts: Sequence[HostRecord]) -> FleetLogins:
    """Return the source that a shard's hosts ask for their logins, on behalf of who started the execution."""

    def run(operation: Callable[[], Awaitable[T]]) -> T:
        return db.run(patiently(operation))

    def stop(credential_id: str, version: int, name: str) -> None:
        run(lambda: credentials.block_credential(UUID(credential_id), version, reason_of(name)))

    trials = RedisTrials(_redis(runtime.current().settings.require_redis(), os.getpid()), stop)
    return FleetLogins(records=hosts, run=run, actor=actor, learn=masker.learn, trials=trials)


@lru_cache(maxsize=1)
def _redis(url: str, process: int) -> Redis:
    """Return this process' client: one made before a fork must not be used after it."""
    del process
    return connect_briefly(url)
