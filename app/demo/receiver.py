"""A receiver for the demo's webhook: it keeps the reports that workflows send it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATH = "/report"
MOST_BYTES = 1_000_000


class Receiver(ThreadingHTTPServer):
    """Takes reports on loopback, on any free port."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reports: list[Any] = []

    @property
    def url(self) -> str:
        """Where reports are sent to."""
        return f"http://127.0.0.1:{self.server_address[1]}{PATH}"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        """Keep a report, and refuse what is none."""
        length = self.headers.get("Content-Length", "")
        body = self.rfile.read(int(length)) if length.isdigit() and int(length) <= MOST_BYTES else b""
        try:
            report = json.loads(body)
        except ValueError:
            self.send_error(HTTPStatus.BAD_REQUEST, "A report is JSON")
            return
        if self.path != PATH:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self.server.reports.append(report)
        self.send_response(HTTPStatus.NO_CONTENT)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 — http.server's name
        """Say nothing: the report is what counts."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Receive reports for as long as the context lasts."""
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, name="report-receiver", daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.shutdown()
            thread.join()
