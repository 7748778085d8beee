"""Holds what an IOS-like configuration mode knows about its lines: modes, single values, short forms."""

import re
from dataclasses import dataclass

VIRTUAL_INTERFACES = ("Loopback", "Vlan", "Port-channel", "Tunnel")
INTERFACE_SHORT_FORMS = {
    "Ethernet": "Et",
    "FastEthernet": "Fa",
    "GigabitEthernet": "Gi",
    "TenGigabitEthernet": "Te",
    "Loopback": "Lo",
    "Vlan": "Vl",
    "Port-channel": "Po",
    "Tunnel": "Tu",
}
INTERFACE_NAME = re.compile(r"([A-Za-z-]+)(\d+(?:/\d+)*(?:\.\d+)?)$")

SHORTENED_KEYWORDS = (
    "interface", "description", "shutdown", "switchport", "hostname", "router", "spanning-tree",
)  # fmt: skip
SHORTEST_KEYWORD = 3

NEGATIONS = ("no", "default")
FIRST_WORDS_REFUSED = ("bogus", "invalid")


@dataclass(frozen=True, slots=True)
class Opening:
    """A line that opens a mode: the modes it may be typed in (none: all), its form, the mode it opens."""

    parents: tuple[str, ...]
    form: re.Pattern[str]
    mode: str


OPENINGS = tuple(
    Opening(parents, re.compile(form + "$"), mode)
    for parents, form, mode in (
        (("config-router",), r"address-family \S+.*", "config-router-af"),
        (("config-pmap",), r"class \S+", "config-pmap-c"),
        (("config-vrf",), r"address-family \S+.*", "config-vrf-af"),
        ((), r"interface \S+\.\d+", "config-subif"),
        ((), r"interface \S+", "config-if"),
        ((), r"router (?:bgp|ospf|eigrp|rip|isis)(?: \S+)*", "config-router"),
        ((), r"line (?:con|console|vty|aux) \d+(?: \d+)?", "config-line"),
        ((), r"vlan \d+", "config-vlan"),
        ((), r"vrf definition \S+", "config-vrf"),
        ((), r"ip access-list standard \S+", "config-std-nacl"),
        ((), r"ip access-list extended \S+", "config-ext-nacl"),
        ((), r"route-map \S+(?: (?:permit|deny)(?: \d+)?)?", "config-route-map"),
        ((), r"class-map(?: match-(?:any|all))? \S+", "config-cmap"),
        ((), r"policy-map \S+", "config-pmap"),
    )
)

SINGLE_VALUED = tuple(
    re.compile(form + r"(?= |$)")
    for form in (
        "hostname", "version", "enable secret", r"username \S+", r"banner \S+", "clock timezone",
        "ntp source", "ip default-gateway", "ip domain name", "ip domain-name", "spanning-tree mode",
        "logging source-interface", "logging buffered", "logging trap",
        "snmp-server location", "snmp-server contact", r"snmp-server community \S+",
        "description", "name", "mtu", "ip mtu", "bandwidth", "speed", "duplex", "delay", "load-interval",
        "switchport mode", "switchport access vlan", "switchport trunk allowed vlan",
        "switchport trunk native vlan", "switchport trunk encapsulation", "channel-group", "encapsulation",
        "ip address(?!.* secondary)", r"ip access-group \S+", "vrf forwarding",
        "service-policy (?:input|output)", "router-id", "bgp router-id",
        r"neighbor \S+ (?:remote-as|description|update-source)",
        "exec-timeout", "session-timeout", "transport input", "transport output", "login",
    )
)  # fmt: skip

GLOBAL_ONLY = re.compile(
    r"(?:(?:no|default) )?"
    r"(?:hostname|version|enable|username|aaa|service|snmp-server|ntp|banner|clock"
    r"|spanning-tree (?:mode|extend)|logging (?:host|buffered|trap|source-interface|\d\S*)"
    r"|ip (?:route|domain|domain-name|name-server|default-gateway|ssh|http|prefix-list))(?: |$)"
)
"""Lines that leave any mode below `config`, because only that one knows them."""

KEPT_NEGATIONS = re.compile(
    r"(?:switchport|ip (?:domain lookup|domain-lookup|http server|http secure-server)"
    r"|ip (?:redirects|unreachables|proxy-arp|route-cache)|service pad"
    r"|cdp (?:run|enable)|lldp (?:transmit|receive)|autostate|auto-summary"
    r"|synchronization|bgp default ipv4-unicast)$"
)
"""Settings that are on by default, so that switching them off is a line of its own."""


def expand(line: str) -> str:
    """Return a line with its keyword written out and its interface named in full, the rest as typed."""
    first, _, rest = line.strip().partition(" ")
    if first in NEGATIONS and rest:
        return f"{first} {expand(rest)}"
    keyword = _expand_keyword(first)
    if keyword == "interface" and (name := interface_name("".join(rest.split()))):
        rest = name
    return f"{keyword} {rest.strip()}".rstrip()


def interface_name(text: str) -> str | None:
    """Return the full name of an interface such as `gi0/1`, or None if there is no such type."""
    match = INTERFACE_NAME.match(text)
    if match is None:
        return None
    kinds = [kind for kind in INTERFACE_SHORT_FORMS if kind.lower().startswith(match[1].lower())]
    return f"{kinds[0]}{match[2]}" if kinds else None


def short_interface_name(name: str) -> str:
    """Return an interface's name as tables show it, such as `Gi0/1`."""
    match = INTERFACE_NAME.match(name)
    if match is None:
        return name
    return f"{INTERFACE_SHORT_FORMS.get(match[1], match[1])}{match[2]}"


def opened_mode(mode: str, line: str) -> Opening | None:
    """Return what a line opens when it is typed in a mode, or None for a plain line."""
    for opening in OPENINGS:
        if (not opening.parents or mode in opening.parents) and opening.form.match(line):
            return opening
    return None


def single_value_key(line: str) -> str | None:
    """Return the words that name a setting with only one value, such as `description`, or None."""
    for form in SINGLE_VALUED:
        if match := form.match(line):
            return match[0]
    return None


def refused_column(line: str) -> int | None:
    """Return the column at which a configuration line is wrong, or None if it may stand."""
    words = [(match[0], match.start()) for match in re.finditer(r"\S+", line)]
    rest = words[1:] if words[0][0] in NEGATIONS else words
    if not rest:
        return len(line)
    keyword, column = _expand_keyword(rest[0][0]), rest[0][1]
    if keyword == "interface" and interface_name("".join(word for word, _ in rest[1:])) is None:
        return rest[1][1] if len(rest) > 1 else len(line)
    return column if keyword.lower().startswith(FIRST_WORDS_REFUSED) else None


def _expand_keyword(word: str) -> str:
    matches = [keyword for keyword in SHORTENED_KEYWORDS if keyword.startswith(word.lower())]
    return matches[0] if len(matches) == 1 and len(word) >= SHORTEST_KEYWORD else word
