"""A small S3 on loopback: it keeps objects in memory and believes only signatures that another library makes too."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from minio.credentials.credentials import Credentials
from minio.signer import sign_v4_s3

ACCESS, SECRET, REGION = "AKIATEST", "S3cret/Chalchiuhtlicue+3", "eu-test-1"
PAGE = 2


@dataclass
class S3Server:
    """A running S3, its buckets, and what it was asked."""

    port: int
    buckets: dict[str, dict[str, bytes]] = field(default_factory=lambda: {"store": {}, "other": {}})
    asked: list[str] = field(default_factory=list)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: "_Server"

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(f"http://{self.headers['Host']}{self.path}")
        self.server.running.asked.append(f"{self.command} {self.path}")
        if not self._is_signed(url, body):
            self._reply(403, _error("SignatureDoesNotMatch", "not the signature of this request"))
            return
        bucket, _, key = unquote(url.path).lstrip("/").partition("/")
        objects = self.server.running.buckets.get(bucket)
        if objects is None:
            self._reply(404, _error("NoSuchBucket", bucket))
        else:
            self._serve(objects, key, url, body)

    do_GET = do_PUT = do_DELETE = _answer  # noqa: N815 — the library's names

    def _is_signed(self, url: SplitResult, body: bytes) -> bool:
        given = self.headers.get("Authorization", "")
        names = given.partition("SignedHeaders=")[2].partition(",")[0].split(";")
        headers: Any = {name: self.headers[name] for name in names if name in self.headers}
        moment = datetime.strptime(self.headers.get("x-amz-date", ""), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        digest = sha256(body).hexdigest()
        signed = sign_v4_s3(
            method=self.command,
            url=url,
            region=REGION,
            headers=headers,
            credentials=Credentials(ACCESS, SECRET),
            content_sha256=digest,
            date=moment,
        )
        return bool(signed["Authorization"] == given and self.headers.get("x-amz-content-sha256") == digest)

    def _serve(self, objects: dict[str, bytes], key: str, url: SplitResult, body: bytes) -> None:
        if self.command == "GET":
            self._get(objects, key, url)
        elif self.command == "PUT":
            self._put(objects, key, body)
        else:
            objects.pop(key, None)
            self._reply(204, b"")

    def _get(self, objects: dict[str, bytes], key: str, url: SplitResult) -> None:
        if key in objects:
            self._reply(200, objects[key])
        elif key:
            self._reply(404, _error("NoSuchKey", "The specified key does not exist."))
        else:
            asked = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
            self._list(objects, asked["prefix"], asked.get("continuation-token", ""))

    def _list(self, objects: dict[str, bytes], prefix: str, after: str) -> None:
        keys = sorted(key for key in objects if key.startswith(prefix) and key > after)
        told = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(objects[key])}</Size>"
            "<LastModified>2026-01-02T03:04:05.000Z</LastModified></Contents>"
            for key in keys[:PAGE]
        )
        more = len(keys) > PAGE
        token = f"<NextContinuationToken>{escape(keys[PAGE - 1])}</NextContinuationToken>" if more else ""
        truncated = f"<IsTruncated>{str(more).lower()}</IsTruncated>"
        self._reply(200, f"<ListBucketResult>{truncated}{token}{told}</ListBucketResult>".encode())

    def _put(self, objects: dict[str, bytes], key: str, body: bytes) -> None:
        source = self.headers.get("x-amz-copy-source")
        if source is None:
            objects[key] = body
            self._reply(200, b"")
            return
        bucket, _, found = unquote(source).lstrip("/").partition("/")
        if found in self.server.running.buckets[bucket]:
            objects[key] = self.server.running.buckets[bucket][found]
            self._reply(200, b"<CopyObjectResult><ETag>x</ETag></CopyObjectResult>")
        else:
            self._reply(200, _error("InternalError", "the copy broke off"))

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Server(http.server.ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.running = S3Server(self.server_port)

    def handle_error(self, *_: Any) -> None:
        """Say nothing of guests that leave."""


def _error(code: str, message: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>".encode()


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Run an S3."""
    server = _Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
