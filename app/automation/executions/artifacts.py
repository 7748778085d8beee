"""Files of executions in PostgreSQL: in chunks that are kept once per execution, under their hash, compressed."""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import zstandard
from anyio import to_thread

from app.automation.executions.redaction import redact
from app.automation.executions.tables import Artifact as ArtifactRow
from app.automation.executions.tables import Execution
from app.core import database
from app.core.access import Principal
from app.core.clock import uuid7
from app.core.errors import NotFoundError
from app.core.paging import Ordering, Page, PageRequest, read_page
from tasks.artifacts import NAMED, Artifact, Limits, WriteMode, artifact_of, exists_already, not_there
from tasks.errors import NodeError

CHUNK_BYTES = 1024 * 1024
INSERT_BATCH = 8
REVEAL = "credentials.credential.reveal"
ORDERING = Ordering(
    columns={"path": ArtifactRow.path, "size_bytes": ArtifactRow.size_bytes, "updated_at": ArtifactRow.updated_at},
    key=ArtifactRow.id,
    default="path",
)


@dataclass(frozen=True, kw_only=True)
class Writing:
    """What is to be written where, by which node."""

    execution_id: UUID
    node_id: str
    path: str
    content: bytes
    mode: WriteMode


async def list_artifacts(execution_id: UUID, request: PageRequest) -> Page[dict[str, Any]]:
    """Return one page of an execution's files; raises NotFoundError where there is no such execution."""
    if not await Execution.exists().where(Execution.id == execution_id):
        raise NotFoundError(f"There is no execution {execution_id}.", code="EXECUTION_NOT_FOUND")
    return await read_page(ArtifactRow, request, ORDERING, ArtifactRow.execution == execution_id)


async def open_artifact(execution_id: UUID, path: str, reader: Principal) -> AsyncIterator[bytes]:
    """Return a file's content piece by piece, as the reader may see it; raises NotFoundError."""
    row = await _find(execution_id, path.lstrip("/"))
    if row is None:
        raise NotFoundError(f"The execution has no file {path.lstrip('/')!r}.", code="ARTIFACT_NOT_FOUND")
    pieces = _pieces(execution_id, row["chunks"])
    return pieces if reader.may(REVEAL) else _redacted(pieces)


async def read(execution_id: UUID, path: str) -> bytes:
    """Return a file's content; raises NodeError of class validation where there is no such file."""
    row = await _find(execution_id, path)
    if row is None:
        raise await _missing(execution_id, path)
    return b"".join([piece async for piece in _pieces(execution_id, row["chunks"])])


async def write(writing: Writing, limits: Limits) -> Artifact:
    """Write a file, and drop what no file of the execution holds any more; raises NodeError of class validation."""
    limits.check(writing.path, len(writing.content), 0)
    async with database.transaction():
        await _lock(writing.execution_id)
        before = await _find(writing.execution_id, writing.path)
        if before is not None and writing.mode == "create_only":
            raise exists_already(writing.path)
        content = writing.content
        if before is not None and writing.mode == "append":
            limits.check(writing.path, before["size_bytes"] + len(content), 0)
            content = await read(writing.execution_id, writing.path) + content
        limits.check(writing.path, len(content), await _others_bytes(writing))
        artifact = await _store(writing, content)
        if before is not None:
            await _drop_unused(writing.execution_id)
    return artifact


async def list_files(execution_id: UUID, prefix: str) -> Sequence[Artifact]:
    """Return the files whose paths begin with a text, by path."""
    rows = await database.fetch(
        "SELECT path, size_bytes, content_hash FROM artifacts WHERE execution = $1 AND starts_with(path, $2) "
        'ORDER BY path COLLATE "C"',
        execution_id,
        prefix,
    )
    return [Artifact(**row) for row in rows]


async def delete(execution_id: UUID, path: str) -> None:
    """Delete a file; raises NodeError of class validation where there is none."""
    async with database.transaction():
        await _lock(execution_id)
        deleted = await database.execute("DELETE FROM artifacts WHERE execution = $1 AND path = $2", execution_id, path)
        if not deleted:
            raise await _missing(execution_id, path)
        await _drop_unused(execution_id)


async def _lock(execution_id: UUID) -> None:
    """Let one writer at a time at an execution's files, without holding up its results."""
    await database.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"artifacts:{execution_id}")


