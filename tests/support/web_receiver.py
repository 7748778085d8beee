"""An HTTP server on loopback that answers each path in its own way, and keeps what it was sent."""

import http.server
import threading
from dataclasses import dataclass, field
from typing import Any

from tasks.outbound import BODY_LIMIT_BYTES


@dataclass
class Received:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A running HTTP server and what it was sent."""

    port: int
    requests: list[Received] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        """Return an address of it."""
        return f"http://{host}:{self.port}{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers each path in its own way."""

    server: "Server"

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.receiver.requests.append(Received(self.command, self.path, dict(self.headers), body))
        getattr(self, f"_on_{self.path.strip('/') or 'ok'}")()

    do_POST = do_GET = do_PUT = do_PATCH = _answer  # noqa: N815 — the library's own names

    def _reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _on_ok(self) -> None:
        self._reply(200, b'{"accepted": true}', Content_Type="application/json")

    def _on_text(self) -> None:
        self._reply(202, "gut so, Grüße".encode("latin-1"), Content_Type="text/plain; charset=latin-1")

    def _on_lie(self) -> None:
        self._reply(200, b"{not json", Content_Type="application/json")

    def _on_big(self) -> None:
        self._reply(200, b"x" * (BODY_LIMIT_BYTES + 10))

    def _on_refuses(self) -> None:
        self._reply(503, b"come back later")

    def _on_elsewhere(self) -> None:
        self._reply(302, Location=self.server.receiver.url("/ok"))

    def _on_slow(self) -> None:
        self.server.receiver.release.wait()

    def _on_drip(self) -> None:
        self.send_response(200)
        self.end_headers()
        while not self.server.receiver.release.wait(0.3):
            self.wfile.write(b".")
            self.wfile.flush()

    def _on_rude(self) -> None:
        self.wfile.write(b"220 this is no HTTP\r\n\r\n")

    def _on_silent(self) -> None:
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Server(http.server.ThreadingHTTPServer):
    """Keeps what it is sent, and says nothing of guests that leave."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.receiver = Receiver(self.server_port)

    def handle_error(self, *_: Any) -> None:
        """Say nothing."""
