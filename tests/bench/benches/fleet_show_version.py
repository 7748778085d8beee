"""`show version` on 100 devices that answer within 50 ms, cold, beside Nornir with nornir-netmiko in 50 threads."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from app.demo.network.devices import SimulatedDevice
from app.demo.network.fleet import PASSWORD, USERNAME, numbered_fleet
from app.demo.network.launch import network_process
from app.demo.network.spec_file import NetworkSpec
from tests.bench.measure import RUNS, Figure, medians
from tests.bench.peers import ask
from tests.bench.stack import Stack, running
from tests.support.graphs import step, workflow

DEVICES = 100
PAGE = 500


def measure() -> list[Figure]:
    """Read 100 devices that nobody has a session with, and return the seconds that takes."""
    fleets = [_fleet(f"fleet{number}") for number in range(RUNS)]
    together = NetworkSpec(devices=tuple(device for fleet in fleets for device in fleet))
    with (
        tempfile.TemporaryDirectory() as folder,
        network_process(together, Path(folder) / "network.json") as ports,
        running() as stack,
    ):
        _fill(stack, fleets, ports)
        definition = workflow(step("read", "ssh:command", command="show version"), edges=("start -> read",))
        workflow_id = stack.add_workflow("show version", definition)
        ours, peer = iter(fleets), iter(fleets)
        wall_s, peer_s = medians(lambda: _ours(stack, workflow_id, next(ours)), lambda: _peer(next(peer), ports))
    return [Figure(work=f"{DEVICES} devices read, cold", figure=wall_s, unit="s", peer=peer_s)]


def _fleet(prefix: str) -> list[SimulatedDevice]:
    """Return devices for one run: a fleet of its own for each, so that no session can be warm."""
    return [replace(device, name=f"{prefix}-{device.name}") for device in numbered_fleet(DEVICES)]


def _fill(stack: Stack, fleets: Sequence[Sequence[SimulatedDevice]], ports: Mapping[str, int]) -> None:
    fields = {"username": USERNAME, "password": PASSWORD}
    credential = stack.post("/credentials/v1/credentials", {"name": "fleet", "credential_type": "ssh", "data": fields})
    common = {"address": "127.0.0.1", "platform": "cisco_ios", "credential_ids": [credential["id"]]}
    stack.add_devices([{"name": one.name, "port": ports[one.name], **common} for fleet in fleets for one in fleet])


def _ours(stack: Stack, workflow_id: str, fleet: Sequence[SimulatedDevice]) -> float:
    names = [device.name for device in fleet]
    begin = time.perf_counter()
    execution = stack.execute(workflow_id, names)
    took_s = time.perf_counter() - begin
    rows = stack.get(f"/automation/v1/executions/{execution['id']}/results", node="read", limit=PAGE)
    _check([row["outputs"]["records"][0]["hostname"] for row in rows], names)
    return took_s


def _peer(fleet: Sequence[SimulatedDevice], ports: Mapping[str, int]) -> float:
    mine = {device.name: ports[device.name] for device in fleet}
    answer = ask("nornir_show_version", {"ports": mine, "username": USERNAME, "password": PASSWORD})
    _check(answer["hostnames"], list(mine))
    return float(answer["wall_s"])


def _check(hostnames: Sequence[str], names: Sequence[str]) -> None:
    if sorted(hostnames) != sorted(names):
        raise RuntimeError(f"{len(set(names) & set(hostnames))} of {len(names)} devices were read and parsed")
