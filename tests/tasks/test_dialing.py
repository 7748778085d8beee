"""Lines: several addresses for one name, and being cut at any moment."""

import socket
import threading
from typing import Any

import pytest

from tasks import dialing
from tasks.dialing import Line, connect, dial, endpoint
from tasks.errors import SessionError


def test_an_endpoint_is_written_as_people_write_it() -> None:
    assert endpoint("10.0.0.1", 22) == "10.0.0.1:22"
    assert endpoint("2001:db8::1", 22) == "[2001:db8::1]:22"
    assert endpoint("10.0.0.1", 22, "sw1") == "sw1 (10.0.0.1:22)"
    assert endpoint("10.0.0.1", 22, "10.0.0.1") == "10.0.0.1:22"


def resolve_to(monkeypatch: pytest.MonkeyPatch, *targets: tuple[int, tuple[Any, ...]]) -> None:
    found = [(family, socket.SOCK_STREAM, 0, "", target) for family, target in targets]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


def test_the_next_address_is_tried_when_one_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        resolve_to(monkeypatch, (socket.AF_INET, ("127.0.0.2", port)), (socket.AF_INET, ("127.0.0.1", port)))
        with dial("two-addresses", port, 1) as line:
            assert line.socket is not None
            assert line.socket.getpeername() == ("127.0.0.1", port)


def test_an_address_family_the_machine_lacks_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        resolve_to(monkeypatch, (4095, ("nowhere",)), (socket.AF_INET, ("127.0.0.1", port)))
        with dial("odd", port, 1) as line:
            assert line.socket is not None


def test_an_address_that_cannot_be_routed_to_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, (socket.AF_INET, ("255.255.255.255", 22)))
    with pytest.raises(SessionError, match="cannot be reached") as raised:
        dial("broadcast", 22, 1)
    assert raised.value.error_class == "tcp_timeout"


def test_a_line_that_was_cut_before_it_was_open_never_opens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, Line("127.0.0.1", server.getsockname()[1]) as line:
        line.cut("cancelled")
        with pytest.raises(SessionError, match="execution was cancelled") as raised:
            connect(line, 1)
    assert raised.value.error_class == "cancelled"


def test_a_line_is_cut_while_it_waits_to_be_connected() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), Line("127.0.0.1", port) as line:
            waiting = threading.Timer(0.1, dialing.interrupt_all, ["timeout"])
            waiting.start()
            with pytest.raises(SessionError, match="time was over") as raised:
                connect(line, 60)
            waiting.join()
    assert raised.value.error_class == "timeout"


def test_a_closed_line_may_be_cut_and_closed_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        line = dial("127.0.0.1", server.getsockname()[1], 1)
        line.close()
        line.cut("cancelled")
        line.close()
    assert line.socket is None
