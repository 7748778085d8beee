"""Secrets that devices print themselves (communities, keys, hashes), blotted out for readers who may not see them."""

import re
from collections.abc import Mapping
from typing import Any

MASK = "********"
PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?<=snmp-server community )\S+",
        r"(?<=snmp create community-string )\S+",
        r"(?<=\bcommunity )\S+(?= (?:ro|rw|view)\b)",
        r"(?<=\bpassword )(?:\d )?\S+",
        r"(?<=\bsecret )(?:\d )?\S+",
        r"(?<=\bkey-string )(?:\d )?\S+",
        r"(?<=\bpre-shared-key )(?:\d )?\S+",
        r"(?<=\bauthentication-key )(?:\d+ md5 )?\S+",
        r"(?<=\bkey 7 )\S+",
        r"(?<=\bmd5 7 )\S+",
        r"\$(?:1|5|6|8|9|14|sha512)\$[./A-Za-z0-9$=+-]{8,}",
        r"(?<=\bencrypted-password )\S+",
        r"(?<=\bwpa-psk ascii )(?:\d )?\S+",
    )
)


def redact(value: Any) -> Any:
    """Return a JSON-like value with what looks like a device's secret masked in its texts."""
    if isinstance(value, str):
        for pattern in PATTERNS:
            value = pattern.sub(MASK, value)
        return value
    if isinstance(value, Mapping):
        return {key: redact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    return value
