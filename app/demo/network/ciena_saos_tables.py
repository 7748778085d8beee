"""Writes the tables a SAOS-like device prints, column by column as SAOS 6 draws them."""

from dataclasses import dataclass

from app.demo.network import chassis
from app.demo.network.ciena_saos_config import Configuration
from app.demo.network.devices import Link, Platform, SimulatedDevice

RELEASES = ("saos-06-19-01-0231", "saos-06-17-02-0512")
STANDBY_RELEASE = "saos-06-14-00-0193"
MODEL_DESCRIPTIONS = {
    Platform.CIENA_SAOS: "Ciena 3930 Service Delivery Switch",
    Platform.CISCO_IOS: "Cisco IOS Software",
}
COPPER_PORTS = ("1", "2")
FIBRE_PORTS = ("3", "4", "5", "6")
PORTS = COPPER_PORTS + FIBRE_PORTS


@dataclass(frozen=True, slots=True)
class Transceiver:
    """A pluggable optic as `port xcvr show` names it."""

    vendor: str
    revision: str
    medium: str


TRANSCEIVERS = (
    Transceiver("CIENA-OPX XCVR-S10V31 Rev0002", "A", "1000BASE-LX/LC"),
    Transceiver("CIENA-OPX XCVR-S40Y31 Rev0001", "B", "1000BASE-EX/LC"),
    Transceiver("CIENA-DLT XCVR-A00U85 Rev0010", "A", "1000BASE-SX/LC"),
)

PORT_HEAD = """\
+--------------- PORT GLOBAL CONFIGURATION ----------------+
|            Parameter             |       Value           |
+----------------------------------+-----------------------+
| Rx Low Power Detect Admin State  | Disabled              |
+----------------------------------+-----------------------+
+-------------------------------------------------------------------------------+
| Port Table        |           Operational Status            |  Admin Config   |
|---------+---------+----+--------------+----+---+-------+----+----+-------+----|
| Port    | Port    |    |  Link State  |    |   |       |Auto|    |       |Auto|
| Name    | Type    |Link|   Duration   |XCVR|STP| Mode  |Neg |Link| Mode  |Neg |
|---------+---------+----+--------------+----+---+-------+----+----+-------+----|
"""
PORT_FOOT = "+---------+---------+----+--------------+----+---+-------+----+----+-------+----+"

TRANSCEIVER_RULE = "+----+-----+-----+---------------------------------------+-----+----------------+----+"
TRANSCEIVER_HEAD = f"""\
+----+-----+-----+---------Transceiver-Status------------+-----+----------------+----+
|    |Admin| Oper|                                       |Ciena|Ether Medium &  |Diag|
|Port|State|State|      Vendor Name & Part Number        | Rev |Connector Type  |Data|
{TRANSCEIVER_RULE}
"""

LLDP_WIDTH = 110
LLDP_RULE = f"+{'-' * LLDP_WIDTH}+"
LLDP_COLUMNS_RULE = f"+{'-' * 13}+{'-' * 32}+{'-' * 63}+"

SOFTWARE = """\
{rule}
| Installed Package   : {release:<55}|
| Running Package     : {release:<55}|
| Application Build   : {build:<55}|
| Package Build Info  : {built:<55}|
| Running Kernel      : {kernel:<55}|
| Running MIB Version : {mib:<55}|
| Release Status      : {status:<55}|
{rule}
| Running bank        : {bank:<55}|
| Bank package version: {release:<55}|
| Bootloader version  : {build:<55}|
| Bootloader status   : {valid:<55}|
| Bank status         : {validated:<55}|
| Standby bank        : {other_bank:<55}|
| Bank package version: {standby:<55}|
| Bootloader version  : {standby_build:<55}|
| Bootloader status   : {valid:<55}|
| Bank status         : {validated:<55}|
{rule}
| Last command file: {unknown:<58}|
| Last configuration file: {unknown:<52}|
{rule}"""

