"""file:sftp against a real SFTP server on loopback."""

import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nornir.core.task import Result

from tasks.artifacts import Limits, MemoryArtifacts
from tasks.context import NodeContext
from tasks.errors import NodeError
from tasks.sftp import SftpParams, file_sftp
from tests.support.node_lab import error_class
from tests.support.sftp_server import PASSWORD, USER, SftpServer, sftp_server

LOGIN = {"username": USER, "password": PASSWORD}


class Carrier:
    """Runs the node as the engine does, and keeps the intents it told."""

    def __init__(self, port: int, fields: Mapping[str, Any] = LOGIN, **more: Any) -> None:
        self.intents: list[str] = []
        self.files = MemoryArtifacts(Limits(file_bytes=200_000))
        self.port = port
        given = {"outbound_allow": ("127.0.0.0/8",), "artifacts": self.files, **more}
        self.context = NodeContext(credential=lambda *_: fields, before_change=self.intents.extend, **given)

    def run(self, operation: str, **params: Any) -> Result:
        """Run the node."""
        given = {"host": "127.0.0.1", "port": self.port, "credential": "c", "operation": operation, **params}
        try:
            result: Result = file_sftp(self.context, params=msgspec.convert(given, SftpParams))
        except NodeError as error:
            return Result(host=None, failed=True, exception=error)
        return result


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SftpServer]:
    with sftp_server(tmp_path) as running:
        yield running


def test_a_file_is_downloaded_and_the_key_is_told(server: SftpServer) -> None:
    content = bytes(range(256)) * 600
    (server.folder / "running.cfg").write_bytes(content)
    carrier = Carrier(server.port)
    result = carrier.run("download", remote_path="/running.cfg", local_path="backup/sw1.cfg")
    assert not result.failed, result.exception
    assert result.result["host_key_fingerprint"] == server.fingerprint
    assert (result.result["path"], result.result["size_bytes"]) == ("backup/sw1.cfg", len(content))
    assert carrier.files.read("backup/sw1.cfg") == content
    assert carrier.intents == []


@pytest.mark.parametrize("content", [b"", b"hello", bytes(100_000)])
def test_a_file_is_uploaded_after_it_was_told(server: SftpServer, content: bytes) -> None:
    carrier = Carrier(server.port)
    carrier.files.write("image.bin", content)
    result = carrier.run("upload", remote_path="/image.bin")
    assert not result.failed, result.exception
    assert (server.folder / "image.bin").read_bytes() == content
    assert carrier.intents == [f"upload 127.0.0.1:{server.port}:/image.bin image.bin"]


def test_files_are_listed_renamed_and_deleted(server: SftpServer) -> None:
    (server.folder / "a.txt").write_text("abc")
    (server.folder / "sub").mkdir()
    carrier = Carrier(server.port)
    listed = {entry["path"]: entry for entry in carrier.run("list").result["files"]}
    assert listed.keys() >= {"/a.txt", "/sub"}
    assert (listed["/a.txt"]["size_bytes"], listed["/a.txt"]["is_directory"]) == (3, False)
    assert listed["/sub"]["is_directory"] is True
    assert not carrier.run("rename", remote_path="/a.txt", new_path="/sub/b.txt").failed
    assert (server.folder / "sub" / "b.txt").read_text() == "abc"
    assert not carrier.run("delete", remote_path="/sub/b.txt").failed
    assert not (server.folder / "sub" / "b.txt").exists()
    assert len(carrier.intents) == 2


def test_a_key_logs_in_too(server: SftpServer) -> None:
    key = server.keys[0].export_private_key().decode()
    carrier = Carrier(server.port, {"username": USER, "private_key": key})
    assert not carrier.run("list").failed
    assert server.logins == []


@pytest.mark.parametrize(
    ("operation", "params", "class_", "words"),
    [
        ("download", {"remote_path": "/gone.cfg"}, "upstream", "refused to download /gone.cfg"),
        ("delete", {"remote_path": "/gone.cfg"}, "upstream", "refused to delete"),
        ("download", {"remote_path": "/big.bin"}, "upstream", "has 200001 bytes, and at most 200000"),
        ("download", {"remote_path": "/"}, "validation", "names no file"),
        ("download", {"remote_path": "/a.txt", "local_path": "../x"}, "validation", "leads out"),
        ("upload", {"remote_path": "/a.txt"}, "validation", "has no file a.txt"),
        ("rename", {"remote_path": "/a.txt"}, "validation", "rename needs new_path"),
        ("list", {"remote_path": "/nowhere"}, "upstream", "refused to list"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_class(
    server: SftpServer, operation: str, params: dict[str, Any], class_: str, words: str
) -> None:
    (server.folder / "big.bin").write_bytes(bytes(200_001))
    result = Carrier(server.port).run(operation, **params)
    assert error_class(result) == class_
    assert words in str(result.exception)


def test_wrong_credentials_are_of_class_auth(server: SftpServer) -> None:
    result = Carrier(server.port, {**LOGIN, "password": "wrong"}).run("list")
    assert error_class(result) == "auth"
    assert "refused the credential c (user ops)" in str(result.exception)


def test_another_host_key_is_refused_before_the_password_is_sent(server: SftpServer) -> None:
    carrier = Carrier(server.port)
    assert not carrier.run("list", host_key_fingerprint=f"{server.fingerprint}=").failed
    server.logins.clear()
    result = carrier.run("list", host_key_fingerprint="SHA256:" + "A" * 43)
    assert error_class(result) == "host_key"
    assert server.fingerprint in str(result.exception)
    assert server.logins == []


def test_private_addresses_are_refused(server: SftpServer) -> None:
    result = Carrier(server.port, outbound_allow=()).run("list")
    assert error_class(result) == "validation"
    assert "not a public address" in str(result.exception)
    assert server.logins == []


def test_a_server_that_hangs_or_is_not_there_is_told_apart(server: SftpServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        result = Carrier(mute.getsockname()[1]).run("list", timeout=1)
        assert error_class(result) == "read_timeout"
        port = mute.getsockname()[1]
    assert error_class(Carrier(port).run("list")) == "tcp_refused"


def test_a_server_without_sftp_is_told(tmp_path: Path) -> None:
    with sftp_server(tmp_path, without_sftp=True) as server:
        result = Carrier(server.port).run("list")
    assert error_class(result) in {"protocol", "connection_lost"}


def test_a_dry_run_tells_what_it_would_do_and_does_not(server: SftpServer) -> None:
    (server.folder / "a.txt").write_text("abc")
    carrier = Carrier(server.port, dry_run=True)
    result = carrier.run("delete", remote_path="/a.txt")
    assert result.result["request"] == {"operation": "delete", "server": f"127.0.0.1:{server.port}", "path": "/a.txt"}
    assert (server.folder / "a.txt").exists()
    assert not carrier.run("download", remote_path="/a.txt").failed
    assert (carrier.files.read("a.txt"), carrier.intents) == (b"abc", [])


def test_a_cancelled_execution_reaches_nobody(server: SftpServer) -> None:
    result = Carrier(server.port, cancelled=lambda: True).run("list")
    assert error_class(result) == "cancelled"
    assert server.logins == []
