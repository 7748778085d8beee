"""The node that carries files to and from FTP servers, over TLS or in the clear."""

import ftplib
import io
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Annotated, Any, Literal

from msgspec import Meta, to_builtins
from nornir.core.task import Result

from tasks.context import NodeContext
from tasks.dialing import Line
from tasks.errors import NodeError
from tasks.families import remote_file_node
from tasks.node import Params
from tasks.transfers import (
    BLOCK_BYTES,
    MOST_FILES,
    OUTPUTS,
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
)

READS = frozenset({"download", "list"})
BROKEN: tuple[type[Exception], ...] = (*ftplib.all_errors, ValueError)
"""What ftplib raises; ValueError is its word for an answer that it cannot read."""
NOT_KNOWN = ("500", "501", "502", "504")
ANONYMOUS = {"username": "anonymous", "password": "anonymous@"}


class FtpParams(Params, frozen=True, kw_only=True):
    """What is done where."""

    operation: Annotated[
        Literal["download", "upload", "list", "delete"], Meta(description="What to do with the remote path.")
    ] = "download"
    host: Host
    port: Annotated[int, Meta(ge=1, le=65535, description="The port of the server.")] = 21
    secure: Annotated[
        bool, Meta(description="Speak TLS (AUTH TLS), and trust only a certificate that is good for the host.")
    ] = True
    credential: Annotated[
        str | None, Meta(description="The credential to log in with, of type basic, by name or id; none: anonymous.")
    ] = None
    remote_path: RemotePath = "/"
    local_path: LocalPath = ""
    timeout: TimeoutS = 60


class _Plain(ftplib.FTP):
    """An FTP client on a line that is open already."""

    def begin(self, line: Line, host: str, timeout_s: float) -> None:
        """Take a line over and read the server's welcome."""
        assert line.socket is not None  # noqa: S101 — a line that was lent is open
        self.host, self.timeout, self.sock, self.af = host, timeout_s, line.socket, line.socket.family
        self.sock.settimeout(timeout_s)
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()


class _Secure(_Plain, ftplib.FTP_TLS):
    """One that speaks TLS, and takes up the control connection's session for data, as many servers demand."""

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        """Open a data connection."""
        opened, size = super(ftplib.FTP_TLS, self).ntransfercmd(cmd, rest)
        session = self.sock.session if isinstance(self.sock, ssl.SSLSocket) else None
        try:
            return self.context.wrap_socket(opened, server_hostname=self.host, session=session), size
        except BaseException:
            opened.close()
            raise


@remote_file_node("file:ftp", name="FTP", icon="folder-up", outputs=OUTPUTS)
def file_ftp(context: NodeContext, params: FtpParams) -> Result:
    """Download, upload, list or delete files at an FTP server.

    Files come from and go to the execution's files. Addresses that are not public are refused unless they are
    allowed. A dry run downloads and lists; what else would be done is told.
    """
    step = _step(params)
    if context.dry_run and params.operation not in READS:
        return foreseen(step)
    content = context.artifacts.read(step.other_path) if params.operation == "upload" else b""
    fields = context.credential(params.credential, "basic") if params.credential else ANONYMOUS
    with reached(context, params.host, params.port, params.timeout) as line:
        try:
            with _session(line, fields, params) as client:
                return _carry_out(context, line, client, step, content)
        except BROKEN as error:
            raise _explained(error, line, params, step) from error


def _step(params: FtpParams) -> Step:
    if not params.remote_path.isprintable():
        raise NodeError("validation", "remote_path holds a character that FTP cannot carry. Correct it.")
    carries = params.operation in {"download", "upload"}
    other = local_path(params.local_path, params.remote_path) if carries else ""
    where = f"{params.host}:{params.port}"
    return Step(operation=params.operation, where=where, remote_path=params.remote_path, other_path=other)


@contextmanager
def _session(line: Line, fields: Mapping[str, Any], params: FtpParams) -> Iterator[_Plain]:
    """Lend a session that is logged in; raises NodeError of class auth or host_key."""
    client = _Secure(context=ssl.create_default_context()) if params.secure else _Plain()
    try:
        client.begin(line, params.host, params.timeout)
        if isinstance(client, _Secure):
            _encrypt(line, client)
        _log_in(line, client, fields, params.credential or "none")
        yield client
        with suppress(*BROKEN):
            client.quit()
    finally:
        client.close()


