"""What a device's name, address and platform have to be; pure, and the same at every door."""

import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any

from app.core.errors import Fault, ValidationError
from app.core.matching import read_id
from inventory import platforms
from inventory.errors import UnknownPlatformError

MAX_DNS_CHARS = 253
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")


def device_faults(values: Mapping[str, Any]) -> list[Fault]:
    """Return what is wrong with those fields of a device that are given."""
    return [
        Fault(field=name, message=message)
        for name, check in _CHECKS.items()
        if name in values and (message := check(values[name]))
    ]


def refuse(faults: list[Fault]) -> None:
    """Raise ValidationError when there are faults."""
    if faults:
        raise ValidationError("; ".join(f"{fault['field']}: {fault['message']}" for fault in faults), faults)


def canonical_address(text: str) -> str:
    """Write an address the one way it is stored: IPv6 short and in lower case, DNS names in lower case."""
    try:
        return str(ip_address(text))
    except ValueError:
        return text.lower().removesuffix(".")


def name_fault(name: str) -> str | None:
    """Say what is wrong with a name, or None."""
    if read_id(name) is not None:
        return "must not look like an id; nobody could tell which of the two is meant"
    return None


def address_fault(address: str) -> str | None:
    """Say what is wrong with an address, or None."""
    try:
        ip_address(address)
    except ValueError:
        return None if _is_dns_name(address) else f"{address!r} is no IPv4 or IPv6 address and no DNS name"
    return None


def platform_fault(slug: str) -> str | None:
    """Say what is wrong with a platform's slug, the nearest ones with it, or None."""
    try:
        platforms.find(slug)
    except UnknownPlatformError as error:
        return str(error)
    return None


def _is_dns_name(text: str) -> bool:
    labels = text.removesuffix(".").split(".")
    return len(text) <= MAX_DNS_CHARS and all(_LABEL.fullmatch(label) for label in labels) and not labels[-1].isdigit()


_CHECKS: Mapping[str, Callable[[str], str | None]] = {
    "name": name_fault,
    "address": address_fault,
    "platform": platform_fault,
}
