"""Passwords: what is accepted, and bcrypt in a thread so that the event loop goes on."""

import anyio.to_thread
import bcrypt

from app.core.errors import ValidationError

COST = 12
MIN_CHARS = 12
MAX_BYTES = 72
"""bcrypt reads no further; a longer password is refused, because cutting it would accept others in its place."""


def check_password(password: str) -> None:
    """Raise ValidationError unless a new password is acceptable."""
    if len(password) < MIN_CHARS:
        raise ValidationError.of("password", f"it has {len(password)} characters; {MIN_CHARS} are the least")
    size = len(password.encode())
    if size > MAX_BYTES:
        raise ValidationError.of("password", f"it has {size} bytes in UTF-8; {MAX_BYTES} are the most")
    if "\0" in password:
        raise ValidationError.of("password", "it holds a NUL character")


async def hash_password(password: str) -> str:
    """Return the bcrypt hash of a password; raises ValidationError when it is not acceptable."""
    check_password(password)
    hashed = await anyio.to_thread.run_sync(bcrypt.hashpw, password.encode(), bcrypt.gensalt(COST))
    return hashed.decode()


async def verify_password(password: str, hashed: str | None) -> bool:
    """Say whether a password is right; without a hash (no such user) it takes as long and is wrong."""
    given = password.encode()
    fits = len(given) <= MAX_BYTES and b"\0" not in given
    against = (hashed or _unmatchable()).encode()
    right = await anyio.to_thread.run_sync(bcrypt.checkpw, given if fits else b"", against)
    return right and fits and hashed is not None


def _unmatchable() -> str:
    """Return a well-formed hash that is no password's, to spend the same time on."""
    return bcrypt.gensalt(COST).decode() + "." * 31
