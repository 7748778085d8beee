"""Derives the hardware of a device from its name, so that it is the same after every restart."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from app.demo.network.devices import Platform

Choice = TypeVar("Choice")

SERIAL_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
VENDOR_MAC_PREFIXES = {Platform.CISCO_IOS: "70db98", Platform.CIENA_SAOS: "9c7a03"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Uptime:
    """How long a device has been running."""

    weeks: int
    days: int
    hours: int
    minutes: int


def number(name: str, subject: str, limit: int) -> int:
    """Return a number from 0 to below the limit that depends on the name and the subject only."""
    digest = hashlib.sha256(f"{name}/{subject}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % limit


def choose(name: str, subject: str, choices: Sequence[Choice]) -> Choice:
    """Return one of the choices, the same one for the same name and subject."""
    return choices[number(name, subject, len(choices))]


def serial_number(name: str, prefix: str) -> str:
    """Return the serial number: the prefix, four digits and four characters."""
    week = f"{20 + number(name, 'year', 6)}{1 + number(name, 'week', 52):02d}"
    tail = "".join(choose(name, f"serial{index}", SERIAL_LETTERS) for index in range(4))
    return f"{prefix}{week}{tail}"


def mac_digits(name: str, platform: Platform) -> str:
    """Return the base MAC address as twelve hexadecimal digits."""
    return f"{VENDOR_MAC_PREFIXES[platform]}{number(name, 'mac', 1 << 20) << 4:06x}"


def mac_address(name: str, platform: Platform) -> str:
    """Return the base MAC address as six groups parted by colons."""
    digits = mac_digits(name, platform)
    return ":".join(digits[index : index + 2] for index in range(0, 12, 2))


def management_address(name: str) -> str:
    """Return the IPv4 address the device believes it has, in 10.64.0.0/10."""
    host = number(name, "address", 1 << 22)
    return f"10.{64 + (host >> 16)}.{host >> 8 & 255}.{host & 255}"


def uptime(name: str) -> Uptime:
    """Return how long the device claims to have been running."""
    return Uptime(
        weeks=2 + number(name, "uptime weeks", 40),
        days=number(name, "uptime days", 7),
        hours=number(name, "uptime hours", 24),
        minutes=number(name, "uptime minutes", 60),
    )
