"""A Nornir host that knows its record, and where its logins and host keys come from."""

from collections.abc import Sequence
from typing import Any, cast

from nornir.core.inventory import ConnectionOptions, Defaults, Host, ParentGroups

from inventory.host_keys import HostKeys, HostKeySource
from inventory.platforms import PLATFORMS, SSH_PORT, Platform
from inventory.records import HostRecord, KnowingSource, Login, LoginIdentity, LoginSource

PASSWORD_TYPES = frozenset({"ssh", "winrm"})
"""Credential types that a host's own username and password can stand in for."""


class OpsHost(Host):
    """A host made of a record; filters see the record's fields, and sessions ask it for logins."""

    __slots__ = ("host_keys", "login_source", "record")

    def __init__(
        self,
        name: str,
        record: HostRecord,
        *,
        login_source: LoginSource | None = None,
        host_keys: HostKeySource | None = None,
        groups: ParentGroups | None = None,
        defaults: Defaults | None = None,
    ) -> None:
        platform = PLATFORMS.get(record.platform)
        super().__init__(
            name,
            hostname=record.address,
            port=record.port or (platform.port if platform else SSH_PORT),
            platform=record.platform,
            groups=groups,
            data=_fields(record),
            connection_options=_connection_options(platform),
            defaults=defaults,
        )
        self.record = record
        self.login_source = login_source
        self.host_keys = HostKeys(host_keys, record) if host_keys is not None else None

    @property
    def jump(self) -> "OpsHost | None":
        """Return the host through which this one is reached, with logins and host keys of its own."""
        record = self.record.jump
        if record is None:
            return None
        keys = self.host_keys.source if self.host_keys is not None else None
        return OpsHost(
            record.name, record, login_source=self.login_source, host_keys=keys, groups=None, defaults=self.defaults
        )

    @property
    def max_sessions(self) -> int:
        """How many sessions may be open to it at once."""
        return self.record.max_sessions

    @property
    def is_known(self) -> bool:
        """Say whether its logins can be told without opening them."""
        return hasattr(self.login_source, "identities")

    @property
    def trials(self) -> Any:
        """Return what its source of logins counts with how they fare, if it does."""
        return getattr(self.login_source, "trials", None)

    def identities(self, credential_type: str, explicit: str | None = None) -> Sequence[LoginIdentity] | None:
        """Return which logins would be tried, unopened; None where nobody can say. Raises LookupError."""
        if not self.is_known:
            return None
        return cast(KnowingSource, self.login_source).identities(self.record, credential_type, explicit)

    def logins(self, credential_type: str, explicit: str | None = None) -> Sequence[Login]:
        """Return the logins to try, in order; raises LookupError with a sentence that says why there is none.

        ``explicit`` names one credential, which is then the only one.
        """
        if self.login_source is not None:
            found = self.login_source(self.record, credential_type, explicit)
            if found or explicit is not None:
                return found
        return [self._own_login(credential_type, explicit)]

    def _own_login(self, credential_type: str, explicit: str | None) -> Login:
        if explicit is not None:
            raise LookupError(
                f"{self.name}: the credential {explicit!r} was asked for, and this inventory has no login source "
                "that could open it"
            )
        if credential_type not in PASSWORD_TYPES or not self.username:
            raise LookupError(
                f"{self.name}: there is no {credential_type} credential for it; give the inventory a login_source"
                + (", or the host a username and password" if credential_type in PASSWORD_TYPES else "")
            )
        return Login(
            credential_id="",
            credential_name="inventory",
            credential_type=credential_type,
            version=1,
            fields={"username": self.username, "password": self.password or ""},
            secret_fields=frozenset({"password"}),
        )


def _fields(record: HostRecord) -> dict[str, Any]:
    return {
        **record.custom,
        "key": record.key,
        "site": record.site,
        "role": record.role,
        "tenant": record.tenant,
        "vendor": record.vendor,
        "model": record.model,
        "serial": record.serial,
        "os_version": record.os_version,
        "status": record.status,
        "tags": list(record.tags),
    }


def _connection_options(platform: Platform | None) -> dict[str, ConnectionOptions]:
    if platform is None:
        return {}
    options = {"netmiko": ConnectionOptions(platform=platform.netmiko)}
    if platform.napalm is not None:
        options["napalm"] = ConnectionOptions(platform=platform.napalm, port=platform.napalm_port)
    return options
