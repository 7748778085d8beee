"""network:ping by ICMP and by TCP, on loopback."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import icmplib
import pytest
from nornir.core.inventory import Host
from nornir.core.task import Result

from tasks.network import PingParams, network_ping
from tests.support.node_lab import Lab, error_class, nornir_of


def ping(address: str = "127.0.0.1", own_port: int | None = None, *, stop: bool = False, **params: Any) -> Result:
    host = Host("sw1", hostname=address, port=own_port)
    devices = Lab(network=None, nornir=nornir_of([host]))  # type: ignore[arg-type]
    return devices.one(network_ping, PingParams(**params), cancelled=lambda: stop)


@contextmanager
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def free_port() -> Iterator[int]:
    """Hold a port on which nothing listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def forbid_icmp(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **options: bool) -> None:
        raise icmplib.SocketPermissionError(options["privileged"])

    monkeypatch.setattr(icmplib, "ping", refuse)


def test_tcp_measures_the_devices_own_port() -> None:
    with listening() as port:
        result = ping(own_port=port, method="tcp", count=2)
    assert not result.failed
    assert result.result | {"rtt_ms": None} == {
        "reachable": True,
        "method": "tcp",
        "attempts": 2,
        "loss_percent": 0.0,
        "rtt_ms": None,
    }
    assert 0 < result.result["rtt_ms"]["min"] <= result.result["rtt_ms"]["avg"] <= result.result["rtt_ms"]["max"]


def test_tcp_goes_to_the_port_that_is_asked_for(free_port: int) -> None:
    with listening() as port:
        assert ping(own_port=free_port, method="tcp", port=port, count=1).result["reachable"]


def test_a_closed_port_is_refused_and_the_figures_are_there_all_the_same(free_port: int) -> None:
    result = ping(own_port=free_port, method="tcp", count=2)
    assert error_class(result) == "tcp_refused"
    assert result.result == {
        "reachable": False,
        "method": "tcp",
        "attempts": 2,
        "loss_percent": 100.0,
        "rtt_ms": None,
    }


def test_a_port_that_answers_nothing_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            result = ping(own_port=port, method="tcp", count=1, timeout_s=0.1)
    assert error_class(result) == "tcp_timeout"


@pytest.mark.parametrize("method", ["tcp", "auto"])
def test_a_name_without_an_address_is_a_dns_error(method: str) -> None:
    assert error_class(ping("no-such-device.invalid", method=method, count=3)) == "dns"


def test_auto_falls_back_to_tcp_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_icmp(monkeypatch)
    with listening() as port:
        result = ping(own_port=port, count=1)
    assert result.result["method"] == "tcp"


def test_icmp_that_is_not_permitted_is_unsupported(monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_icmp(monkeypatch)
    result = ping(method="icmp")
    assert error_class(result) == "unsupported"
    assert "CAP_NET_RAW" in str(result.exception)


@pytest.mark.skipif(os.geteuid() != 0, reason="raw sockets need root or CAP_NET_RAW")
def test_auto_pings_by_icmp_where_it_may(free_port: int) -> None:
    result = ping(own_port=free_port, count=2)
    assert result.result["method"] == "icmp"
    assert result.result["loss_percent"] == 0.0
    assert result.result["rtt_ms"]["max"] > 0


def test_lost_echoes_fail_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(icmplib, "ping", lambda address, **_: icmplib.Host(address, 3, []))
    result = ping(method="icmp")
    assert error_class(result) == "tcp_timeout"
    assert "none of 3 pings" in str(result.exception)
    assert result.result["loss_percent"] == 100.0


def test_some_lost_echoes_are_a_loss_and_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(icmplib, "ping", lambda address, **_: icmplib.Host(address, 3, [2.0, 4.0]))
    result = ping(method="icmp")
    assert not result.failed
    assert result.result["loss_percent"] == 33.3
    assert result.result["rtt_ms"] == {"min": 2.0, "avg": 3.0, "max": 4.0}


def test_an_address_that_icmp_cannot_be_sent_to_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise icmplib.SocketAddressError("somewhere")

    monkeypatch.setattr(icmplib, "ping", fail)
    result = ping(method="icmp")
    assert error_class(result) == "tcp_timeout"
    assert "cannot be pinged" in str(result.exception)


def test_a_cancelled_execution_stops_probing(free_port: int) -> None:
    assert error_class(ping(own_port=free_port, method="tcp", stop=True)) == "cancelled"
