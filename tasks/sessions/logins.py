"""The logins that are tried on a host: those the service finds for it, or the one that a plain host carries itself."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from nornir.core.inventory import Host

from tasks.errors import SessionError
from tasks.sessions.pool import CONNECTION

CREDENTIAL_TYPE = "ssh"
SSH_PORT = 22


class Login(Protocol):
    """The opened fields of one credential."""

    @property
    def credential_id(self) -> str:
        """Return the credential's id, or nothing for a login that is in no vault."""

    @property
    def credential_name(self) -> str:
        """Return what people call the credential."""

    @property
    def version(self) -> int:
        """Return a number that grows with every new secret."""

    def __getitem__(self, name: str) -> Any:
        """Return a field, or None."""


class HostWithLogins(Protocol):
    """What a host of the service offers beside Nornir's own."""

    def logins(self, credential_type: str, explicit: str | None) -> Sequence[Login]:
        """Return the logins to try, in order; raises LookupError, which says why there is none."""


class KnownLogin(Protocol):
    """A login that would be tried, without its secrets."""

    @property
    def credential_id(self) -> str:
        """Return the credential's id."""

    @property
    def version(self) -> int:
        """Return a number that grows with every new secret."""

    @property
    def blocked(self) -> str:
        """Return why it is not to be tried anywhere, or nothing."""


@dataclass(frozen=True, kw_only=True)
class OwnLogin:
    """The username and password that a plain Nornir host carries itself."""

    credential_id: str = ""
    credential_name: str = "inventory"
    version: int = 1
    fields: dict[str, Any] = field(repr=False)

    def __getitem__(self, name: str) -> Any:
        return self.fields.get(name)


def find_logins(host: Host, credential: str | None) -> Sequence[Login]:
    """Return the logins to try on a host, in order; raises SessionError of class credential where there is none."""
    if not hasattr(host, "logins"):
        return [_own_login(host, credential)]
    try:
        logins = cast(HostWithLogins, host).logins(CREDENTIAL_TYPE, credential)
    except LookupError as error:
        raise SessionError("credential", str(error.args[0] if error.args else error)) from error
    if not logins:
        message = f"There is no {CREDENTIAL_TYPE} credential for {host.name}. Assign one to it or to its group."
        raise SessionError("credential", message)
    return logins


def known_logins(host: Host, credential: str | None) -> Sequence[KnownLogin] | None:
    """Return what would be tried on a host, without opening it; None where its inventory cannot say.

    Raises SessionError of class credential, and of class auth where nothing is left that may be tried.
    """
    identify = getattr(host, "identities", None)
    try:
        known: Sequence[KnownLogin] | None = identify and identify(CREDENTIAL_TYPE, credential)
    except LookupError as error:
        raise SessionError("credential", str(error.args[0] if error.args else error)) from error
    if known and all(login.blocked for login in known):
        raise SessionError("auth", f"{host.name}: {' '.join(login.blocked for login in known)}")
    return known


def device_of(host: Host) -> str:
    """Return the key of the device that a host is, or the host's name where its inventory knows no keys."""
    return str(getattr(getattr(host, "record", None), "key", host.name))


def target(host: Host, login: Login) -> tuple[str, int]:
    """Return where a host is dialled."""
    parameters = host.get_connection_parameters(CONNECTION)
    return parameters.hostname or host.name, parameters.port or login["port"] or SSH_PORT


def _own_login(host: Host, credential: str | None) -> OwnLogin:
    if credential is not None:
        message = (
            f"{host.name}: the credential {credential!r} is asked for, and this inventory has no vault to find it in."
        )
        raise SessionError("credential", message)
    parameters = host.get_connection_parameters(CONNECTION)
    if not parameters.username:
        raise SessionError("credential", f"{host.name} has no username. Give the host a username and a password.")
    return OwnLogin(fields={"username": parameters.username, "password": parameters.password})
