"""The files of an execution: how nodes read and write them, and where a plain script keeps them."""

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from tasks.errors import NodeError

WriteMode = Literal["overwrite", "append", "create_only"]
WRITE_MODES: tuple[str, ...] = get_args(WriteMode)
LONGEST_PATH = 255
LARGEST_FILE_BYTES = 64 * 1024 * 1024
LARGEST_TOTAL_BYTES = 512 * 1024 * 1024
NAMED = 10
"""How many of the files there are a message names."""


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A file of an execution; ``content_hash`` is the SHA-256 of its content."""

    path: str
    size_bytes: int
    content_hash: str


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How large a file may be, and all files of an execution together."""

    file_bytes: int = LARGEST_FILE_BYTES
    total_bytes: int = LARGEST_TOTAL_BYTES

    def check(self, path: str, size_bytes: int, others_bytes: int) -> None:
        """Raise NodeError of class validation where a file would be too large, or make its execution so."""
        if size_bytes > self.file_bytes:
            message = f"{path} would have {size_bytes} bytes, and a file may have {self.file_bytes}. Write less."
            raise NodeError("validation", message)
        if others_bytes + size_bytes > self.total_bytes:
            message = (
                f"With {path} the execution's files would have {others_bytes + size_bytes} bytes, and "
                f"{self.total_bytes} are allowed. Delete some, or write less."
            )
            raise NodeError("validation", message)


class Artifacts(Protocol):
    """The files of one execution; every path is taken as ``normal_path`` returns it."""

    @property
    def limits(self) -> Limits:
        """Return how large they may be."""

    def read(self, path: str) -> bytes:
        """Return a file's content; raises NodeError of class validation where there is no such file."""

    def write(self, path: str, content: bytes, mode: WriteMode = "overwrite") -> Artifact:
        """Write a file whole, behind its end, or only where there is none yet; raises NodeError of class validation."""

    def list(self, prefix: str = "") -> Sequence[Artifact]:
        """Return the files whose paths begin with a text, by path."""

    def delete(self, path: str) -> None:
        """Delete a file; raises NodeError of class validation where there is none."""


class MemoryArtifacts:
    """Files in memory, as a plain script has them."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._files: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def read(self, path: str) -> bytes:
        """Return a file's content; raises NodeError of class validation where there is no such file."""
        with self._lock:
            return self._found(normal_path(path))

    def write(self, path: str, content: bytes, mode: WriteMode = "overwrite") -> Artifact:
        """Write a file whole, behind its end, or only where there is none yet; raises NodeError of class validation."""
        name = normal_path(path)
        with self._lock:
            before = self._files.get(name)
            if mode == "create_only" and before is not None:
                raise exists_already(name)
            whole = (before or b"") + content if mode == "append" else content
            others_bytes = sum(len(body) for key, body in self._files.items() if key != name)
            self.limits.check(name, len(whole), others_bytes)
            self._files[name] = whole
        return artifact_of(name, whole)

    def list(self, prefix: str = "") -> Sequence[Artifact]:
        """Return the files whose paths begin with a text, by path."""
        with self._lock:
            found = sorted(item for item in self._files.items() if item[0].startswith(prefix))
        return [artifact_of(path, content) for path, content in found]

    def delete(self, path: str) -> None:
        """Delete a file; raises NodeError of class validation where there is none."""
        name = normal_path(path)
        with self._lock:
            self._found(name)
            del self._files[name]

    def _found(self, path: str) -> bytes:
        if path not in self._files:
            raise not_there(path, sorted(self._files))
        return self._files[path]


def artifact_of(path: str, content: bytes) -> Artifact:
    """Describe a file."""
    return Artifact(path=path, size_bytes=len(content), content_hash=hashlib.sha256(content).hexdigest())


def normal_path(path: str) -> str:
    """Return a relative path without empty parts and ``.``; raises NodeError of class validation for any other."""
    if path.startswith("/") or "\\" in path:
        raise _bad_path(path, "it must be relative, its parts divided by /")
    if any(not character.isprintable() for character in path):
        raise _bad_path(path, "it holds a character that cannot be shown")
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise _bad_path(path, ".. leads out of the execution's files")
    if not parts:
        raise _bad_path(path, "it names no file")
    normal = "/".join(parts)
    if len(normal) > LONGEST_PATH:
        raise _bad_path(f"{normal[:40]}…", f"it is longer than {LONGEST_PATH} characters")
    return normal


def not_there(path: str, known: Sequence[str]) -> NodeError:
    """Return the error of a file that is not there, naming some that are."""
    named = ", ".join(known[:NAMED]) + (", …" if len(known) > NAMED else "")
    return NodeError("validation", f"The execution has no file {path}; it has {named or 'none'}. Correct the path.")


def exists_already(path: str) -> NodeError:
    """Return the error of a file that was to be created and is there."""
    return NodeError("validation", f"The execution has a file {path} already. Choose another path, or overwrite it.")


def _bad_path(path: str, reason: str) -> NodeError:
    return NodeError("validation", f"{path!r} is no path of a file: {reason}. Write one like reports/today.csv.")
