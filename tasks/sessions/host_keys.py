"""Whether a device is the one it was before: its host key, looked at before anything secret is sent."""

import base64
import hashlib
from collections.abc import Sequence
from typing import Any, Protocol

import paramiko
from nornir.core.inventory import Host

from tasks.dialing import Line
from tasks.errors import SessionError

RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")
"""The algorithms that one RSA key may sign with, the best first."""


class KnownKey(Protocol):
    """A key that a host is known by."""

    @property
    def key_type(self) -> str:
        """Return the kind, such as ssh-ed25519."""

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 fingerprint as OpenSSH writes it."""

    @property
    def since(self) -> str:
        """Return the day it was first seen, or nothing."""


class HostKeys(Protocol):
    """What a host of the service offers: its known keys, and the way to learn one."""

    @property
    def policy(self) -> str:
        """Return tofu, strict or off."""

    def known(self) -> Sequence[KnownKey]:
        """Return the keys that the host is known by."""

    def saw(self, address: str, port: int, key_type: str, public_key: str) -> None:
        """Note that the host showed a key that it is known by."""

    def learn(self, address: str, port: int, key_type: str, public_key: str) -> Sequence[KnownKey]:
        """Keep the first key of the host; return what it is known by then."""

    def where_to_mend(self) -> str:
        """Return where a key is forgotten or accepted."""


class Check(paramiko.MissingHostKeyPolicy):
    """The check of one login, for either transport; a host that keeps no keys is let through."""

    def __init__(self, host: Host, line: Line) -> None:
        self._line = line
        keys = getattr(host, "host_keys", None)
        self._keys: HostKeys | None = keys if keys is not None and keys.policy != "off" else None
        self._known = list(self._keys.known()) if self._keys is not None else []

    def preferred(self, offered: Sequence[str]) -> list[str]:
        """Return the algorithms of host keys, those of known keys first, so that a device shows one of them."""
        wanted = [name for known in self._known for name in _algorithms(known.key_type) if name in offered]
        return [*dict.fromkeys(wanted), *(name for name in offered if name not in wanted)]

    def missing_host_key(self, client: Any, hostname: str, key: paramiko.PKey) -> None:
        """Look at a key that paramiko was shown."""
        del client, hostname
        self.look_at(key.get_name(), key.asbytes())

    def look_at(self, key_type: str, blob: bytes) -> None:
        """Take a key or raise SessionError of class host_key; nothing secret has been sent then."""
        if self._keys is None:
            return
        line, fingerprint = self._line, fingerprint_of(blob)
        shown = (line.address, line.port, key_type, base64.b64encode(blob).decode())
        if any(known.fingerprint == fingerprint for known in self._known):
            self._keys.saw(*shown)
            return
        if not self._known and self._keys.policy == "tofu":
            self._known = list(self._keys.learn(*shown))
            if any(known.fingerprint == fingerprint for known in self._known):
                return
        raise SessionError("host_key", self._refusal(key_type, fingerprint, self._keys.where_to_mend()))

    def _refusal(self, key_type: str, fingerprint: str, place: str) -> str:
        if not self._known:
            return (
                f"{self._line} shows the host key {fingerprint} ({key_type}), and only known keys are taken "
                f"(HOST_KEYS=strict). Nothing was sent. Compare it with the device's own, then accept it: POST {place}."
            )
        known = ", ".join(
            f"{key.fingerprint} ({key.key_type}{f', since {key.since}' if key.since else ''})" for key in self._known
        )
        return (
            f"{self._line} shows the host key {fingerprint} ({key_type}), and it is known by {known}. Nothing was "
            f"sent. Make sure that it is the device; if its key was changed on purpose, accept the new one, or forget "
            f"the old one: {place}."
        )


def fingerprint_of(blob: bytes) -> str:
    """Return the SHA-256 fingerprint of a public key, as OpenSSH writes it."""
    return f"SHA256:{base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip('=')}"


def _algorithms(key_type: str) -> tuple[str, ...]:
    return RSA_SIGNATURES if key_type in RSA_SIGNATURES else (key_type,)
