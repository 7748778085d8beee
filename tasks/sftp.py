"""The node that carries files to and from SFTP servers."""

import hmac
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from stat import S_ISDIR
from typing import Annotated, Any, Literal

import paramiko
from msgspec import Meta, to_builtins
from nornir.core.task import Result

from tasks.context import NodeContext
from tasks.dialing import Line
from tasks.errors import NodeError
from tasks.families import remote_file_node
from tasks.keys import read_private_key
from tasks.node import Handle, Params
from tasks.transfers import (
    BLOCK_BYTES,
    MOST_FILES,
    OUTPUTS,
    Credential,
    Host,
    LocalPath,
    RemoteFile,
    RemotePath,
    Step,
    TimeoutS,
    cut_error,
    done,
    foreseen,
    gather,
    local_path,
    reached,
    require,
    too_large,
)

READS = frozenset({"download", "list"})
FINGERPRINT = "SHA256:"
BROKEN = (paramiko.SSHException, OSError, EOFError)
"""What paramiko raises when a connection breaks, or a server refuses something."""

logging.getLogger("paramiko").setLevel(logging.CRITICAL)


class SftpParams(Params, frozen=True, kw_only=True):
    """What is done where."""

    operation: Annotated[
        Literal["download", "upload", "list", "delete", "rename"], Meta(description="What to do with the remote path.")
    ] = "download"
    host: Host
    port: Annotated[int, Meta(ge=1, le=65535, description="The port of the server.")] = 22
    credential: Annotated[Credential, Meta(description="The credential to log in with, of type ssh, by name or id.")]
    host_key_fingerprint: Annotated[
        str,
        Meta(
            max_length=100,
            description="The SHA-256 fingerprint that the server's key must have, as ssh-keygen -l shows it; empty: "
            "any key is taken, and its fingerprint told.",
        ),
    ] = ""
    remote_path: RemotePath = "/"
    local_path: LocalPath = ""
    new_path: Annotated[str, Meta(max_length=4000, description="rename: what the remote path is called then.")] = ""
    timeout: TimeoutS = 60


@remote_file_node(
    "file:sftp",
    name="SFTP",
    icon="folder-sync",
    prerequisites=("credential:ssh",),
    outputs=(*OUTPUTS, Handle("host_key_fingerprint", "string", "The SHA-256 fingerprint of the server's key.")),
)
def file_sftp(context: NodeContext, params: SftpParams) -> Result:
    """Download, upload, list, delete or rename files at an SFTP server.

    Files come from and go to the execution's files. Addresses that are not public are refused unless they are
    allowed. A dry run downloads and lists; what else would be done is told.
    """
    step = _step(params)
    if context.dry_run and params.operation not in READS:
        return foreseen(step, host_key_fingerprint=None)
    content = context.artifacts.read(step.other_path) if params.operation == "upload" else b""
    fields = context.credential(params.credential, "ssh")
    with reached(context, params.host, params.port, params.timeout) as line:
        try:
            with _session(line, fields, params) as (client, fingerprint):
                result = _carry_out(context, client, step, content)
        except BROKEN as error:
            raise _explained(error, line, params, step) from error
    result.result["host_key_fingerprint"] = fingerprint
    return result


def _step(params: SftpParams) -> Step:
    other = ""
    if params.operation in {"download", "upload"}:
        other = local_path(params.local_path, params.remote_path)
    elif params.operation == "rename":
        other = require(params.new_path, "new_path", "rename")
    where = f"{params.host}:{params.port}"
    return Step(operation=params.operation, where=where, remote_path=params.remote_path, other_path=other)


@contextmanager
def _session(line: Line, fields: Mapping[str, Any], params: SftpParams) -> Iterator[tuple[paramiko.SFTPClient, str]]:
    """Lend an SFTP session and the fingerprint of the server's key; raises NodeError of class host_key or auth."""
    assert line.socket is not None  # noqa: S101 — a line that was lent is open
    transport = paramiko.Transport(line.socket)
    transport.banner_timeout = transport.auth_timeout = params.timeout
    try:
        transport.start_client(timeout=params.timeout)
        fingerprint = _checked_key(line, transport.get_remote_server_key(), params.host_key_fingerprint)
        _log_in(line, transport, fields, params.credential)
        client = paramiko.SFTPClient.from_transport(transport)
        if client is None:
            raise NodeError("protocol", f"{line} offers no SFTP. Check the server.")
        yield client, fingerprint
    finally:
        transport.close()


