"""Which credentials are tried on a host, in which order; resolved in the process that opens the session."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any
from uuid import UUID

from app.core.access import SYSTEM, Principal
from app.core.errors import ConfigurationError
from app.credentials.logins import NoLoginError, Use, open_candidates, open_named
from app.devices.assignments import candidates
from inventory.records import HostRecord, Login, LoginSource


async def resolve_logins(
    record: HostRecord, credential_type: str, explicit: str | None = None, actor: Principal = SYSTEM
) -> list[Login]:
    """Return the logins to try on a host, each once; raises NoLoginError with a sentence that says why there is none.

    ``explicit``, a credential's name or id, is then the only one. Else come those assigned to the device, by
    priority, then those of its groups, by priority, then the default of the type. A host without a device row has
    none but an explicit one.
    """
    use = Use(actor=actor, details={"host": record.name, "host_key": record.key})
    if explicit is not None:
        return [await open_named(explicit, credential_type, use)]
    if record.id is None:
        raise NoLoginError(
            f"{record.name} is no device of the inventory, so it has no credentials of its own. "
            f"Name the {credential_type} credential to use."
        )
    return await open_candidates(await candidates(UUID(record.id)), credential_type, use)


def login_source(
    run: Callable[[Coroutine[Any, Any, list[Login]]], list[Login]], actor: Principal = SYSTEM
) -> LoginSource:
    """Return the login source of hosts in threads; ``run`` is what runs a coroutine in the database's thread."""

    def find(record: HostRecord, credential_type: str, explicit: str | None) -> Sequence[Login]:
        try:
            return run(resolve_logins(record, credential_type, explicit, actor))
        except ConfigurationError as error:
            raise NoLoginError(error.message) from error

    return find
