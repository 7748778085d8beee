"""`show version` on 100 devices that answer within 50 ms, cold, beside Nornir with nornir-netmiko in 50 threads."""

import time
from collections.abc import Mapping, Sequence

from app.demo.network.devices import SimulatedDevice
from app.demo.network.fleet import PASSWORD, USERNAME
from tests.bench.measure import RUNS, Figure, medians
from tests.bench.network import fill, fleet_of, serving
from tests.bench.peers import ask
from tests.bench.stack import Stack, running
from tests.support.graphs import step, workflow

DEVICES = 100
PAGE = 500


def measure() -> list[Figure]:
    """Read 100 devices that nobody has a session with, and return the seconds that takes."""
    fleets = [fleet_of(DEVICES, f"fleet{number}") for number in range(RUNS)]
    with serving(fleets) as ports, running() as stack:
        fill(stack, fleets, ports)
        definition = workflow(step("read", "ssh:command", command="show version"), edges=("start -> read",))
        workflow_id = stack.add_workflow("show version", definition)
        ours, peer = iter(fleets), iter(fleets)
        wall_s, peer_s = medians(lambda: _ours(stack, workflow_id, next(ours)), lambda: _peer(next(peer), ports))
    return [Figure(work=f"{DEVICES} devices read, cold", figure=wall_s, unit="s", peer=peer_s)]


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
