"""The service's own inventory in a plain Nornir script: hosts from the database, logins from the vault."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from nornir import InitNornir
from nornir.core import Nornir

from app.core.database import DatabaseThread
from app.core.settings import load_settings
from app.credentials import vault
from app.devices.host_keys import HostKeyBook
from app.devices.logins import login_source
from app.devices.targets import resolve
from inventory.host_keys import HostKeyPolicy
from inventory.plugin import NAME, register


@contextmanager
def nornir_from_database(targets: Mapping[str, Any], *, workers: int = 20) -> Iterator[Nornir]:
    """Lend a Nornir whose hosts are the devices of some targets, while the database is at hand.

    The environment names the database (PG_HOST or DATABASE_URL) and the vault's key (CREDENTIAL_MASTER_KEY), as for
    the service. Raises ConfigurationError, UnavailableError, and ValidationError for targets nobody knows.
    """
    settings = load_settings()
    vault.configure(settings.require_keyring())
    register()
    with DatabaseThread() as thread:
        records = thread.run(resolve(targets))
        policy = cast(HostKeyPolicy, settings.host_keys)
        options = {
            "sources": [records],
            "login_source": login_source(thread.run),
            "host_keys": HostKeyBook(lambda asked: thread.run(asked()), records, policy),
        }
        nornir = InitNornir(
            inventory={"plugin": NAME, "options": options},
            runner={"plugin": "threaded", "options": {"num_workers": workers}},
            logging={"enabled": False},
        )
        try:
            yield nornir
        finally:
            nornir.close_connections()
