"""Cisco IOS, IOS XE and NX-OS."""

import re
from dataclasses import replace

from tasks.dialects.contract import Dialect, Refusal

IOS_REFUSALS = (
    Refusal(
        words=re.compile(r"^\s*% ?(?:Invalid (?:input|command)|Incomplete command|Ambiguous command|Unknown command)"),
        error_class="unsupported",
    ),
    Refusal(
        words=re.compile(
            r"^\s*%? ?(?:Command authorization failed|Authorization failed|Permission denied)", re.IGNORECASE
        ),
        error_class="auth",
    ),
)
IOS_CONFIG_REFUSAL = (
    r"^\s*(?:%.*\b(?:[Ii]nvalid|[Ii]ncomplete|[Aa]mbiguous|[Uu]nrecognized|[Uu]nknown|[Ee]rror|ERROR|[Bb]ad"
    r"|overlaps|[Rr]ejected|[Nn]ot (?:found|allowed|supported|valid|permitted|a valid)|[Cc]annot|[Ff]ailed|[Mm]ust)\b.*"
    r"|(?:Command (?:authorization failed|[Rr]ejected)|ERROR:).*)$"
)
SECTIONS = re.compile(
    r"(?:interface|router|vlan \d|line|vrf (?:definition|context)|ip(?:v6)? access-list|route-map|class-map"
    r"|policy-map|key chain|crypto map|redundancy|archive)\b",
    re.IGNORECASE,
)
SWITCHPORT_VALUES = (
    ("interface ", "switchport access vlan "),
    ("interface ", "switchport trunk allowed vlan "),
    ("interface ", "switchport trunk native vlan "),
    ("interface ", "mtu "),
    ("interface ", "bandwidth "),
    ("interface ", "speed "),
    ("interface ", "duplex "),
    ("hostname ",),
    ("ip default-gateway ",),
    ("snmp-server location ",),
    ("snmp-server contact ",),
    ("logging buffered ",),
    ("logging trap ",),
    ("logging source-interface ",),
    ("clock timezone ",),
    ("spanning-tree mode ",),
)

CISCO_IOS = Dialect(
    refusals=IOS_REFUSALS,
    show_config="show running-config",
    save="write memory",
    config_refusal=IOS_CONFIG_REFUSAL,
    prompt_line=r"^\S+#",
    noise=tuple(
        re.compile(words)
        for words in (
            r"Building configuration",
            r"Current configuration\s*:",
            r"Using \d+ out of \d+ bytes",
            r"\s*!",
            r"ntp clock-period ",
            r"end$",
        )
    ),
    opens=SECTIONS,
    hier_config="CISCO_IOS",
    one_value=SWITCHPORT_VALUES,
)

CISCO_NXOS = replace(
    CISCO_IOS,
    save="copy running-config startup-config",
    noise=(re.compile(r"\s*!"),),
    hier_config="CISCO_NXOS",
)
