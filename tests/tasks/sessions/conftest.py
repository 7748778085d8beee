"""Fixtures of the sessions that outlive a host."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.demo.network.devices import SimulatedDevice
from tasks import sessions
from tests.support.node_lab import Lab, MakeLab, nornir_of
from tests.support.vaults import Vault, hosts_of, login


@pytest.fixture(autouse=True)
def _fresh_broker() -> Iterator[None]:
    """Begin with no session, and leave none."""
    sessions.begin()
    yield
    sessions.close_all()
    sessions.begin()


@pytest.fixture
def jobs(lab: MakeLab) -> Callable[..., tuple[Lab, Callable[[], Lab]]]:
    """Return what starts a device, and then makes a lab of new hosts for each job on it."""

    def start(vault: Vault | None = None, most: int = 2, **device: Any) -> tuple[Lab, Callable[[], Lab]]:
        make = hosts_of(vault or Vault(login("lab")), most)
        simulated = SimulatedDevice(**{"name": "sw1", **device})
        devices = lab(simulated, host=make)

        def next_job() -> Lab:
            return Lab(devices.network, nornir_of([make(simulated, devices.network.ports[simulated.name])]))

        return devices, next_job

    return start
