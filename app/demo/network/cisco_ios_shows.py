"""Writes what an IOS-like device prints when it is asked to show something."""

from dataclasses import dataclass

from app.demo.network import chassis
from app.demo.network.cisco_ios_grammar import VIRTUAL_INTERFACES, opened_mode, short_interface_name
from app.demo.network.config_tree import Section, render
from app.demo.network.devices import Platform, SimulatedDevice

PORTS = tuple(f"GigabitEthernet0/{index}" for index in range(1, 11))
RELEASES = ("15.2(7)E8", "15.2(4)E7")
NVRAM_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Hardware:
    """A model as `show version` names it."""

    model: str
    family: str
    memory_kib: int


HARDWARE = (
    Hardware("WS-C2960CX-8TC-L", "C2960CX", 524288),
    Hardware("WS-C3560CX-8TC-S", "C3560CX", 524288),
)

VERSION = """\
Cisco IOS Software, {family} Software ({family}-UNIVERSALK9-M), Version {release}, {maturity} (fc{build})
Simulated by OpsConductor's demo network; no vendor's code runs here.

ROM: Bootstrap program is {family} boot loader
BOOTLDR: {family} Boot Loader ({family}-HBOOT-M) Version 15.2(7r)E2, RELEASE SOFTWARE (fc2)

{hostname} uptime is {uptime}
System returned to ROM by power-on
System image file is "flash:/{image}.bin"
Last reload reason: power-on

cisco {model} (APM86XXX) processor (revision A0) with {memory_kib}K bytes of memory.
Processor board ID {serial}
Last reset from power-on
1 Virtual Ethernet interface
{ports} Gigabit Ethernet interfaces
The password-recovery mechanism is enabled.

512K bytes of flash-simulated non-volatile configuration memory.
Base ethernet MAC Address       : {mac}
Model number                    : {model}
System serial number            : {serial}

Configuration register is 0xF
"""

CONFIGURATION = """\
version {version}
service timestamps debug datetime msec
service timestamps log datetime msec
no service pad
hostname {hostname}
no ip domain lookup
spanning-tree mode rapid-pvst
vlan 10
 name users
vlan 20
 name voice
{ports}
interface Vlan1
 description management
 ip address {address} 255.192.0.0
ip default-gateway 10.64.0.1
logging host 10.64.0.9
snmp-server location {hostname}
ntp server 10.64.0.8
line con 0
line vty 0 4
 login local
 transport input ssh
"""

LLDP_HEAD = """\
Capability codes:
    (R) Router, (B) Bridge, (T) Telephone, (C) DOCSIS Cable Device
    (W) WLAN Access Point, (P) Repeater, (S) Station, (O) Other

Device ID           Local Intf     Hold-time  Capability      Port ID
"""


def factory_configuration(device: SimulatedDevice) -> str:
    """Return the configuration a device starts with."""
    cabled = {link.local_port: link for link in device.links}
    lines: list[str] = []
    for port in PORTS:
        lines.append(f"interface {port}")
        if link := cabled.get(port):
            lines += [f" description to {link.remote_name} {link.remote_port}", " switchport mode trunk"]
        else:
            lines += [" switchport access vlan 10", " switchport mode access"]
    return CONFIGURATION.format(
        version=release(device)[:4],
        hostname=device.name,
        ports="\n".join(lines),
        address=chassis.management_address(device.name),
    )


def release(device: SimulatedDevice) -> str:
    """Return the software version the device runs."""
    return device.release or chassis.choose(device.name, "release", RELEASES)


def show_version(device: SimulatedDevice, hostname: str) -> str:
    """Write `show version`."""
    hardware = chassis.choose(device.name, "hardware", HARDWARE)
    version = release(device)
    up = chassis.uptime(device.name)
    compact = version.translate({ord("("): "-", ord(")"): "."}).replace(".", "", 1)
    return VERSION.format(
        family=hardware.family,
        model=hardware.model,
        memory_kib=hardware.memory_kib,
        release=version,
        maturity="RELEASE SOFTWARE",
        build=1 + chassis.number(version, "build", 4),
        image=f"{hardware.family.lower()}-universalk9-mz.{compact}",
        hostname=hostname,
        uptime=f"{up.weeks} weeks, {up.days} days, {up.hours} hours, {up.minutes} minutes",
        serial=chassis.serial_number(device.name, "FOC"),
        mac=chassis.mac_address(device.name, Platform.CISCO_IOS),
        ports=len(PORTS),
    ).rstrip("\n")


