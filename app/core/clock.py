"""Time and identity: aware UTC times and UUIDs that sort by the time they were made."""

import os
import time
from datetime import UTC, datetime
from uuid import UUID


def now() -> datetime:
    """Return the present as an aware UTC datetime."""
    return datetime.now(UTC)


def uuid7() -> UUID:
    """Return a UUIDv7: 48 bits of Unix milliseconds, then 74 random bits (RFC 9562, 5.7)."""
    unix_ms = time.time_ns() // 1_000_000
    value = (unix_ms & ((1 << 48) - 1)) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)
