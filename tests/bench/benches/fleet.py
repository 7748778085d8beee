"""`show version` on 500 devices, 50 in flight, cold and warm, beside a bare Nornir script and a raw asyncssh client.

The product parses and stores all of it, the peers only read. Warm is the second run, on sessions that the first left.
"""

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.demo.network.devices import SimulatedDevice
from app.demo.network.fleet import PASSWORD, USERNAME
from tests.bench.journal import DeviceLog
from tests.bench.measure import RUNS, Figure, Omitted, say, size
from tests.bench.network import counting, fill, fleet_of
from tests.bench.peers import ask
from tests.bench.shapes import chain
from tests.bench.stack import Stack, running

DEVICES = size("FLEET_DEVICES", 500)
IN_FLIGHT = 50
WORKERS = 4
"""Each with a shard, and twelve or thirteen devices at once."""
NORNIR, ASYNCSSH = "nornir_show_version", "asyncssh_show_version"
GOALS = {("cold", NORNIR): 0.75, ("warm", NORNIR): 0.6, ("cold", ASYNCSSH): 1.6, ("warm", ASYNCSSH): 1.3}
IDLE_S = 20
GOAL_IDLE_PERCENT = 3.0

Times = dict[str, float]
"""Seconds, cold and warm."""


@dataclass
class Runs:
    """What the product and its peers took, in every run."""

    ours: list[Times] = field(default_factory=list)
    peers: dict[str, list[Times]] = field(default_factory=lambda: {NORNIR: [], ASYNCSSH: []})


def measure() -> list[Figure | Omitted]:
    """Read every fleet twice, with everybody in turns, and look at what its sessions cost while they are idle."""
    fleets = [fleet_of(DEVICES, f"fleet{number}") for number in range(RUNS)]
    runs = Runs()
    with counting(fleets) as (ports, log), running(workers=WORKERS) as stack:
        fill(stack, fleets, ports)
        workflow_id = stack.add_workflow(
            "show version", chain("ssh:command", 1, command="show version"), concurrency=IN_FLIGHT
        )
        without = stack.idle_rate(IDLE_S)
        for number, fleet in enumerate(fleets):
            _run(stack, workflow_id, fleet, ports, runs, ours_first=number % 2 == 0)
        idle = _idle(stack, workflow_id, fleets[-1], log, without)
    return [*_figures(runs), *idle]


def _run(
    stack: Stack,
    workflow_id: str,
    fleet: Sequence[SimulatedDevice],
    ports: Mapping[str, int],
    runs: Runs,
    *,
    ours_first: bool,
) -> None:
    """Have everybody read a fleet; who is first changes, so that all meet the same noise."""
    if ours_first:
        runs.ours.append(_ours(stack, workflow_id, fleet))
    for peer, times in runs.peers.items():
        times.append(_peer(peer, fleet, ports))
        say(f"{peer}: cold {times[-1]['cold']:.2f} s, warm {times[-1]['warm']:.2f} s")
    if not ours_first:
        runs.ours.append(_ours(stack, workflow_id, fleet))
    say(f"ours: cold {runs.ours[-1]['cold']:.2f} s, warm {runs.ours[-1]['warm']:.2f} s")


def _ours(stack: Stack, workflow_id: str, fleet: Sequence[SimulatedDevice]) -> Times:
    return {"cold": _read(stack, workflow_id, fleet), "warm": _read(stack, workflow_id, fleet)}


def _read(stack: Stack, workflow_id: str, fleet: Sequence[SimulatedDevice]) -> float:
    names = [device.name for device in fleet]
    begin = time.perf_counter()
    execution = stack.execute(workflow_id, names)
    took_s = time.perf_counter() - begin
    rows = stack.results(execution["id"], "n0")
    _check([_hostname(row) for row in rows], names)
    return took_s


def _hostname(row: Mapping[str, Any]) -> str:
    """Return what a device says it is called, as the parser read it; raises where it is another one."""
    name: str = row["outputs"]["records"][0]["hostname"]
    if name != row["device"]["name"]:
        raise RuntimeError(f"{row['device']['name']} was recorded with the output of {name}")
    return name


def _peer(peer: str, fleet: Sequence[SimulatedDevice], ports: Mapping[str, int]) -> Times:
    mine = {device.name: ports[device.name] for device in fleet}
    answer = ask(peer, {"ports": mine, "username": USERNAME, "password": PASSWORD})
    for hostnames in answer["hostnames"]:
        _check(hostnames, list(mine))
    return {"cold": answer["cold_s"], "warm": answer["warm_s"]}


def _check(hostnames: Sequence[str], names: Sequence[str]) -> None:
    if sorted(hostnames) != sorted(names):
        raise RuntimeError(f"{len(set(names) & set(hostnames))} of {len(names)} devices were read")


def _figures(runs: Runs) -> list[Figure]:
    return [
        Figure(
            work=f"{DEVICES} devices, {how}, to {peer.partition('_')[0]}",
            figure=statistics.median(times[how] for times in runs.ours),
            unit="s",
            peer=statistics.median(times[how] for times in runs.peers[peer]),
            goal_ratio=GOALS[how, peer],
        )
        for peer in (NORNIR, ASYNCSSH)
        for how in ("cold", "warm")
    ]


def _idle(
    stack: Stack, workflow_id: str, fleet: Sequence[SimulatedDevice], log: DeviceLog, without: float
) -> list[Figure | Omitted]:
    """Return what a fleet's idle sessions cost all workers together, beyond what they use without one."""
    work = f"{DEVICES} idle sessions, % of a core"
    _read(stack, workflow_id, fleet)
    with_sessions = stack.idle_rate(IDLE_S)
    still_open = sum(log.open_sessions()[device.name] > 0 for device in fleet)
    if still_open < DEVICES:
        return [Omitted(work=work, why=f"{still_open} of {DEVICES} sessions are still open after {IDLE_S} s")]
    all_in = Figure(work="all workers then", figure=with_sessions * 100, unit="%", peer=without * 100)
    cost = max(0.0, with_sessions - without) * 100
    return [Figure(work=work, figure=cost, unit="%", goal=GOAL_IDLE_PERCENT), all_in]
