"""Logins at the last moment: resolved in the worker when a session opens, masked from then on, kept nowhere."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from uuid import UUID

from app.automation.executions.engine import runtime
from app.automation.executions.masks import Masker
from app.core.access import Principal
from app.core.database import DatabaseThread, patiently
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

    trials = RedisTrials(runtime.current().brief_redis(), stop)
    return FleetLogins(records=hosts, run=run, actor=actor, learn=masker.learn, trials=trials)