def _encrypt(line: Line, client: _Secure) -> None:
    try:
        client.auth()
    except ftplib.error_perm as error:
        message = f"{line} offers no TLS: {error}. Correct the server, or set secure to false where that may be."
        raise NodeError("protocol", message) from error
    if client.sock is not None:
        line.hold(client.sock)


def _log_in(line: Line, client: _Plain, fields: Mapping[str, Any], credential: str) -> None:
    try:
        if isinstance(client, _Secure):
            client.login(fields["username"], fields["password"], secure=False)
            client.prot_p()
        else:
            client.login(fields["username"], fields["password"])
    except ftplib.error_perm as error:
        message = f"{line} refused the credential {credential} (user {fields['username']}): {error}. Correct it."
        raise NodeError("auth", message) from error


def _carry_out(context: NodeContext, line: Line, client: _Plain, step: Step, content: bytes) -> Result:
    path = step.remote_path
    match step.operation:
        case "list":
            return done(files=[to_builtins(found) for found in _listed(client, path)])
        case "download":
            received = gather(context, f"{path} at {step.where}", _blocks(line, client, path))
            context.artifacts.write(step.other_path, received)
            return done(path=step.other_path, size_bytes=len(received))
    context.before_change([step.told()])
    if step.operation == "delete":
        client.delete(path)
        return done()
    client.storbinary(f"STOR {path}", io.BytesIO(content), BLOCK_BYTES, lambda _: _go_on(context, line))
    return done(path=step.other_path, size_bytes=len(content))


def _blocks(line: Line, client: _Plain, path: str) -> Iterator[bytes]:
    client.voidcmd("TYPE I")
    with client.transfercmd(f"RETR {path}") as incoming:
        while block := incoming.recv(BLOCK_BYTES):
            if line.cut_for is not None:
                raise ConnectionAbortedError
            yield block
    client.voidresp()


def _go_on(context: NodeContext, line: Line) -> None:
    if line.cut_for is not None:
        raise ConnectionAbortedError
    if context.cancelled():
        raise NodeError("cancelled", "Stopped in the middle of the file.")


def _listed(client: _Plain, path: str) -> Iterator[RemoteFile]:
    try:
        entries = list(islice(client.mlsd(path), MOST_FILES))
    except ftplib.error_perm as error:
        if not str(error).startswith(NOT_KNOWN):
            raise
        for name in client.nlst(path)[:MOST_FILES]:
            yield RemoteFile(path=name if name.startswith("/") else f"{path.rstrip('/')}/{name}")
        return
    for name, facts in entries:
        if facts.get("type") not in {"cdir", "pdir"}:
            size = facts.get("size")
            yield RemoteFile(
                path=f"{path.rstrip('/')}/{name}",
                size_bytes=int(size) if size and size.isdigit() else None,
                modified_at=facts.get("modify"),
                is_directory=facts.get("type") == "dir",
            )


def _explained(error: Exception, line: Line, params: FtpParams, step: Step) -> NodeError:
    cut = cut_error(line, params.timeout)
    if cut is not None:
        return cut
    if isinstance(error, ssl.SSLError):
        reason = getattr(error, "verify_message", "") or error.reason or "no agreement"
        return NodeError("host_key", f"{line} has no trustworthy TLS: {reason}. Correct its certificate or the host.")
    if isinstance(error, TimeoutError):
        return NodeError("read_timeout", f"{line} did not answer within {params.timeout} s. Give it more time.")
    if isinstance(error, ftplib.error_perm | ftplib.error_temp):
        return NodeError("upstream", f"{line} refused to {step.operation} {step.remote_path}: {error}.")
    if isinstance(error, EOFError | OSError):
        return NodeError("connection_lost", f"{line} closed the connection. Try again, or look at the server.")
    return NodeError("protocol", f"{line} does not speak FTP as expected: {error}. Check the port.")
