"""`show version` on 50 devices, cold, beside Ansible's network_cli with 50 forks, in turns on the same devices."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from app.demo.network.devices import SimulatedDevice
from app.demo.network.fleet import PASSWORD, USERNAME
from tests.bench.measure import RUNS, Figure, medians, say, size
from tests.bench.network import fill, fleet_of, serving
from tests.bench.peers.ansible import obtain, read_versions
from tests.bench.shapes import chain
from tests.bench.stack import Stack, running

DEVICES = size("ANSIBLE_DEVICES", 50)
GOAL_RATIO = 1 / 30


def measure() -> list[Figure]:
    """Read every fleet with both; raises CannotRun where there is no Ansible to be had."""
    program = obtain()
    fleets = [fleet_of(DEVICES, f"ansible{number}") for number in range(RUNS)]
    with serving(fleets) as ports, running() as stack, tempfile.TemporaryDirectory() as folder:
        fill(stack, fleets, ports)
        workflow_id = stack.add_workflow("show version", chain("ssh:command", 1, command="show version"))
        mine, theirs = iter(fleets), iter(fleets)

        def ours() -> float:
            return _tell("ours", _read(stack, workflow_id, next(mine)))

        def peer() -> float:
            some = {device.name: ports[device.name] for device in next(theirs)}
            return _tell("Ansible", read_versions(program, some, USERNAME, PASSWORD, Path(folder)))

        wall_s, peer_s = medians(ours, peer)
    work = f"{DEVICES} devices, cold, beside {DEVICES} forks"
    return [Figure(work=work, figure=wall_s, unit="s", peer=peer_s, goal_ratio=GOAL_RATIO)]


def _read(stack: Stack, workflow_id: str, fleet: Sequence[SimulatedDevice]) -> float:
    names = [device.name for device in fleet]
    begin = time.perf_counter()
    execution = stack.execute(workflow_id, names)
    took_s = time.perf_counter() - begin
    rows = stack.results(execution["id"], "n0")
    if sorted(row["outputs"]["records"][0]["hostname"] for row in rows) != sorted(names):
        raise RuntimeError(f"{len(rows)} of {len(names)} devices were read, or not each of them")
    return took_s


def _tell(who: str, took_s: float) -> float:
    say(f"{who}: {took_s:.1f} s")
    return took_s
