"""Outputs on their way to a reader: piece by piece, redacted for those who may not see secrets."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from uuid import UUID

import anyio.lowlevel
import msgspec
import zstandard

from app.automation.executions.redaction import VERSION, JsonRedactor, redact
from app.automation.executions.results import REVEAL, require_execution
from app.core import database
from app.core.access import Principal
from app.core.errors import NotFoundError

PIECE_BYTES = 128 * 1024
EMPTY = "{}"


@dataclass(frozen=True, kw_only=True)
class StoredText:
    """The JSON of a result's outputs as it is stored: inline, or compressed."""

    inline: str = EMPTY
    compressed: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class OutputsReading:
    """A result's outputs, ready to be sent: a tag that changes with what the reader sees, and the JSON in pieces."""

    tag: str
    pieces: AsyncIterator[bytes]


async def open_outputs(execution_id: UUID, result_id: UUID, reader: Principal) -> OutputsReading:
    """Return a result's outputs whole, however large; in memory are the compressed form and one piece."""
    await require_execution(execution_id)
    row = await database.fetch_one(
        "SELECT outputs, output_hash FROM device_results WHERE id = $1 AND execution = $2", result_id, execution_id
    )
    if row is None:
        raise NotFoundError(f"The execution has no result {result_id}.", code="RESULT_NOT_FOUND")
    stored = await load(row)
    digest = row["output_hash"] or hashlib.sha256(stored.inline.encode()).hexdigest()
    reveals = reader.may(REVEAL)
    return OutputsReading(tag=digest if reveals else f"{digest}-{VERSION}", pieces=pieces(stored, reveals=reveals))


async def load(row: Mapping[str, Any]) -> StoredText:
    """Return the stored outputs of a result's row (``outputs`` as JSON text, ``output_hash``)."""
    if row["output_hash"] is None:
        return StoredText(inline=row["outputs"] or EMPTY)
    blob = await database.fetch_one("SELECT body FROM output_blobs WHERE hash = $1", row["output_hash"])
    if blob is None:
        raise NotFoundError(f"The outputs {row['output_hash']} are not stored any more.", code="OUTPUTS_NOT_FOUND")
    return StoredText(compressed=blob["body"])


async def pieces(stored: StoredText, *, reveals: bool) -> AsyncIterator[bytes]:
    """Yield outputs as JSON in pieces; between them others have their turn."""
    if stored.compressed is None:
        yield stored.inline.encode() if reveals else msgspec.json.encode(redact(msgspec.json.decode(stored.inline)))
        return
    redactor = None if reveals else JsonRedactor()
    with zstandard.ZstdDecompressor().stream_reader(BytesIO(stored.compressed)) as source:
        while piece := source.read(PIECE_BYTES):
            shown = piece if redactor is None else redactor.feed(piece)
            if shown:
                yield shown
            await anyio.lowlevel.checkpoint()
