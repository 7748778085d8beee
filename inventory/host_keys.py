"""Host keys: what devices show of themselves, what is known of it, and where that is kept."""

import base64
import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

from inventory.records import HostRecord

HostKeyPolicy = Literal["tofu", "strict", "off"]
"""``tofu`` takes the first key of a host and no other from then on; ``strict`` only known ones; ``off`` any."""


class ShownKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that a host showed at an address and a port: ``public_key`` is its blob in base64."""

    address: str
    port: int
    key_type: str
    public_key: str

    @property
    def fingerprint(self) -> str:
        """Return its SHA-256 fingerprint as OpenSSH writes it; raises ValueError where it is no base64."""
        digest = hashlib.sha256(base64.b64decode(self.public_key, validate=True)).digest()
        return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


class KnownKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that a host is known by."""

    key_type: str
    fingerprint: str
    since: str = ""
    """The day it was first seen, as far as that is known."""


class HostKeySource(Protocol):
    """Knows the keys of hosts, and learns new ones; asked by several threads at once."""

    policy: HostKeyPolicy

    def known(self, record: HostRecord) -> Sequence[KnownKey]:
        """Return the keys that a host is known by."""

    def saw(self, record: HostRecord, key: ShownKey) -> None:
        """Note that a host showed a key that it is known by."""

    def learn(self, record: HostRecord, key: ShownKey) -> Sequence[KnownKey]:
        """Keep the first key of a host, unless it is known by another one meanwhile; return what it is known by."""


@dataclass(frozen=True)
class HostKeys:
    """What a source knows of one host."""

    source: HostKeySource
    record: HostRecord

    @property
    def policy(self) -> HostKeyPolicy:
        """Return which keys may be taken."""
        return self.source.policy

    def known(self) -> Sequence[KnownKey]:
        """Return the keys that the host is known by."""
        return self.source.known(self.record)

    def saw(self, address: str, port: int, key_type: str, public_key: str) -> None:
        """Note that the host showed a key that it is known by."""
        self.source.saw(self.record, _shown(address, port, key_type, public_key))

    def learn(self, address: str, port: int, key_type: str, public_key: str) -> Sequence[KnownKey]:
        """Keep the first key of the host; return what it is known by then."""
        return self.source.learn(self.record, _shown(address, port, key_type, public_key))

    def where_to_mend(self) -> str:
        """Return where a key is forgotten or accepted."""
        return f"/inventory/v1/devices/{self.record.id}/host-keys" if self.record.id else "the inventory"


class MemoryHostKeys:
    """The host keys of a plain script: trusted at first use, and forgotten with the process."""

    def __init__(self, policy: HostKeyPolicy = "tofu") -> None:
        self.policy = policy
        self._known: dict[str, KnownKey] = {}
        self._lock = threading.Lock()

    def known(self, record: HostRecord) -> Sequence[KnownKey]:
        """Return the key that a host is known by, if it was seen before."""
        with self._lock:
            found = self._known.get(record.key)
        return [found] if found else []

    def saw(self, record: HostRecord, key: ShownKey) -> None:
        """Note nothing: nobody asks."""

    def learn(self, record: HostRecord, key: ShownKey) -> Sequence[KnownKey]:
        """Keep the first key of a host."""
        seen = KnownKey(key_type=key.key_type, fingerprint=key.fingerprint)
        with self._lock:
            return [self._known.setdefault(record.key, seen)]


def _shown(address: str, port: int, key_type: str, public_key: str) -> ShownKey:
    return ShownKey(address=address, port=port, key_type=key_type, public_key=public_key)
