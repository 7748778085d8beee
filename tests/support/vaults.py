"""A vault that tells its logins before it opens them, and hosts that ask it, as the service's hosts do."""

from collections.abc import Callable, Sequence
from typing import Any

from nornir.core.inventory import Host

from app.demo.network.devices import SimulatedDevice
from inventory.hosts import OpsHost
from inventory.records import HostRecord, Login, LoginIdentity


def login(name: str, version: int = 1, **fields: Any) -> Login:
    """Return a login; ``admin`` with the password ``admin`` unless something else is said."""
    return Login(
        credential_id=name,
        credential_name=name,
        credential_type="ssh",
        version=version,
        fields={"username": "admin", "password": "admin", **fields},
    )


class Vault:
    """Holds the logins that are tried on every host, and those that are asked for by name."""

    def __init__(self, *assigned: Login, blocked: str = "", **named: Login) -> None:
        self.assigned, self.named, self.blocked = list(assigned), named, blocked
        self.opened = 0

    def __call__(self, record: HostRecord, credential_type: str, explicit: str | None) -> Sequence[Login]:
        """Open what is tried."""
        del record, credential_type
        self.opened += 1
        return self._wanted(explicit)

    def identities(self, record: HostRecord, credential_type: str, explicit: str | None) -> Sequence[LoginIdentity]:
        """Tell what is tried."""
        del record, credential_type
        return [
            LoginIdentity(
                credential_id=one.credential_id,
                credential_name=one.credential_name,
                version=one.version,
                blocked=self.blocked,
            )
            for one in self._wanted(explicit)
        ]

    def _wanted(self, explicit: str | None) -> list[Login]:
        if explicit is None:
            return self.assigned
        if explicit not in self.named:
            raise LookupError(f"There is no credential {explicit}.")
        return [self.named[explicit]]


def hosts_of(vault: Vault, most: int = 2) -> Callable[..., Host]:
    """Return what makes a host of a device: one of the service, which allows so many sessions."""

    def make(device: SimulatedDevice, port: int) -> OpsHost:
        record = HostRecord(
            key=f"id-of-{device.name}",
            name=device.name,
            address="127.0.0.1",
            platform=device.platform.value,
            port=port,
            max_sessions=most,
        )
        return OpsHost(device.name, record, login_source=vault)

    return make
