"""The only currency between the service and the engine rooms: host records and logins, plain and typed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

KEY_LINE_CHARS = 16
"""Lines of a multi-line secret that are longer than this are secrets of their own."""


class HostRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A host as any source describes it; it never carries a secret.

    ``key`` identifies it in results: a device's id, or the address of an ad-hoc host, which has no ``id``.
    """

    key: str
    name: str
    address: str
    platform: str
    id: str | None = None
    port: int | None = None
    vendor: str = ""
    model: str = ""
    serial: str = ""
    os_version: str = ""
    site: str = ""
    role: str = ""
    tenant: str = ""
    status: str = "active"
    tags: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    custom: dict[str, Any] = msgspec.field(default_factory=dict)
    max_sessions: int = 2
    jump: "HostRecord | None" = None
    """The host through which it is reached."""


@dataclass(frozen=True, kw_only=True)
class Login:
    """The opened fields of one credential, on their way into a session and nowhere else."""

    credential_id: str
    credential_name: str
    credential_type: str
    version: int
    fields: dict[str, Any] = field(repr=False)
    secret_fields: frozenset[str] = frozenset()
    """The fields that must never be written down anywhere."""

    def secrets(self) -> list[str]:
        """Return the secret values, a key's long lines among them, for masking."""
        values = [str(self.fields[name]) for name in self.secret_fields if self.fields.get(name)]
        lines = [line.strip() for value in values if "\n" in value for line in value.splitlines()]
        return [*values, *(line for line in lines if len(line) > KEY_LINE_CHARS and not line.startswith("-----"))]

    def __getitem__(self, name: str) -> Any:
        """Return a field, or None where the credential leaves it out."""
        return self.fields.get(name)


@dataclass(frozen=True, kw_only=True)
class LoginIdentity:
    """What is known of a login before its secrets are opened."""

    credential_id: str
    credential_name: str
    version: int
    blocked: str = ""
    """Why it is not to be tried anywhere: a sentence, or nothing."""


class KnowingSource(Protocol):
    """A source of logins that can tell which they are without opening them.

    Sessions of its hosts may outlive a Nornir run: they are used again only where the same login would be used now.
    """

    def __call__(self, record: HostRecord, credential_type: str, explicit: str | None) -> Sequence[Login]:
        """Open the logins to try on a host, in order; raises LookupError, which says why there is none."""

    def identities(self, record: HostRecord, credential_type: str, explicit: str | None) -> Sequence[LoginIdentity]:
        """Return which logins those are; raises LookupError as well."""


LoginSource = Callable[[HostRecord, str, str | None], Sequence[Login]]
"""Finds the logins to try on a host, in order: ``(record, credential type, explicit credential or None)``.

Raises LookupError with a sentence that says why there is none.
"""


def no_logins(record: HostRecord, credential_type: str, explicit: str | None) -> Sequence[Login]:
    """Find nothing: the login source of a plain script, whose hosts carry their own username and password."""
    del record, credential_type, explicit
    return ()
