"""10,000 host records built into a Nornir inventory, beside hosts built from plain mappings as SimpleInventory does."""

import gc
import time
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

from nornir.core.inventory import ConnectionOptions, Defaults, Group, Groups, Host, Hosts, Inventory, ParentGroups

from inventory.plugin import build_inventory
from inventory.records import HostRecord
from tests.bench.measure import Figure, medians

HOSTS, SITES = 10_000, 50
GOAL_S, GOAL_KB = 1.0, 5.0
FIELDS = ("key", "site", "role", "tenant", "vendor", "model", "serial", "os_version", "status", "tags")

Build = Callable[[Any], Inventory]
Make = Callable[[], Sequence[Any]]


def measure() -> list[Figure]:
    """Build both, and return the seconds and the kilobytes per host that they take."""
    ours, peer = medians(lambda: _seconds(_records, build_inventory), lambda: _seconds(_mappings, _by_hand))
    ours_kb, peer_kb = medians(lambda: _kilobytes(_records, build_inventory), lambda: _kilobytes(_mappings, _by_hand))
    return [
        Figure(work="10,000 hosts built", figure=ours, unit="s", peer=peer, goal=GOAL_S),
        Figure(work="memory per host", figure=ours_kb, unit="KB", peer=peer_kb, goal=GOAL_KB),
    ]


def _seconds(make: Make, build: Build) -> float:
    made = make()
    gc.collect()
    begin = time.process_time()
    inventory = build(made)
    took_s = time.process_time() - begin
    _check(inventory)
    return took_s


def _kilobytes(make: Make, build: Build) -> float:
    """Return what a built inventory holds per host, what it was built from included as far as it lives on."""
    gc.collect()
    tracemalloc.start()
    try:
        inventory = build(make())
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    _check(inventory)
    return held / 1024 / HOSTS


def _check(inventory: Inventory) -> None:
    if len(inventory.hosts) != HOSTS or len(inventory.groups) != SITES:
        raise RuntimeError(f"{len(inventory.hosts)} hosts in {len(inventory.groups)} groups were built")


def _mappings() -> list[dict[str, Any]]:
    return [
        {
            "key": f"00000000-0000-7000-8000-{number:012d}",
            "name": f"site{number % SITES:02d}-acc-{number:05d}",
            "address": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}",
            "platform": "cisco_ios",
            "site": f"site{number % SITES:02d}",
            "role": "access",
            "tenant": "",
            "vendor": "Cisco",
            "model": "WS-C2960X-48TS-L",
            "serial": f"FOC{number:08d}",
            "os_version": "15.2(7)E8",
            "status": "active",
            "tags": ("campus", "access"),
            "groups": (f"site{number % SITES:02d}",),
        }
        for number in range(HOSTS)
    ]


def _records() -> list[HostRecord]:
    return [HostRecord(id=row["key"], **row) for row in _mappings()]


def _by_hand(rows: Sequence[dict[str, Any]]) -> Inventory:
    defaults = Defaults()
    names = {group for row in rows for group in row["groups"]}
    groups = Groups({name: Group(name, defaults=defaults) for name in names})
    hosts = Hosts({row["name"]: _host(row, groups, defaults) for row in rows})
    return Inventory(hosts=hosts, groups=groups, defaults=defaults)


def _host(row: dict[str, Any], groups: Groups, defaults: Defaults) -> Host:
    return Host(
        row["name"],
        hostname=row["address"],
        port=22,
        platform=row["platform"],
        groups=ParentGroups(groups[name] for name in row["groups"]),
        data={name: row[name] for name in FIELDS},
        connection_options={"netmiko": ConnectionOptions(platform="cisco_ios")},
        defaults=defaults,
    )
