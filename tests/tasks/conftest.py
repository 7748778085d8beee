"""Fixtures of the node tests."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from nornir.core.inventory import Host

from app.demo.network.devices import SimulatedDevice
from app.demo.network.threaded import run_in_thread
from tasks import sessions
from tasks.sessions import transport
from tests.support.node_lab import Lab, MakeLab, nornir_of, plain_host


@pytest.fixture(params=["paramiko", "ssh2"])
def either_transport(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run a test once with each of the libraries that carry sessions."""
    transport.choose(request.param)
    yield request.param
    transport.choose("auto")


@pytest.fixture
def lab() -> Iterator[MakeLab]:
    """Start devices, and make hosts of them; keyword arguments are those of every host."""
    with ExitStack() as stack:

        def start(*devices: SimulatedDevice, host: Callable[..., Host] = plain_host, **more: Any) -> Lab:
            network = stack.enter_context(run_in_thread(devices))
            hosts = [host(device, network.ports[device.name], **more) for device in devices]
            for made in hosts:
                stack.callback(sessions.close_sessions, made)
            return Lab(network, nornir_of(hosts))

        yield start