def show_inventory(device: SimulatedDevice) -> str:
    """Write `show inventory`."""
    hardware = chassis.choose(device.name, "hardware", HARDWARE)
    serial = chassis.serial_number(device.name, "FOC")
    return f'NAME: "1", DESCR: "{hardware.model}"\nPID: {hardware.model:<18}, VID: V02  , SN: {serial}\n'


def configuration_text(configuration: Section) -> str:
    """Write a configuration with `!` between its parts and `end` below."""
    lines: list[str] = []
    previous = ""
    for line, children in configuration.items():
        same_family = previous.split(maxsplit=1)[:1] == line.split(maxsplit=1)[:1]
        if not same_family or opened_mode("config", line):
            lines.append("!")
        lines += [line, *render(children, depth=1)]
        previous = line
    return "\n".join([*lines, "!", "end"])


def show_running_config(configuration: Section) -> str:
    """Write `show running-config`."""
    text = configuration_text(configuration)
    return f"Building configuration...\n\nCurrent configuration : {len(text)} bytes\n{text}\n"


def show_startup_config(configuration: Section) -> str:
    """Write `show startup-config`."""
    text = configuration_text(configuration)
    return f"Using {len(text)} out of {NVRAM_BYTES} bytes\n{text}\n"


def show_interface_config(configuration: Section, header: str) -> str:
    """Write `show running-config interface <name>` for a section that exists."""
    text = "\n".join(["!", header, *render(configuration[header], depth=1), "end"])
    return f"Building configuration...\n\nCurrent configuration : {len(text)} bytes\n{text}\n"


def show_ip_interface_brief(device: SimulatedDevice, configuration: Section) -> str:
    """Write `show ip interface brief`."""
    rows = ["Interface              IP-Address      OK? Method Status                Protocol"]
    for name, settings in _interfaces(configuration):
        address = next((line.split()[2] for line in settings if line.startswith("ip address ")), "unassigned")
        method = "unset" if address == "unassigned" else "NVRAM"
        status, protocol = _state(device, name, settings)
        rows.append(f"{name:<22} {address:<15} YES {method:<6} {status:<21} {protocol}")
    return "\n".join(rows)


def show_interfaces_description(device: SimulatedDevice, configuration: Section) -> str:
    """Write `show interfaces description`."""
    rows = ["Interface                      Status         Protocol Description"]
    for name, settings in _interfaces(configuration):
        described = [line for line in settings if line.startswith("description ")]
        words = described[0].removeprefix("description ") if described else ""
        status, protocol = _state(device, name, settings)
        short_status = status.replace("administratively", "admin")
        rows.append(f"{short_interface_name(name):<30} {short_status:<14} {protocol:<8} {words}".rstrip())
    return "\n".join(rows)


def show_lldp_neighbors(device: SimulatedDevice) -> str:
    """Write `show lldp neighbors`."""
    rows = [
        f"{link.remote_name:<19.19} {short_interface_name(link.local_port):<14} 120        {'B,R':<15} "
        f"{short_interface_name(link.remote_port)}"
        for link in device.links
    ]
    return LLDP_HEAD + "\n".join([*rows, "", f"Total entries displayed: {len(rows)}", ""])


def _interfaces(configuration: Section) -> list[tuple[str, Section]]:
    prefix = "interface "
    return [(line.removeprefix(prefix), section) for line, section in configuration.items() if line.startswith(prefix)]


def _state(device: SimulatedDevice, name: str, settings: Section) -> tuple[str, str]:
    """Return status and protocol: up with a cable, up or down by the name without, up if virtual."""
    if "shutdown" in settings:
        return "administratively down", "down"
    cabled = name in {link.local_port for link in device.links}
    up = cabled or name.startswith(VIRTUAL_INTERFACES) or chassis.number(device.name, name, 4) > 0
    return ("up", "up") if up else ("down", "down")
