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
from tests.bench.journal import DeviceLog
from tests.bench.stack import Stack

READY_WITHIN_S = 120


def fleet_of(count: int, prefix: str) -> list[SimulatedDevice]:
    """Return devices for one run: a fleet of its own for each, so that no session can be warm."""
    return [replace(device, name=f"{prefix}-{device.name}") for device in numbered_fleet(count)]


@contextmanager
def serving(fleets: Sequence[Sequence[SimulatedDevice]]) -> Iterator[dict[str, int]]:
    """Serve fleets, and give the port of every device."""
    with tempfile.TemporaryDirectory() as folder, _serving(fleets, Path(folder)) as ports:
        yield ports


@contextmanager
def counting(fleets: Sequence[Sequence[SimulatedDevice]]) -> Iterator[tuple[dict[str, int], DeviceLog]]:
    """Serve fleets that write down what reaches them, and give the port of every device, and that journal."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "journal.jsonl"
        with _serving(fleets, Path(folder), journal) as ports:
            yield ports, DeviceLog(journal)


@contextmanager
def _serving(
    fleets: Sequence[Sequence[SimulatedDevice]], folder: Path, journal: Path | None = None
) -> Iterator[dict[str, int]]:
    together = NetworkSpec(devices=tuple(device for fleet in fleets for device in fleet), journal_path=journal)
    with network_process(together, folder / "network.json", ready_timeout_s=READY_WITHIN_S) as ports:
        yield ports


def fill(
    stack: Stack,
    fleets: Sequence[Sequence[SimulatedDevice]],
    ports: Mapping[str, int],
    password: str = PASSWORD,
    name: str = "fleet",
) -> None:
    """Put fleets into the product's inventory, with the credential that opens them, or that does not."""
    common = {
        "address": "127.0.0.1",
        "platform": "cisco_ios",
        "credential_ids": [add_credential(stack, password, name)],
    }
    stack.add_devices([{"name": one.name, "port": ports[one.name], **common} for fleet in fleets for one in fleet])


def add_credential(stack: Stack, password: str = PASSWORD, name: str = "fleet") -> str:
    """Give the product a login for the simulated devices, and return its id."""
    fields = {"username": USERNAME, "password": password}
    made = stack.post("/credentials/v1/credentials", {"name": name, "credential_type": "ssh", "data": fields})
    return str(made["id"])
