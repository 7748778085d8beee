"""file:ftp against real FTP servers on loopback, with TLS and without."""

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
from tasks.ftp import FtpParams, file_ftp
from tests.support.ftp_server import PASSWORD, USER, ftp_server, make_certificate
from tests.support.node_lab import error_class

LOGIN = {"username": USER, "password": PASSWORD}


class Carrier:
    """Runs the node as the engine does, and keeps the intents it told."""

    def __init__(self, port: int, fields: Mapping[str, Any] = LOGIN, *, secure: bool = False, **more: Any) -> None:
        self.intents: list[str] = []
        self.files = MemoryArtifacts(Limits(file_bytes=200_000))
        self.fixed = {"host": "127.0.0.1", "port": port, "credential": "c", "secure": secure}
        given = {"outbound_allow": ("127.0.0.0/8",), "artifacts": self.files, **more}
        self.context = NodeContext(credential=lambda *_: fields, before_change=self.intents.extend, **given)

    def run(self, operation: str, **params: Any) -> Result:
        """Run the node."""
        try:
            result: Result = file_ftp(
                self.context, params=msgspec.convert({**self.fixed, "operation": operation, **params}, FtpParams)
            )
        except NodeError as error:
            return Result(host=None, failed=True, exception=error)
        return result


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "served").mkdir()
    return tmp_path / "served"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return make_certificate(tmp_path / "server.pem")


@pytest.fixture(params=[False, True], ids=["clear", "tls"])
def carrier(
    request: pytest.FixtureRequest, folder: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Carrier]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with ftp_server(folder, certificate if request.param else None) as port:
        yield Carrier(port, secure=request.param)


def test_files_are_carried_both_ways(carrier: Carrier, folder: Path) -> None:
    content = bytes(range(256)) * 600
    carrier.files.write("image.bin", content)
    result = carrier.run("upload", remote_path="/image.bin")
    assert not result.failed, result.exception
    assert (folder / "image.bin").read_bytes() == content
    result = carrier.run("download", remote_path="/image.bin", local_path="back/image.bin")
    assert not result.failed, result.exception
    assert (carrier.files.read("back/image.bin"), result.result["size_bytes"]) == (content, len(content))
    assert len(carrier.intents) == 1


def test_files_are_listed_and_deleted(carrier: Carrier, folder: Path) -> None:
    (folder / "a.txt").write_text("abc")
    (folder / "sub").mkdir()
    listed = {entry["path"]: entry for entry in carrier.run("list").result["files"]}
    assert listed.keys() == {"/a.txt", "/sub"}
    assert (listed["/a.txt"]["size_bytes"], listed["/sub"]["is_directory"]) == (3, True)
    assert not carrier.run("delete", remote_path="/a.txt").failed
    assert not (folder / "a.txt").exists()
    assert len(carrier.intents) == 1


@pytest.mark.parametrize(
    ("operation", "params", "class_", "words"),
    [
        ("download", {"remote_path": "/gone"}, "upstream", "refused to download /gone"),
        ("delete", {"remote_path": "/gone"}, "upstream", "refused to delete /gone"),
        ("download", {"remote_path": "/big"}, "upstream", "more than 200000 bytes"),
        ("download", {"remote_path": "/a\r\nDELE /big"}, "validation", "character that FTP cannot carry"),
        ("upload", {"remote_path": "/gone"}, "validation", "has no file gone"),
        ("download", {"remote_path": "/"}, "validation", "names no file"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_class(
    folder: Path, operation: str, params: dict[str, Any], class_: str, words: str
) -> None:
    (folder / "big").write_bytes(bytes(300_000))
    with ftp_server(folder) as port:
        result = Carrier(port).run(operation, **params)
    assert error_class(result) == class_
    assert words in str(result.exception)
    assert (folder / "big").exists()


def test_wrong_credentials_are_of_class_auth(folder: Path) -> None:
    with ftp_server(folder) as port:
        wrong = Carrier(port, {**LOGIN, "password": "wrong"}).run("list")
        anonymous = Carrier(port).run("list", credential=None)
    assert [error_class(result) for result in (wrong, anonymous)] == ["auth", "auth"]
    assert "refused the credential c (user ops)" in str(wrong.exception)


def test_tls_is_verified_and_never_given_up(folder: Path, certificate: Path) -> None:
    with ftp_server(folder, certificate) as port:
        result = Carrier(port, secure=True).run("list")
        assert error_class(result) == "host_key"
        assert "no trustworthy TLS" in str(result.exception)
    with ftp_server(folder) as port:
        result = Carrier(port, secure=True).run("list")
    assert error_class(result) == "protocol"
    assert "offers no TLS" in str(result.exception)


def test_a_certificate_for_another_address_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_certificate(tmp_path / "other.pem", "127.0.0.9")
    monkeypatch.setenv("SSL_CERT_FILE", str(other))
    with ftp_server(folder, other) as port:
        assert error_class(Carrier(port, secure=True).run("list")) == "host_key"


def test_a_server_that_hangs_lies_or_is_not_there_is_told_apart(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        assert error_class(Carrier(port).run("list", timeout=1)) == "read_timeout"
    assert error_class(Carrier(port).run("list")) == "tcp_refused"


def test_private_addresses_are_refused(folder: Path) -> None:
    with ftp_server(folder) as port:
        result = Carrier(port, outbound_allow=()).run("list")
    assert error_class(result) == "validation"
    assert "not a public address" in str(result.exception)


def test_a_dry_run_tells_what_it_would_do_and_does_not(folder: Path) -> None:
    with ftp_server(folder) as port:
        carrier = Carrier(port, dry_run=True)
        carrier.files.write("a", b"1")
        result = carrier.run("upload", remote_path="/a")
    assert result.result["request"]["operation"] == "upload"
    assert (list(folder.iterdir()), carrier.intents) == ([], [])
