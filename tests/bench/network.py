"""Simulated devices for a bench: served by a process of their own, and known to the product by a credential."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from app.demo.network.devices import SimulatedDevice
from app.demo.network.fleet import PASSWORD, USERNAME, numbered_fleet
from app.demo.network.launch import network_process
from app.demo.network.spec_file import NetworkSpec
from tests.bench.stack import Stack


def fleet_of(count: int, prefix: str) -> list[SimulatedDevice]:
    """Return devices for one run: a fleet of its own for each, so that no session can be warm."""
    return [replace(device, name=f"{prefix}-{device.name}") for device in numbered_fleet(count)]


@contextmanager
def serving(fleets: Sequence[Sequence[SimulatedDevice]]) -> Iterator[dict[str, int]]:
    """Serve fleets, and give the port of every device."""
    together = NetworkSpec(devices=tuple(device for fleet in fleets for device in fleet))
    with (
        tempfile.TemporaryDirectory() as folder,
        network_process(together, Path(folder) / "network.json", ready_timeout_s=120) as ports,
    ):
        yield ports


def fill(stack: Stack, fleets: Sequence[Sequence[SimulatedDevice]], ports: Mapping[str, int]) -> None:
    """Put fleets into the product's inventory, with the credential that opens them."""
    fields = {"username": USERNAME, "password": PASSWORD}
    credential = stack.post("/credentials/v1/credentials", {"name": "fleet", "credential_type": "ssh", "data": fields})
    common = {"address": "127.0.0.1", "platform": "cisco_ios", "credential_ids": [credential["id"]]}
    stack.add_devices([{"name": one.name, "port": ports[one.name], **common} for fleet in fleets for one in fleet])
