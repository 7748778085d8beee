"""Logins at the last moment: resolved in the worker when a session opens, masked from then on, kept nowhere."""

from collections.abc import Sequence

from app.automation.executions.masks import Masker
from app.core.access import Principal
from app.core.database import DatabaseThread, patiently
from app.core.errors import AppError
from app.devices import logins
from inventory.records import HostRecord, Login, LoginSource


def login_source(db: DatabaseThread, masker: Masker, actor: Principal) -> LoginSource:
    """Return the source that hosts of a shard ask for their logins, on behalf of who started the execution."""

    def find(record: HostRecord, credential_type: str, explicit: str | None) -> Sequence[Login]:
        try:
            found = db.run(patiently(lambda: logins.resolve_logins(record, credential_type, explicit, actor)))
        except AppError as error:
            raise LookupError(error.message) from error
        for login in found:
            masker.learn(login.secrets())
        return found

    return find
