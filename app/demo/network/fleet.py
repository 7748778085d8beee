"""Names the devices of the demo, their sites, roles, cables and troubles, and makes fleets of any size."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.demo.network.devices import Fault, Link, Platform, SimulatedDevice

USERNAME = "netops"
PASSWORD = "demo-network"
ENABLE_SECRET = "demo-enable"
LATENCY_S = 0.05

ROLES = {"core": "core", "acc": "access", "agg": "aggregation"}

IOS, SAOS = Platform.CISCO_IOS, Platform.CIENA_SAOS
NEW_IOS, OLD_IOS = "15.2(7)E8", "15.2(4)E7"
NEW_SAOS, OLD_SAOS = "saos-06-19-01-0231", "saos-06-17-02-0512"

ROSTER = (
    ("ber1-core-1", IOS, NEW_IOS, Fault.NONE),
    ("ber1-acc-1", IOS, OLD_IOS, Fault.NONE),
    ("ber1-acc-2", IOS, NEW_IOS, Fault.NONE),
    ("ber1-agg-1", SAOS, NEW_SAOS, Fault.NONE),
    ("ham1-core-1", IOS, NEW_IOS, Fault.NONE),
    ("ham1-acc-1", IOS, OLD_IOS, Fault.REFUSE_PASSWORD),
    ("ham1-agg-1", SAOS, OLD_SAOS, Fault.NONE),
    ("fra1-core-1", IOS, NEW_IOS, Fault.NONE),
    ("fra1-acc-1", IOS, OLD_IOS, Fault.HANG),
    ("fra1-agg-1", SAOS, NEW_SAOS, Fault.NONE),
    ("muc1-acc-1", IOS, OLD_IOS, Fault.NONE),
    ("muc1-agg-1", SAOS, NEW_SAOS, Fault.DOWN),
)

CABLES = (
    ("ber1-core-1", "GigabitEthernet0/9", "ham1-core-1", "GigabitEthernet0/9"),
    ("ham1-core-1", "GigabitEthernet0/10", "fra1-core-1", "GigabitEthernet0/9"),
    ("fra1-core-1", "GigabitEthernet0/10", "ber1-core-1", "GigabitEthernet0/10"),
    ("ber1-core-1", "GigabitEthernet0/1", "ber1-acc-1", "GigabitEthernet0/9"),
    ("ber1-core-1", "GigabitEthernet0/2", "ber1-acc-2", "GigabitEthernet0/9"),
    ("ham1-core-1", "GigabitEthernet0/1", "ham1-acc-1", "GigabitEthernet0/9"),
    ("fra1-core-1", "GigabitEthernet0/1", "fra1-acc-1", "GigabitEthernet0/9"),
    ("ber1-core-1", "GigabitEthernet0/8", "ber1-agg-1", "3"),
    ("ham1-core-1", "GigabitEthernet0/8", "ham1-agg-1", "3"),
    ("fra1-core-1", "GigabitEthernet0/8", "fra1-agg-1", "3"),
    ("muc1-acc-1", "GigabitEthernet0/9", "muc1-agg-1", "3"),
    ("ber1-agg-1", "5", "ham1-agg-1", "6"),
    ("ham1-agg-1", "5", "fra1-agg-1", "6"),
    ("fra1-agg-1", "5", "muc1-agg-1", "6"),
    ("muc1-agg-1", "5", "ber1-agg-1", "6"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoDevice:
    """A device of the demo with its place and its part in the network."""

    device: SimulatedDevice
    site: str
    role: str


def demo_fleet(base_port: int | None = None) -> list[DemoDevice]:
    """Return the twelve devices of the demo on ports from the base port up, or on any free ones."""
    platforms = {name: platform for name, platform, _, _ in ROSTER}
    fleet = []
    for (name, platform, release, fault), port in zip(ROSTER, _ports(base_port, len(ROSTER)), strict=True):
        site, role, _ = name.split("-")
        device = _device(name, platform, port)
        device = replace(device, release=release, fault=fault, links=_links(name, platforms))
        fleet.append(DemoDevice(device=device, site=site, role=ROLES[role]))
    return fleet


def numbered_fleet(
    count: int, base_port: int | None = None, platforms: Sequence[Platform] = (IOS,)
) -> list[SimulatedDevice]:
    """Return that many healthy devices, sim-0001 and so on, of the platforms in turn."""
    return [
        _device(f"sim-{index + 1:04d}", platforms[index % len(platforms)], port)
        for index, port in enumerate(_ports(base_port, count))
    ]


def _device(name: str, platform: Platform, port: int) -> SimulatedDevice:
    return SimulatedDevice(
        name=name,
        platform=platform,
        port=port,
        username=USERNAME,
        password=PASSWORD,
        enable_secret=ENABLE_SECRET,
        latency_s=LATENCY_S,
    )


def _ports(base_port: int | None, count: int) -> Sequence[int]:
    return [0] * count if base_port is None else range(base_port, base_port + count)


def _links(name: str, platforms: dict[str, Platform]) -> tuple[Link, ...]:
    """Return the cables of a device as it sees them."""
    seen = CABLES + tuple((there, far, here, near) for here, near, there, far in CABLES)
    links = (
        Link(local_port=near, remote_name=there, remote_port=far, remote_platform=platforms[there])
        for here, near, there, far in seen
        if here == name
    )
    return tuple(sorted(links, key=lambda link: int(link.local_port.rpartition("/")[2])))
