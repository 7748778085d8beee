"""Logins at the last moment: resolved in the worker when a session opens, masked from then on, kept nowhere."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from app.automation.executions.masks import Masker
from app.core.access import Principal
from app.core.database import DatabaseThread, patiently
from app.devices.logins import FleetLogins
from inventory.records import HostRecord

T = TypeVar("T")


def login_source(db: DatabaseThread, masker: Masker, actor: Principal, hosts: Sequence[HostRecord]) -> FleetLogins:
    """Return the source that a shard's hosts ask for their logins, on behalf of who started the execution."""

    def run(operation: Callable[[], Awaitable[T]]) -> T:
        return db.run(patiently(operation))

    return FleetLogins(records=hosts, run=run, actor=actor, learn=masker.learn)
