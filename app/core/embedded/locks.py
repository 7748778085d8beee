"""File locks between the processes that share a state folder: whose turn it is, who lives, who still cares.

All are flock(2) locks: the kernel releases them when the last process with the file open ends.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAUSE_S = 0.02


@contextmanager
def turn(path: Path) -> Iterator[None]:
    """Wait until no other thread or process has this turn, and hold it."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def take_life(path: Path, *, wait_s: float) -> int | None:
    """Lock a life and return its descriptor for a new server, or None when ``wait_s`` was too short."""
    give_up_at = time.monotonic() + wait_s
    while True:
        descriptor = _open(path)
        if _locks(descriptor, fcntl.LOCK_EX):
            return descriptor
        os.close(descriptor)
        if time.monotonic() > give_up_at:
            return None
        time.sleep(PAUSE_S)


def lives(path: Path, *, wait_s: float = 0.0) -> bool:
    """Say whether a server still holds its life after ``wait_s`` seconds."""
    descriptor = take_life(path, wait_s=wait_s)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


class Ownership:
    """A share in a server that several processes may use; call while holding the server's turn."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Say whether this share was taken and not given back."""
        return self._descriptor is not None

    def take(self) -> None:
        """Take a share."""
        self._descriptor = _open(self._path)
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def give_back(self) -> bool:
        """Give the share back and say whether it was the last one."""
        if self._descriptor is None:
            return False
        os.close(self._descriptor)
        self._descriptor = None
        return not lives(self._path)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _locks(descriptor: int, operation: int) -> bool:
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
