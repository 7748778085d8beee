"""The platform map: what a platform is called in each library that talks to it, as data over netutils' map."""

import difflib
import functools
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from netutils.lib_mapper import NAME_TO_ALL_LIB_MAPPER

from inventory.errors import UnknownPlatformError

SSH_PORT = 22
HTTPS_PORT = 443
NEAR = 4


class Platform(msgspec.Struct, frozen=True, kw_only=True):
    """A platform's slug, and its name in each library; None where the library does not know it.

    ``port`` is where its command line answers; ``napalm_port`` is set where NAPALM talks to another one.
    """

    slug: str
    label: str
    netmiko: str
    napalm: str | None = None
    ntc_templates: str | None = None
    hier_config: str | None = None
    port: int = SSH_PORT
    napalm_port: int | None = None


_CORRECTIONS: Mapping[str, Mapping[str, Any]] = {
    "arista_eos": {"napalm_port": HTTPS_PORT},
    "bigip_f5": {"netmiko": "f5_tmsh"},
    "cisco_nxos": {"napalm_port": HTTPS_PORT},
    "cisco_s500": {"netmiko": "cisco_s500"},
    "huawei_ont": {"netmiko": "huawei_ont"},
    "nokia_isam": {"netmiko": "nokia_isam"},
}
"""What netutils lacks, or says otherwise than the installed libraries do."""

_HIER_CONFIG = {
    "arista_eos": "ARISTA_EOS",
    "aruba_aoscx": "ARUBA_AOSCX",
    "cisco_ios": "CISCO_IOS",
    "cisco_nxos": "CISCO_NXOS",
    "cisco_xe": "CISCO_IOS",
    "cisco_xr": "CISCO_XR",
    "fortinet": "FORTINET_FORTIOS",
    "hp_comware": "HP_COMWARE5",
    "hp_procurve": "HP_PROCURVE",
    "huawei": "HUAWEI_VRP",
    "huawei_vrp": "HUAWEI_VRP",
    "juniper_junos": "JUNIPER_JUNOS",
    "nokia_srl": "NOKIA_SRL",
    "ruckus_fastiron": "RUCKUS_FASTIRON",
    "vyos": "VYOS",
}
"""Members of hier_config.Platform, by slug."""

_WORDS = {
    "aoscx": "AOS-CX", "asa": "ASA", "awplus": "AW+", "bigip": "BIG-IP", "eos": "EOS", "exos": "EXOS",
    "fastiron": "FastIron", "h3c": "H3C", "ios": "IOS", "junos": "Junos", "mikrotik": "MikroTik",
    "netiron": "NetIron", "nxos": "NX-OS", "paloalto": "Palo Alto", "panos": "PAN-OS", "procurve": "ProCurve",
    "routeros": "RouterOS", "saos": "SAOS", "saos10": "SAOS 10", "sonic": "SONiC", "srl": "SR Linux",
    "sros": "SR OS", "tplink": "TP-Link", "vyos": "VyOS", "wlc": "WLC", "xe": "IOS XE", "xr": "IOS XR",
}  # fmt: skip
"""How the words of a slug are written; the others are capitalised, and short ones stand in capitals."""


def find(slug: str) -> Platform:
    """Return the platform of a slug; raises UnknownPlatformError."""
    platform = PLATFORMS.get(slug)
    if platform is None:
        raise UnknownPlatformError(f"there is no platform {slug!r}{_advice(slug)}")
    return platform


def near(word: str, known: Iterable[str]) -> list[str]:
    """Return the few of the known words that resemble a wrong one most."""
    names = list(known)
    wanted = word.strip().lower().replace("-", "_").replace(" ", "_")
    if wanted in names:
        return [wanted]
    parts = [name for name in names if wanted and wanted in name.split("_")]
    alike = difflib.get_close_matches(wanted, names, n=NEAR, cutoff=0.7)
    return list(dict.fromkeys([*parts, *alike]))[:NEAR]


@functools.lru_cache(maxsize=1024)
def _advice(slug: str) -> str:
    matches = near(slug, PLATFORMS)
    if matches:
        return f"; near to it are {', '.join(matches)}"
    return "; GET /inventory/v1/platforms and inventory.platforms list all of them"


def _label(slug: str) -> str:
    return " ".join(
        _WORDS.get(word) or (word.upper() if len(word) <= 2 else word.capitalize())  # noqa: PLR2004 — an abbreviation
        for word in slug.split("_")
    )


def _build() -> dict[str, Platform]:
    listed = {slug: names for slug, names in NAME_TO_ALL_LIB_MAPPER.items() if "netmiko" in names}
    return {
        slug: Platform(
            slug=slug,
            label=_label(slug),
            hier_config=_HIER_CONFIG.get(slug),
            **{
                **{key: listed.get(slug, {}).get(key) for key in ("netmiko", "napalm", "ntc_templates")},
                **_CORRECTIONS.get(slug, {}),
            },
        )
        for slug in sorted({*listed, *_CORRECTIONS})
    }


PLATFORMS: Mapping[str, Platform] = _build()
"""Every platform, by slug."""
