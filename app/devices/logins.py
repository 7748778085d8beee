"""Which credentials are tried on a host, in which order; resolved in the process that opens the session."""

import contextvars
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import InitVar, dataclass, field
from itertools import chain
from typing import Any, Protocol, TypeVar
from uuid import UUID

from app.core.access import SYSTEM, Principal
from app.core.batching import Batches
from app.core.errors import AppError
from app.credentials.logins import (
    NoLoginError,
    Sealed,
    Use,
    find_sealed,
    find_sealed_named,
    record_uses,
    usable,
)
from app.devices.assignments import candidates
from inventory.records import HostRecord, Login, LoginIdentity, LoginSource
from tasks.sessions.pacing import Trials

T = TypeVar("T")
FRESH_S = 5.0
"""How long what was found is believed."""


class Run(Protocol):
    """Runs an operation where the database can be reached, and waits for it."""

    def __call__(self, operation: Callable[[], Awaitable[T]], /) -> T:
        """Return what the operation returns."""


@dataclass(frozen=True)
class Assigned:
    """What may be tried on some hosts by a type's credentials, as it stood a moment ago."""

    credential_type: str
    by_device: dict[UUID, list[UUID]]
    sealed: dict[UUID, Sealed]

    def of(self, record: HostRecord) -> list[Sealed]:
        """Return what to try on a host, each once; raises NoLoginError with a sentence that says why there is none.

        Those assigned to the device come first, by priority, then those of its groups, by priority, then the default
        of the type. A host without a device row has none.
        """
        if record.id is None:
            raise NoLoginError(
                f"{record.name} is no device of the inventory, so it has no credentials of its own. "
                f"Name the {self.credential_type} credential to use."
            )
        assigned = self.by_device.get(UUID(record.id), [])
        default = [id_ for id_, one in self.sealed.items() if one.row["default_for"] == self.credential_type]
        wanted = dict.fromkeys([*assigned, *default])
        return usable((self.sealed[id_] for id_ in wanted if id_ in self.sealed), self.credential_type)


async def look_up(device_ids: Iterable[UUID], credential_type: str) -> Assigned:
    """Find what may be tried on some devices, for all of them at once."""
    by_device = await candidates(list(device_ids))
    wanted = {credential for assigned in by_device.values() for credential in assigned}
    sealed = await find_sealed(wanted, credential_type)
    return Assigned(credential_type, by_device, {one.row["id"]: one for one in sealed})


async def resolve_logins(
    record: HostRecord, credential_type: str, explicit: str | None = None, actor: Principal = SYSTEM
) -> list[Login]:
    """Return the opened logins to try on a host; raises NoLoginError as ``Assigned.of`` does.

    ``explicit``, a credential's name or id, is then the only one.
    """
    if explicit is not None:
        found = [await find_sealed_named(explicit, credential_type)]
    else:
        device_ids = [] if record.id is None else [UUID(record.id)]
        found = (await look_up(device_ids, credential_type)).of(record)
    logins = [one.open() for one in found]
    use = Use(actor=actor, details={"host": record.name, "host_key": record.key})
    await record_uses([(one, use) for one in found])
    return logins


def login_source(run: Callable[[Coroutine[Any, Any, Any]], Any], actor: Principal = SYSTEM) -> LoginSource:
    """Return the login source of hosts in threads of a script; ``run`` runs a coroutine in the database's thread."""

    def find(record: HostRecord, credential_type: str, explicit: str | None) -> Sequence[Login]:
        try:
            found: list[Login] = run(resolve_logins(record, credential_type, explicit, actor))
        except NoLoginError:
            raise
        except AppError as error:
            raise NoLoginError(error.message) from error
        return found

    return find


@dataclass(kw_only=True)
class FleetLogins:
    """The logins of many hosts: found for all at once, told before they are opened, and put on record in batches.

    ``learn`` is given the secrets of whatever a session may have been opened with, also one that was kept.
    """

    records: InitVar[Sequence[HostRecord]]
    run: Run
    actor: Principal = SYSTEM
    learn: Callable[[Iterable[str]], None] = field(default=lambda _: None)
    trials: Trials | None = None
    """Keeps a credential that is wrong from being tried on all of them."""
    _device_ids: set[str] = field(init=False)
    _found: dict[tuple[str, str | None], tuple[float, Assigned | Sealed | AppError]] = field(default_factory=dict)
    _learned: set[tuple[str, int]] = field(default_factory=set)
    _uses: Batches[Sequence[tuple[Sealed, Use]]] = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self, records: Sequence[HostRecord]) -> None:
        self._device_ids = {record.id for record in records if record.id is not None}
        surroundings = contextvars.copy_context()  # whoever writes for all does it under the request behind the shard
        self._uses = Batches(lambda uses: surroundings.run(self.run, lambda: record_uses([*chain(*uses)])))

    def identities(self, record: HostRecord, credential_type: str, explicit: str | None) -> list[LoginIdentity]:
        """Return which logins would be tried on a host; raises NoLoginError."""
        found = self._wanted(record, credential_type, explicit)
        for one in found:
            self._teach(one)
        return [one.identity for one in found]

    def __call__(self, record: HostRecord, credential_type: str, explicit: str | None) -> list[Login]:
        """Open the logins to try on a host that are not blocked, and put that on record; raises NoLoginError."""
        found = [one for one in self._wanted(record, credential_type, explicit) if not one.identity.blocked]
        try:
            logins = [one.open() for one in found]
            for one in found:
                self._teach(one)
            use = Use(actor=self.actor, details={"host": record.name, "host_key": record.key})
            self._uses.put([(one, use) for one in found])
        except NoLoginError:
            raise
        except AppError as error:
            raise NoLoginError(error.message) from error
        return logins

    def _wanted(self, record: HostRecord, credential_type: str, explicit: str | None) -> list[Sealed]:
        found = self._look(record, credential_type, explicit)
        if isinstance(found, NoLoginError):
            raise found
        if isinstance(found, AppError):
            raise NoLoginError(found.message) from found
        return found.of(record) if isinstance(found, Assigned) else usable([found], credential_type)

    def _look(self, record: HostRecord, credential_type: str, explicit: str | None) -> Assigned | Sealed | AppError:
        """Return what was found a moment ago, or find it anew, for all hosts."""
        key = (credential_type, explicit)
        with self._lock:
            is_stranger = explicit is None and record.id is not None and record.id not in self._device_ids
            if is_stranger:
                self._device_ids.add(str(record.id))
            at, found = self._found.get(key, (float("-inf"), None))
            if found is None or is_stranger or time.monotonic() - at > FRESH_S:
                found = self._find(credential_type, explicit)
                self._found[key] = (time.monotonic(), found)
            return found

    def _find(self, credential_type: str, explicit: str | None) -> Assigned | Sealed | AppError:
        try:
            if explicit is not None:
                return self.run(lambda: find_sealed_named(explicit, credential_type))
            device_ids = [UUID(device_id) for device_id in self._device_ids]
            return self.run(lambda: look_up(device_ids, credential_type))
        except AppError as error:
            return error

    def _teach(self, one: Sealed) -> None:
        """Have the secrets of a credential masked that a kept session may have been opened with."""
        identity = (one.identity.credential_id, one.identity.version)
        with self._lock:
            is_new = identity not in self._learned
            self._learned.add(identity)
        if is_new:
            with suppress(AppError):  # a damaged one opens no session either
                self.learn(one.open().secrets())
