"""file:s3 against an S3 on loopback that checks every signature with another library than ours."""

import socket
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest
from nornir.core.task import Result

from tasks.artifacts import Limits, MemoryArtifacts
from tasks.context import NodeContext
from tasks.errors import NodeError
from tasks.s3 import S3Params, file_s3
from tasks.sigv4 import signed
from tests.support.node_lab import error_class
from tests.support.s3_server import ACCESS, REGION, SECRET, S3Server, s3_server
from tests.support.web_service import Reply, web_service

KEYS = {"access_key_id": ACCESS, "secret_access_key": SECRET}


class Carrier:
    """Runs the node as the engine does, and keeps the intents it told."""

    def __init__(self, port: int, fields: Mapping[str, Any] = KEYS, **more: Any) -> None:
        self.intents: list[str] = []
        self.files = MemoryArtifacts(Limits(file_bytes=1000))
        self.fixed = {"endpoint": f"http://127.0.0.1:{port}", "region": REGION, "bucket": "store", "credential": "c"}
        given = {"outbound_allow": ("127.0.0.0/8",), "artifacts": self.files, **more}
        self.context = NodeContext(credential=lambda *_: fields, before_change=self.intents.extend, **given)

    def run(self, operation: str, **params: Any) -> Result:
        """Run the node."""
        try:
            result: Result = file_s3(
                self.context, params=msgspec.convert({**self.fixed, "operation": operation, **params}, S3Params)
            )
        except NodeError as error:
            return Result(host=None, failed=True, exception=error)
        return result


@pytest.fixture
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


@pytest.mark.parametrize("key", ["a.cfg", "backup/2026/sw 1+ü&=~#?.cfg", "a//b"])
def test_objects_are_carried_both_ways(server: S3Server, key: str) -> None:
    carrier = Carrier(server.port)
    carrier.files.write("out.bin", b"\0content\xff")
    result = carrier.run("put", key=key, local_path="out.bin")
    assert not result.failed, result.exception
    assert server.buckets["store"] == {key: b"\0content\xff"}
    result = carrier.run("get", key=key, local_path="back.bin")
    assert not result.failed, result.exception
    assert (carrier.files.read("back.bin"), result.result["size_bytes"]) == (b"\0content\xff", 9)
    assert len(carrier.intents) == 1


def test_objects_are_listed_page_by_page(server: S3Server) -> None:
    server.buckets["store"] = {f"log/{number}": bytes(number) for number in range(5)} | {"other": b""}
    files = Carrier(server.port).run("list", prefix="log/").result["files"]
    assert [(entry["path"], entry["size_bytes"]) for entry in files] == [(f"log/{n}", n) for n in range(5)]
    assert files[0]["modified_at"] == "2026-01-02T03:04:05.000Z"
    assert len(server.asked) == 3
    assert Carrier(server.port).run("list", prefix="none/").result["files"] == []
    assert len(Carrier(server.port).run("list", prefix="other").result["files"]) == 1


def test_objects_are_copied_and_deleted(server: S3Server) -> None:
    server.buckets["store"]["ä 1"] = b"1"
    carrier = Carrier(server.port)
    assert not carrier.run("copy", key="ä 1", destination_bucket="other", destination_key="b").failed
    assert not carrier.run("copy", key="ä 1", destination_key="c").failed
    assert not carrier.run("delete", key="ä 1").failed
    assert server.buckets == {"store": {"c": b"1"}, "other": {"b": b"1"}}
    assert len(carrier.intents) == 3


@pytest.mark.parametrize(
    ("operation", "params", "class_", "words"),
    [
        ("get", {"key": "gone"}, "upstream", "answered 404: NoSuchKey: The specified key does not exist."),
        ("get", {"key": "big"}, "upstream", "has more than 1000 bytes"),
        ("list", {"bucket": "nowhere"}, "upstream", "NoSuchBucket"),
        ("copy", {"key": "gone", "destination_key": "x"}, "upstream", "did not copy gone"),
        ("get", {}, "validation", "get needs key"),
        ("copy", {"key": "big"}, "validation", "copy needs destination_key"),
        ("put", {"key": "x"}, "validation", "has no file x"),
        ("delete", {"key": "a/../big"}, "validation", "no request can carry"),
        ("list", {"endpoint": "ftp://127.0.0.1"}, "validation", "must begin with http"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_class(
    server: S3Server, operation: str, params: dict[str, Any], class_: str, words: str
) -> None:
    server.buckets["store"]["big"] = bytes(1001)
    result = Carrier(server.port).run(operation, **params)
    assert error_class(result) == class_
    assert words in str(result.exception)
    assert server.buckets["store"].keys() == {"big"}


@pytest.mark.parametrize("fields", [{**KEYS, "secret_access_key": "wrong"}, {**KEYS, "access_key_id": "AKIAOTHER"}])
def test_wrong_keys_are_of_class_auth(server: S3Server, fields: dict[str, str]) -> None:
    result = Carrier(server.port, fields).run("list")
    assert error_class(result) == "auth"
    assert "not open to the credential c: SignatureDoesNotMatch" in str(result.exception)


def test_a_session_token_is_sent_and_signed(server: S3Server) -> None:
    assert not Carrier(server.port, {**KEYS, "session_token": "t0ken"}).run("list").failed
    at = datetime(2026, 1, 2, tzinfo=UTC)
    url = httpx.URL("https://s3.example.org/store")
    headers = signed("GET", url, {}, b"", fields={**KEYS, "session_token": "t0ken"}, region=REGION, at=at)
    assert headers["x-amz-security-token"] == "t0ken"
    assert "x-amz-security-token" in headers["Authorization"]


def test_the_published_example_is_signed_as_published() -> None:
    """See "Authenticating Requests: Using the Authorization Header" in Amazon's API reference of S3, GET Object."""
    fields = {
        "access_key_id": "AKIAIOSFODNN7EXAMPLE",
        "secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    }
    url = httpx.URL("https://examplebucket.s3.amazonaws.com/test.txt")
    at = datetime(2013, 5, 24, tzinfo=UTC)
    headers = signed("GET", url, {"Range": "bytes=0-9"}, b"", fields=fields, region="us-east-1", at=at)
    signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    assert headers["Authorization"].rpartition("=")[2] == signature


def test_what_does_not_speak_s3_is_told() -> None:
    with web_service() as service:
        service.tell("/store", Reply(200, b"hello"), Reply(500, b"<html>"))
        results = [Carrier(service.port).run("list") for _ in range(2)]
    assert [error_class(result) for result in results] == ["protocol", "upstream"]


def test_private_addresses_are_refused_and_hanging_ones_given_up(server: S3Server) -> None:
    assert error_class(Carrier(server.port, outbound_allow=()).run("list")) == "validation"
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        assert error_class(Carrier(port).run("list", timeout=1)) == "read_timeout"
    assert error_class(Carrier(port).run("list")) == "tcp_refused"
    assert server.asked == []


def test_a_dry_run_tells_what_it_would_do_and_does_not(server: S3Server) -> None:
    carrier = Carrier(server.port, dry_run=True)
    result = carrier.run("copy", key="a", destination_key="b")
    where = f"http://127.0.0.1:{server.port}/store"
    request = {"operation": "copy", "server": where, "path": "a", "other_path": "store/b"}
    assert (result.result["request"], server.asked, carrier.intents) == (request, [], [])
