"""An HTTP service on loopback that answers each path as it was told to, and keeps what it was sent."""

import http.server
import socket
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reply:
    """One answer."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """One request as it came in, its headers' names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class WebService:
    """A running service: a path gives its replies one after the other, and its last one for ever."""

    port: int
    asked: list[Asked] = field(default_factory=list)
    replies: dict[str, list[Reply]] = field(default_factory=lambda: defaultdict(list))

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        """Return an address of it."""
        return f"http://{host}:{self.port}{path}"

    def tell(self, path: str, *replies: Reply) -> str:
        """Say how a path answers, and return its address."""
        self.replies[path] += replies
        return self.url(path)

    def methods(self) -> list[str]:
        """Return what it was asked, in short."""
        return [f"{asked.method} {asked.path}" for asked in self.asked]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: "_Server"

    def _answer(self) -> None:
        service = self.server.service
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        service.asked.append(Asked(self.command, self.path, headers, body))
        replies = service.replies[self.path.partition("?")[0]] or [Reply(404)]
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else reply.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _answer  # noqa: N815 — the library's names

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Server(http.server.ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.service = WebService(self.server_port)

    def handle_error(self, *_: Any) -> None:
        """Say nothing of guests that leave."""


@contextmanager
def web_service() -> Iterator[WebService]:
    """Run a service."""
    server = _Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def gone_after_one(reply: bytes) -> Iterator[str]:
    """Run a service that answers one request and listens no longer; give its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def serve() -> None:
            guest, _ = listener.accept()
            listener.close()
            with guest:
                guest.recv(65536)
                guest.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{port}/"
        thread.join()
