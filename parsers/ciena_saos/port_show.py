"""Reads `port show`: link, transceiver, spanning tree and speed of every port, and its configuration."""

import re
from typing import Annotated

from msgspec import Meta

from parsers.ciena_saos.values import duration_s, flag
from parsers.contract import Record
from parsers.registry import parser
from parsers.tables import Row, Table, find_table

_FIELDS = {
    "port table: port name": "port",
    "port table: port type": "port_type",
    "operational status: link": "oper_link",
    "operational status: link state duration": "link_state_duration",
    "operational status: xcvr": "transceiver",
    "operational status: stp": "stp",
    "operational status: mode": "oper_mode",
    "operational status: auto neg": "oper_auto_negotiation",
    "admin config: link": "admin_link",
    "admin config: mode": "admin_mode",
    "admin config: auto neg": "admin_auto_negotiation",
}
# Every form of the table prints the first seven.
_REQUIRED = frozenset(list(_FIELDS)[:7])
_PARAMETER_CELLS = 2
_MODE = re.compile(r"(?:([0-9]{1,6}(?:\.[0-9]{1,3})?)(G?)|[A-Za-z]+)/(FD|HD)")
_DUPLEX = {"FD": "full", "HD": "half"}


class PortRecord(Record, frozen=True, kw_only=True):
    """A row of the port table: a physical port or an aggregation."""

    port: Annotated[str, Meta(description="Port name, such as 3, 1.11, 2/7 or LAG1")]
    port_type: Annotated[str | None, Meta(description="Media and speeds of the port, as printed")]
    oper_link: Annotated[str | None, Meta(description="Operational link state, as printed: Up or Down")]
    link_state_duration_s: Annotated[
        int | None, Meta(description="How long the link has been in this state, in seconds")
    ]
    transceiver: Annotated[str | None, Meta(description="Transceiver state, as printed: Ena, Dis, UCTF; null for none")]
    stp: Annotated[str | None, Meta(description="Spanning tree state, as printed: FWD, Dis and so on")]
    oper_mode: Annotated[str | None, Meta(description="Operational speed and duplex, as printed: 1000/FD")]
    oper_speed_mbps: Annotated[int | None, Meta(description="Operational speed, in Mbit/s")]
    oper_duplex: Annotated[str | None, Meta(description="Operational duplex: full or half")]
    oper_auto_negotiation: Annotated[bool | None, Meta(description="Whether the link came up by auto-negotiation")]
    admin_link: Annotated[str | None, Meta(description="Configured link state, as printed: Ena or Dis")]
    admin_mode: Annotated[str | None, Meta(description="Configured speed and duplex, as printed: Auto/FD")]
    admin_speed_mbps: Annotated[int | None, Meta(description="Configured speed, in Mbit/s; null when it is Auto")]
    admin_duplex: Annotated[str | None, Meta(description="Configured duplex: full or half")]
    admin_auto_negotiation: Annotated[bool | None, Meta(description="Whether auto-negotiation is configured on")]
    other_columns: Annotated[
        dict[str, str | None], Meta(description="Further columns of the release, by printed heading")
    ]


@parser(platform="ciena_saos", commands=("port show",), record=PortRecord)
def port_show(text: str) -> list[PortRecord]:
    """Return one record per port and aggregation, in the order printed."""
    table = find_table(text, command="port show", required=_REQUIRED, above=_PARAMETER_CELLS)
    return [_record(table, row) for row in table.rows()]


def _record(table: Table, row: Row) -> PortRecord:
    cells, other = table.fields(row, _FIELDS)
    if cells["port"] is None:
        raise row.refuse("the row names no port; give only what 'port show' printed")
    oper_speed_mbps, oper_duplex = _mode(cells["oper_mode"])
    admin_speed_mbps, admin_duplex = _mode(cells["admin_mode"])
    return PortRecord(
        port=cells["port"],
        port_type=cells["port_type"],
        oper_link=cells["oper_link"],
        link_state_duration_s=duration_s(cells["link_state_duration"], row),
        transceiver=cells["transceiver"],
        stp=cells["stp"],
        oper_mode=cells["oper_mode"],
        oper_speed_mbps=oper_speed_mbps,
        oper_duplex=oper_duplex,
        oper_auto_negotiation=flag(cells["oper_auto_negotiation"], row),
        admin_link=cells["admin_link"],
        admin_mode=cells["admin_mode"],
        admin_speed_mbps=admin_speed_mbps,
        admin_duplex=admin_duplex,
        admin_auto_negotiation=flag(cells["admin_auto_negotiation"], row),
        other_columns=other,
    )


def _mode(text: str | None) -> tuple[int | None, str | None]:
    """Return the speed in Mbit/s and the duplex in a mode such as `1000/FD`, `10G/FD` or `Auto/FD`."""
    found = _MODE.fullmatch(text or "")
    if not found:
        return None, None
    amount, giga, duplex = found.groups()
    speed_mbps = round(float(amount) * (1_000 if giga else 1)) if amount else None
    return speed_mbps, _DUPLEX[duplex]
