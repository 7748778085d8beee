"""Outputs at rest: small ones beside their result, large ones once, under their hash, compressed."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
import zstandard

from app.core import database

INLINE_BYTES = 64 * 1024
RENEW_MIN = 30
"""Outputs stored again after so long count as new; far less than retention's grace."""


class StoredOutput(msgspec.Struct, frozen=True):
    """A node's outputs ready to be written: inline JSON, or the hash of a blob and the blob itself."""

    inline: str | None
    hash: str | None = None
    size_bytes: int = 0
    blob: bytes = b""

    @property
    def weight(self) -> int:
        """Return about how many bytes of memory it takes."""
        return self.size_bytes + len(self.inline or "")


NO_OUTPUT = StoredOutput(None)


def storable(value: Any) -> str:
    """Encode a value as JSON that PostgreSQL can hold: what JSON cannot is written as text, and NUL as a mark."""
    return msgspec.json.encode(value, enc_hook=str).decode().replace("\\u0000", "\\ufffd")


def plain(value: Any) -> Any:
    """Return a value as it comes back from where it is stored."""
    return msgspec.json.decode(storable(value))


async def unpack(rows: Sequence[dict[str, Any]]) -> None:
    """Put into result rows, in place of stored ``outputs`` and ``output_hash``, what they are."""
    blobs = await load_blobs({row["output_hash"] for row in rows if row["output_hash"]})
    for row in rows:
        inline, stored = row["outputs"], row.pop("output_hash")
        row["outputs"] = msgspec.json.decode(inline) if inline else blobs.get(stored or "")


def pack(outputs: Mapping[str, Any] | None) -> StoredOutput:
    """Encode outputs; what JSON cannot hold is written as text."""
    if outputs is None:
        return NO_OUTPUT
    encoded = msgspec.json.encode(outputs, enc_hook=str)
    if len(encoded) <= INLINE_BYTES:
        return StoredOutput(encoded.decode().replace("\\u0000", "\\ufffd"))
    return StoredOutput(
        inline=None,
        hash=hashlib.sha256(encoded).hexdigest(),
        size_bytes=len(encoded),
        blob=zstandard.compress(encoded, 3),
    )


async def store_blobs(outputs: Collection[StoredOutput]) -> None:
    """Write the blobs that are not there yet, inside the caller's transaction.

    One that is there is locked until the commit, and renewed where it is old: retention must not take it away between
    this and the result that refers to it.
    """
    blobs = {output.hash: output for output in outputs if output.hash is not None}
    if blobs:
        await database.execute_many(
            "INSERT INTO output_blobs (hash, size_bytes, body, created_at) VALUES ($1, $2, $3, now()) "
            "ON CONFLICT (hash) DO UPDATE SET created_at = now() "
            "WHERE output_blobs.created_at < now() - make_interval(mins => $4)",
            [(key, blobs[key].size_bytes, blobs[key].blob, RENEW_MIN) for key in sorted(blobs)],
        )


async def load_blobs(hashes: Collection[str]) -> dict[str, Any]:
    """Return the outputs stored under some hashes."""
    if not hashes:
        return {}
    rows = await database.fetch("SELECT hash, body FROM output_blobs WHERE hash = ANY($1)", list(hashes))
    return {row["hash"]: msgspec.json.decode(zstandard.decompress(row["body"])) for row in rows}
