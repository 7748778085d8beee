"""The vault's keys in this process, and what seals and opens a credential's fields with them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from app.core import database
from app.core.crypto import DecryptionError, Keyring
from app.core.errors import ConfigurationError

BATCH = 200

_keyring: Keyring | None = None


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """What a rotation of the master key did; ``unreadable`` are the ids that no configured key opens."""

    resealed: int
    current: int
    unreadable: tuple[UUID, ...]


def configure(keyring: Keyring) -> None:
    """Give this process the vault's keys; every process that opens or seals credentials does so at its start."""
    global _keyring  # noqa: PLW0603 — one vault per process, opened once at its start
    _keyring = keyring


def keyring() -> Keyring:
    """Return the vault's keys; raises ConfigurationError where nobody configured any."""
    if _keyring is None:
        raise ConfigurationError(
            "The vault has no keys in this process. Set CREDENTIAL_MASTER_KEY "
            "(`opsconductor vault generate-key` makes one) and start again."
        )
    return _keyring


def seal(credential_id: UUID, credential_type: str, fields: Mapping[str, Any]) -> bytes:
    """Encrypt fields so that they open only as this credential's."""
    return keyring().encrypt(msgspec.json.encode(fields), context=_context(credential_id, credential_type))


def unseal(credential_id: UUID, credential_type: str, sealed: bytes) -> dict[str, Any]:
    """Decrypt a credential's fields; raises DecryptionError."""
    plaintext = keyring().decrypt(sealed, context=_context(credential_id, credential_type))
    fields: dict[str, Any] = msgspec.json.decode(plaintext)
    return fields


async def rotate_master_key(batch: int = BATCH) -> Rotation:
    """Seal every credential anew that another than the active key sealed.

    Safe while the service runs, and after having been cut off: each batch is a transaction of its own, and what
    is sealed with the active key already is passed over.
    """
    resealed = current = 0
    unreadable: list[UUID] = []
    last = UUID(int=0)
    while rows := await _rotate_batch(last, batch):
        last = rows[-1][0]
        resealed += sum(outcome == "resealed" for _, outcome in rows)
        current += sum(outcome == "current" for _, outcome in rows)
        unreadable += [credential_id for credential_id, outcome in rows if outcome == "unreadable"]
    return Rotation(resealed=resealed, current=current, unreadable=tuple(unreadable))


async def _rotate_batch(after: UUID, batch: int) -> list[tuple[UUID, str]]:
    async with database.transaction():
        rows = await database.fetch(
            "SELECT id, credential_type, sealed FROM credentials WHERE id > $1 AND deleted_at IS NULL "
            "ORDER BY id LIMIT $2 FOR UPDATE",
            after,
            batch,
        )
        outcomes = [(row["id"], *_reseal(row)) for row in rows]
        await database.execute_many(
            "UPDATE credentials SET sealed = $2 WHERE id = $1",
            [(credential_id, sealed) for credential_id, _, sealed in outcomes if sealed is not None],
        )
    return [(credential_id, outcome) for credential_id, outcome, _ in outcomes]


def _reseal(row: Mapping[str, Any]) -> tuple[str, bytes | None]:
    if keyring().is_current(row["sealed"]):
        return "current", None
    context = _context(row["id"], row["credential_type"])
    try:
        plaintext = keyring().decrypt(row["sealed"], context=context)
    except DecryptionError:
        return "unreadable", None
    return "resealed", keyring().encrypt(plaintext, context=context)


def _context(credential_id: UUID, credential_type: str) -> str:
    return f"{credential_id}:{credential_type}"
