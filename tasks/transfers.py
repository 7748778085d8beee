"""Connections to file servers: past the outbound guard, bounded in time, with one vocabulary of outcomes."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from nornir.core.task import Result

from tasks import dialing, outbound
from tasks.artifacts import normal_path
from tasks.context import NodeContext
from tasks.dialing import Line
from tasks.errors import NodeError, SessionError
from tasks.node import Handle, outcome

CONNECT_S = 15.0
BLOCK_BYTES = 32 * 1024
MOST_FILES = 10_000
Host = Annotated[str, Meta(min_length=1, max_length=255, description="The server's name or address.")]
Credential = Annotated[str, Meta(min_length=1, max_length=150)]
RemotePath = Annotated[str, Meta(min_length=1, max_length=4000, description="The path at the server.")]
LocalPath = Annotated[
    str,
    Meta(
        max_length=1000,
        description="The path among the execution's files; empty: the name at the end of the remote path.",
    ),
]
TimeoutS = Annotated[int, Meta(ge=1, le=3600, description="Seconds that all of it may take.")]
OUTPUTS = (
    Handle("files", "array", "list: what is there, each with path, size_bytes, modified_at, is_directory."),
    Handle("path", "string", "The file's path among the execution's files; null where none took part."),
    Handle("size_bytes", "number", "How many bytes were carried."),
    Handle("request", "object", "What would be done, in a dry run."),
)


class RemoteFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file at a server, as far as the server tells."""

    path: str
    size_bytes: int | None = None
    modified_at: str | None = None
    is_directory: bool = False


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a node is to do at a server: an operation, there, with a file of the execution or another path."""

    operation: str
    where: str
    remote_path: str
    other_path: str = ""

    def told(self) -> str:
        """Return it as the intent says it."""
        return " ".join(part for part in (self.operation, f"{self.where}:{self.remote_path}", self.other_path) if part)


def done(**outputs: Any) -> Result:
    """Return what a node found or carried; what does not apply is null."""
    return outcome({**dict.fromkeys(handle.name for handle in OUTPUTS), **outputs})


def foreseen(step: Step, **more: Any) -> Result:
    """Return what would be done."""
    request = {"operation": step.operation, "server": step.where, "path": step.remote_path}
    if step.other_path:
        request["other_path"] = step.other_path
    nothing: Mapping[str, Any] = dict.fromkeys(more)
    return done(request=request, **nothing)


def local_path(given: str, remote_path: str) -> str:
    """Return the path among the execution's files: the one given, else the name at the end of the remote path."""
    return normal_path(given or remote_path.rstrip("/").rpartition("/")[2])


def gather(context: NodeContext, where: str, blocks: Iterator[bytes]) -> bytes:
    """Return what comes in; raises NodeError of class upstream where it is too much, cancelled where it is to stop."""
    limit = context.artifacts.limits.file_bytes
    content = bytearray()
    for block in blocks:
        content += block
        if len(content) > limit:
            raise too_large(where, None, limit)
        if context.cancelled():
            raise NodeError("cancelled", f"Stopped while {where} was read.")
    return bytes(content)


def too_large(where: str, size_bytes: int | None, limit: int) -> NodeError:
    """Return the error of a file that is larger than a file of an execution may be."""
    size = f"has {size_bytes} bytes" if size_bytes is not None else f"has more than {limit} bytes"
    return NodeError("upstream", f"{where} {size}, and at most {limit} are taken. Raise ARTIFACT_FILE_BYTES for more.")


def require(present: str, parameter: str, operation: str) -> str:
    """Return a parameter that an operation needs; raises NodeError of class validation where it is empty."""
    if not present:
        raise NodeError("validation", f"{operation} needs {parameter}. Give one.")
    return present


@contextmanager
def reached(context: NodeContext, host: str, port: int, timeout_s: float) -> Iterator[Line]:
    """Lend an open line to a host that may be reached, cut when the time is over; raises NodeError."""
    line = _connected(context, host, port, timeout_s)
    alarm = threading.Timer(timeout_s, line.cut, ["read_timeout"])
    alarm.start()
    try:
        yield line
    finally:
        alarm.cancel()
        line.close()


def cut_error(line: Line, timeout_s: float) -> NodeError | None:
    """Return the error of a line that was cut, or None where it was not."""
    if line.cut_for is None:
        return None
    if line.cut_for == "read_timeout":
        return NodeError("read_timeout", f"{line} was not done within {timeout_s:g} s. Give it more time.")
    return line.cut_error()


def _connected(context: NodeContext, host: str, port: int, timeout_s: float) -> Line:
    """Connect to the first address of a host that takes the connection."""
    if context.cancelled():
        raise NodeError("cancelled", f"Stopped before {host} was reached.")
    addresses: Sequence[str] = outbound.permitted(host, port, context.outbound_allow, "host")
    for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        try:
            return dialing.dial(address, port, min(CONNECT_S, timeout_s) / len(addresses), host)
        except SessionError:
            if left == 1:
                raise
    raise NodeError("internal", f"{host} has no address to connect to.")
