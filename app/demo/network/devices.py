"""Describes one simulated device, and the ways in which it can misbehave, as plain values."""

from dataclasses import dataclass
from enum import StrEnum


class SimulationError(Exception):
    """A simulated network that cannot be described, started or run."""


class Platform(StrEnum):
    """The command line a device speaks, by its netmiko device type."""

    CISCO_IOS = "cisco_ios"
    CIENA_SAOS = "ciena_saos"


class Fault(StrEnum):
    """What is wrong with a device."""

    NONE = "none"
    REFUSE_PASSWORD = "refuse_password"  # every password is wrong
    HANG = "hang"  # lets in and sets the terminal, then neither does nor answers any command
    DOWN = "down"  # nothing listens on the port
    DROP = "drop"  # does the first command, but closes the connection halfway through its answer
    GARBAGE = "garbage"  # answers every command with bytes that mean nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A cable from a port of this device to a port of another one, as LLDP would see it."""

    local_port: str
    remote_name: str
    remote_port: str
    remote_platform: Platform = Platform.CISCO_IOS


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedDevice:
    """One device of the network; a port of 0 takes any free one, an empty release one that fits the name."""

    name: str
    platform: Platform = Platform.CISCO_IOS
    port: int = 0
    username: str = "admin"
    password: str = "admin"
    fault: Fault = Fault.NONE
    latency_s: float = 0.0
    enable_secret: str = "admin"
    privilege: int = 15
    release: str = ""
    links: tuple[Link, ...] = ()
    asks: bool = False  # takes the password as the answer to a question only (keyboard-interactive)
    forwards: bool = False  # is a jump host: connects who asks it to other addresses
