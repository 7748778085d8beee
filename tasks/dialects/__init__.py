"""How each platform words its refusals and shows its configuration: data, a file per vendor."""

from collections.abc import Mapping

from tasks.dialects.arista import ARISTA_EOS
from tasks.dialects.ciena import CIENA_SAOS
from tasks.dialects.cisco import CISCO_IOS, CISCO_NXOS
from tasks.dialects.contract import Dialect, FlatRules, Refusal

DIALECTS: Mapping[str, Dialect] = {
    "arista_eos": ARISTA_EOS,
    "ciena_saos": CIENA_SAOS,
    "cisco_ios": CISCO_IOS,
    "cisco_nxos": CISCO_NXOS,
    "cisco_xe": CISCO_IOS,
}
"""The platforms whose ways are known, by netmiko device type."""

__all__ = ["DIALECTS", "Dialect", "FlatRules", "Refusal", "dialect_of"]


def dialect_of(device_type: str) -> Dialect | None:
    """Return the dialect of a netmiko device type, with or without its transport, or None."""
    return DIALECTS.get(device_type.removesuffix("_ssh").removesuffix("_telnet"))