def _checked_key(line: Line, key: paramiko.PKey, wanted: str) -> str:
    fingerprint = str(key.fingerprint)
    expected = f"{FINGERPRINT}{wanted.strip().removeprefix(FINGERPRINT).rstrip('=')}"
    if wanted and not hmac.compare_digest(fingerprint.encode(), expected.encode()):
        message = (
            f"{line} shows a key with the fingerprint {fingerprint}, and {expected} is expected. Nothing was sent: "
            "make sure that it is the server."
        )
        raise NodeError("host_key", message)
    return fingerprint


def _log_in(line: Line, transport: paramiko.Transport, fields: Mapping[str, Any], credential: str) -> None:
    try:
        if fields.get("private_key"):
            key = read_private_key(fields["private_key"], fields.get("passphrase"), credential)
            transport.auth_publickey(fields["username"], key)
        else:
            transport.auth_password(fields["username"], fields["password"])
    except paramiko.AuthenticationException as error:
        if line.cut_for is not None:
            raise
        message = f"{line} refused the credential {credential} (user {fields['username']}). Correct it."
        raise NodeError("auth", message) from error
    if not transport.is_authenticated():
        raise NodeError("auth", f"{line} asks for more than the credential {credential} holds. Choose another one.")


def _carry_out(context: NodeContext, client: paramiko.SFTPClient, step: Step, content: bytes) -> Result:
    path = step.remote_path
    match step.operation:
        case "list":
            return done(files=[to_builtins(found) for found in _listed(client, path)])
        case "download":
            received = _downloaded(context, client, step)
            context.artifacts.write(step.other_path, received)
            return done(path=step.other_path, size_bytes=len(received))
    context.before_change([step.told()])
    match step.operation:
        case "upload":
            _upload(context, client, path, content)
            return done(path=step.other_path, size_bytes=len(content))
        case "delete":
            client.remove(path)
        case _:
            client.rename(path, step.other_path)
    return done()


def _listed(client: paramiko.SFTPClient, path: str) -> Iterator[RemoteFile]:
    for entry in islice(client.listdir_iter(path), MOST_FILES):
        modified = datetime.fromtimestamp(entry.st_mtime, UTC).isoformat() if entry.st_mtime else None
        yield RemoteFile(
            path=f"{path.rstrip('/')}/{entry.filename}",
            size_bytes=entry.st_size,
            modified_at=modified,
            is_directory=S_ISDIR(entry.st_mode or 0),
        )


def _downloaded(context: NodeContext, client: paramiko.SFTPClient, step: Step) -> bytes:
    size_bytes, limit = client.stat(step.remote_path).st_size, context.artifacts.limits.file_bytes
    where = f"{step.remote_path} at {step.where}"
    if size_bytes is not None and size_bytes > limit:
        raise too_large(where, size_bytes, limit)
    with client.open(step.remote_path, "rb") as remote:
        remote.prefetch(size_bytes)
        return gather(context, where, iter(lambda: remote.read(BLOCK_BYTES), b""))


def _upload(context: NodeContext, client: paramiko.SFTPClient, path: str, content: bytes) -> None:
    with client.open(path, "wb") as remote:
        remote.set_pipelined(True)
        for start in range(0, len(content), BLOCK_BYTES):
            if context.cancelled():
                raise NodeError("cancelled", f"Stopped after {start} of {len(content)} bytes of {path}.")
            remote.write(content[start : start + BLOCK_BYTES])
    arrived = client.stat(path).st_size
    if arrived != len(content):
        raise NodeError("upstream", f"Of {len(content)} bytes of {path} {arrived} arrived. Look at the server's disk.")


def _explained(error: Exception, line: Line, params: SftpParams, step: Step) -> NodeError:
    cut = cut_error(line, params.timeout)
    if cut is not None:
        return cut
    if isinstance(error, TimeoutError):
        return NodeError("read_timeout", f"{line} did not answer in time. Give it more time, or look at the server.")
    if isinstance(error, EOFError | ConnectionError) or "closed" in str(error).lower():
        return NodeError("connection_lost", f"{line} closed the connection. Try again, or look at the server.")
    if isinstance(error, OSError):
        reason = error.strerror or str(error) or type(error).__name__
        return NodeError("upstream", f"{line} refused to {step.operation} {step.remote_path}: {reason}.")
    return NodeError("protocol", f"{line} does not speak SFTP as expected: {error}. Check the port.")