DIAGNOSTICS_RULE = "+---------------+----------+---------------+------+---------------+------+"
DIAGNOSTICS_HEAD = f"""\
+--------------------- XCVR DIAGNOSTICS - Port {{port:<9}}-----------------+
|               |          |         Alarm        |        Warning       |
| Output        | Value    | Threshold     | Flag | Threshold     | Flag |
{DIAGNOSTICS_RULE}
"""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A measured value with its form and its limits: alarm high and low, warning high and low."""

    title: str
    form: str
    value: float
    limits: tuple[float, float, float, float]


def release(device: SimulatedDevice) -> str:
    """Return the software package the device runs."""
    return device.release or chassis.choose(device.name, "release", RELEASES)


def software_show(device: SimulatedDevice) -> str:
    """Write `software show`."""
    package = release(device)
    first_bank = chassis.number(device.name, "bank", 2) == 0
    hours, minutes, seconds = (chassis.number(device.name, f"bank {unit}", 24) for unit in ("h", "m", "s"))
    return SOFTWARE.format(
        rule=f"+{'-' * 78}+",
        release=package,
        build=15000 + chassis.number(package, "build", 5000),
        built="Tue Mar 12 02:41:00 2019 build demonet01",
        kernel="3.10.73-grsec",
        mib=f"04-19-01-{chassis.number(package, 'mib', 100):04d}",
        status="GA",
        bank="A" if first_bank else "B",
        other_bank="B" if first_bank else "A",
        standby=STANDBY_RELEASE,
        standby_build=15000 + chassis.number(STANDBY_RELEASE, "build", 5000),
        valid="valid",
        validated=f"valid (validated    {hours:>2}hr {minutes:>2}min {seconds:>2}sec ago)",
        unknown="unknown",
    )


def port_show(device: SimulatedDevice, configuration: Configuration) -> str:
    """Write `port show`."""
    rows = [_port_row(device, configuration, port) for port in PORTS]
    return PORT_HEAD + "\n".join([*rows, PORT_FOOT])


def port_xcvr_show(device: SimulatedDevice, configuration: Configuration) -> str:
    """Write `port xcvr show`: every cage, the empty ones too."""
    rows = [_transceiver_row(device, configuration, port) for port in PORTS]
    return TRANSCEIVER_HEAD + "\n".join([*rows, TRANSCEIVER_RULE])


def port_xcvr_diagnostics(device: SimulatedDevice, port: str) -> str | None:
    """Write `port xcvr show port <port> diagnostics`, or return None for a port without a transceiver."""
    if transceiver(device, port) is None:
        return None
    drift = chassis.number(device.name, f"optics {port}", 1000) / 1000
    measurements = (
        Measurement("Temp    (degC)", "{:>7.3f} ", 31 + 18 * drift, (90, -5, 85, 0)),
        Measurement("Tx Power (dBm)", "{:>+8.4f}", 0.4 + 2 * drift, (4.5002, -6.0012, 3.5003, -5.0004)),
        Measurement("Rx Power (dBm)", "{:>+8.4f}", -9 - 10 * drift, (-2.9998, -28.0134, -4.0001, -26.9897)),
    )
    blocks = [f"{_measurement_rows(measurement)}\n{DIAGNOSTICS_RULE}" for measurement in measurements]
    return DIAGNOSTICS_HEAD.format(port=port) + "\n".join(blocks)


def lldp_show_neighbors(device: SimulatedDevice, hostname: str) -> str:
    """Write `lldp show neighbors`."""
    rows = [
        LLDP_RULE,
        f"|{'LLDP Neighbors':^{LLDP_WIDTH}}|",
        LLDP_RULE,
        *(
            f"| {words:<{LLDP_WIDTH - 1}}|"
            for words in (
                f"Remote Addr: {chassis.management_address(device.name)}",
                f"System Name: {hostname}",
                f"System Desc: {MODEL_DESCRIPTIONS[Platform.CIENA_SAOS]}",
            )
        ),
        f"+{'-' * 13}+{'-' * 96}+",
        f"|{'Local':<13}|{'Remote':>52}{'':44}|",
        LLDP_COLUMNS_RULE,
        _neighbor_row("Port", "Port", "Info"),
        LLDP_COLUMNS_RULE,
    ]
    for link in device.links:
        rows += [*_neighbor_rows(link), LLDP_COLUMNS_RULE]
    return "\n".join(rows)


def configuration_show(device: SimulatedDevice, configuration: Configuration) -> str:
    """Write `configuration show`."""
    head = (
        f"! Chassis MAC:   {chassis.mac_address(device.name, Platform.CIENA_SAOS)}",
        f"! SAOS:          {release(device)}",
        "!",
    )
    return "\n".join([*head, *configuration.lines, "!"])


def transceiver(device: SimulatedDevice, port: str) -> Transceiver | None:
    """Return the optic in a port's cage: always one where a cable is, in other cages by the device's name."""
    cabled = port in {link.local_port for link in device.links}
    if port not in FIBRE_PORTS or not (cabled or chassis.number(device.name, f"cage {port}", 2)):
        return None
    return chassis.choose(device.name, f"optic {port}", TRANSCEIVERS)


def is_up(device: SimulatedDevice, configuration: Configuration, port: str) -> bool:
    """Tell whether a port has link: enabled, and with something at the other end."""
    if configuration.is_disabled("port", f"port {port}"):
        return False
    cabled = port in {link.local_port for link in device.links}
    return cabled or (port in COPPER_PORTS and chassis.number(device.name, f"link {port}", 4) > 0)


def _port_row(device: SimulatedDevice, configuration: Configuration, port: str) -> str:
    up = is_up(device, configuration, port)
    optic = transceiver(device, port)
    disabled = configuration.is_disabled("port", f"port {port}")
    state = "Dis" if disabled else "Ena"
    kind = "10/100/G" if port in COPPER_PORTS else "100/G"
    link = " Up " if up else "Down"
    spanning_tree = "FWD" if up else "Dis"
    mode, negotiation = ("1000/FD", " On ") if up else ("", "")
    operation = f"{link}|{_duration(device, port, up=up)}|{state if optic else '':<4}|{spanning_tree}"
    return f"| {port:<8}|{kind:<9}|{operation}|{mode:<7}|{negotiation:<4}|{state:<4}|Auto/FD| On |"


def _duration(device: SimulatedDevice, port: str, *, up: bool) -> str:
    minutes = chassis.number(device.name, f"duration {port}", 90 * 24 * 60) if up else 0
    seconds = chassis.number(device.name, f"seconds {port}", 60) if up else 0
    text = f"{minutes // 1440}d{minutes // 60 % 24:>2}h{minutes % 60:>2}m{seconds:>2}s"
    return f"{text:>14}"


def _transceiver_row(device: SimulatedDevice, configuration: Configuration, port: str) -> str:
    optic = transceiver(device, port)
    state = "Dis" if configuration.is_disabled("port", f"port {port}") else "Ena"
    if optic is None:
        cells = ("Empty", "", "", "", "", "")
    else:
        cells = (state, state, optic.vendor, optic.revision, optic.medium, "Yes")
    widths = (5, 5, 39, 5, 16, 4)
    row = "|".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
    return f"|{port:<4}|{row}|"


def _measurement_rows(measurement: Measurement) -> str:
    value, limits, form = measurement.value, measurement.limits, measurement.form
    highs = [f" HIGH {form.format(limit)} | {int(value > limit)}    " for limit in limits[::2]]
    lows = [f" LOW  {form.format(limit)} | {int(value < limit)}    " for limit in limits[1::2]]
    first = f"| {measurement.title:<14}| {form.format(value)} |{'|'.join(highs)}|"
    return f"{first}\n|{' ' * 15}|{' ' * 10}|{'|'.join(lows)}|"


def _neighbor_row(local: str, remote: str, words: str) -> str:
    return f"|{local:<13}|{remote:<32}|{words:<63}|"


def _neighbor_rows(link: Link) -> list[str]:
    facts = (
        ("Chassis Id", chassis.mac_digits(link.remote_name, link.remote_platform).upper()),
        ("Mgmt Addr", chassis.management_address(link.remote_name)),
        ("System Name", link.remote_name),
        ("System Desc", MODEL_DESCRIPTIONS[link.remote_platform]),
        ("SyncE Suppt", "Not Supported"),
        ("SyncE Confg", "Not Configured"),
    )
    ports = [(link.local_port, link.remote_port)] + [("", "")] * (len(facts) - 1)
    return [
        _neighbor_row(local, remote, f" {title:>11}: {value}")
        for (local, remote), (title, value) in zip(ports, facts, strict=True)
    ]