async def _find(execution_id: UUID, path: str) -> dict[str, Any] | None:
    return await database.fetch_one(
        "SELECT size_bytes, chunks FROM artifacts WHERE execution = $1 AND path = $2", execution_id, path
    )


async def _missing(execution_id: UUID, path: str) -> NodeError:
    rows = await database.fetch(
        "SELECT path FROM artifacts WHERE execution = $1 ORDER BY path LIMIT $2", execution_id, NAMED + 1
    )
    return not_there(path, [row["path"] for row in rows])


async def _others_bytes(writing: Writing) -> int:
    row = await database.fetch_one(
        "SELECT coalesce(sum(size_bytes), 0)::bigint AS total FROM artifacts WHERE execution = $1 AND path <> $2",
        writing.execution_id,
        writing.path,
    )
    return 0 if row is None else int(row["total"])


async def _store(writing: Writing, content: bytes) -> Artifact:
    pieces = [content[start : start + CHUNK_BYTES] for start in range(0, len(content), CHUNK_BYTES)]
    artifact = await to_thread.run_sync(artifact_of, writing.path, content)
    hashes = await to_thread.run_sync(lambda: [hashlib.sha256(piece).hexdigest() for piece in pieces])
    await _insert_missing(writing.execution_id, dict(zip(hashes, pieces, strict=True)))
    await database.execute(
        """
        INSERT INTO artifacts (id, execution, path, size_bytes, content_hash, chunks, node_id, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, now(), now())
        ON CONFLICT ON CONSTRAINT artifacts_path_uq DO UPDATE SET size_bytes = excluded.size_bytes,
            content_hash = excluded.content_hash, chunks = excluded.chunks, node_id = excluded.node_id,
            updated_at = now()
        """,
        uuid7(),
        writing.execution_id,
        writing.path,
        len(content),
        artifact.content_hash,
        hashes,
        writing.node_id,
    )
    return artifact


async def _insert_missing(execution_id: UUID, pieces: Mapping[str, bytes]) -> None:
    rows = await database.fetch(
        "SELECT hash FROM artifact_chunks WHERE execution = $1 AND hash = ANY($2)", execution_id, list(pieces)
    )
    missing = sorted(pieces.keys() - {row["hash"] for row in rows})
    for start in range(0, len(missing), INSERT_BATCH):
        batch = missing[start : start + INSERT_BATCH]
        bodies = await to_thread.run_sync(lambda keys: [zstandard.compress(pieces[key], 3) for key in keys], batch)
        await database.execute_many(
            "INSERT INTO artifact_chunks (id, execution, hash, body) VALUES ($1, $2, $3, $4)",
            [(uuid7(), execution_id, key, body) for key, body in zip(batch, bodies, strict=True)],
        )


async def _drop_unused(execution_id: UUID) -> None:
    await database.execute(
        """
        DELETE FROM artifact_chunks WHERE execution = $1
            AND hash NOT IN (SELECT unnest(chunks) FROM artifacts WHERE execution = $1)
        """,
        execution_id,
    )


async def _pieces(execution_id: UUID, hashes: Sequence[str]) -> AsyncIterator[bytes]:
    """Yield the chunks in their order, one at a time."""
    for key in hashes:
        row = await database.fetch_one(
            "SELECT body FROM artifact_chunks WHERE execution = $1 AND hash = $2", execution_id, key
        )
        if row is None:
            raise NotFoundError("The file was overwritten or deleted meanwhile. Ask again.", code="ARTIFACT_NOT_FOUND")
        yield await to_thread.run_sync(zstandard.decompress, row["body"])


async def _redacted(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield a text line by line without what looks like a device's secret; what is no text as it is."""
    rest, is_text = b"", True
    async for piece in pieces:
        is_text = is_text and b"\x00" not in piece
        whole, newline, rest = (rest + piece).rpartition(b"\n") if is_text else (rest + piece, b"", b"")
        if len(rest) > CHUNK_BYTES:
            whole, newline, rest = whole + newline + rest, b"", b""
        yield await to_thread.run_sync(_without_secrets, whole + newline) if is_text else whole
    if rest:
        yield _without_secrets(rest)


def _without_secrets(text: bytes) -> bytes:
    return str(redact(text.decode("latin-1"))).encode("latin-1")
