"""Everything that a run leaves in PostgreSQL and Redis, as bytes to look for secrets in."""

import zlib
from typing import Any

import zstandard
from redis import Redis

from app.core import database


def redis_bytes(redis: Redis) -> bytes:
    """Return everything in Redis, decompressed where it is compressed."""
    pieces: list[bytes] = []
    for key in redis.scan_iter():
        kind = redis.type(key)
        found: list[Any] = [key]
        if kind == b"hash":
            found += [piece for pair in redis.hgetall(key).items() for piece in pair]
        elif kind == b"string":
            found.append(redis.get(key))
        elif kind == b"list":
            found += redis.lrange(key, 0, -1)
        elif kind == b"set":
            found += redis.smembers(key)
        elif kind == b"zset":
            found += redis.zrange(key, 0, -1)
        elif kind == b"stream":
            found.append(repr(redis.xrange(key)).encode())
        pieces += [inflated(piece) for piece in found]
    return b"\n".join(pieces)


def inflated(piece: bytes) -> bytes:
    """Return a value with its plain form behind it."""
    try:
        return piece + zlib.decompress(piece)
    except zlib.error:
        return piece


async def table_bytes() -> dict[str, bytes]:
    """Return every table as text, blobs decompressed."""
    found = {}
    for row in await database.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
        rows = await database.fetch(f'SELECT * FROM "{row["tablename"]}"')
        found[row["tablename"]] = repr(rows).encode()
    for blob in await database.fetch("SELECT body FROM output_blobs"):
        found["output_blobs"] += zstandard.decompress(blob["body"])
    return found
