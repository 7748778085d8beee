"""Reads `lldp show neighbors`: every neighbor of every port, as it described itself."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated

from msgspec import Meta

from parsers.contract import Record
from parsers.registry import parser
from parsers.tables import Row, Table, find_table

_REQUIRED = frozenset({"local: port", "remote: port", "remote: info"})
_CAPABILITIES = re.compile(r"(?:sys(?:tem)?\s+)?cap[a-z]*", re.IGNORECASE)
_LABELS = {
    "chassis id": "chassis_id",
    "mgmt addr": "management_addresses",
    "system name": "system_name",
    "system desc": "system_description",
    "port desc": "port_description",
    "synce suppt": "synce_support",
    "synce confg": "synce_configuration",
}


class NeighborRecord(Record, frozen=True, kw_only=True):
    """A neighbor heard on a local port."""

    local_port: Annotated[str, Meta(description="The port of this device that heard the neighbor")]
    port_id: Annotated[str | None, Meta(description="The neighbor's port id")]
    chassis_id: Annotated[str | None, Meta(description="The neighbor's chassis id, as printed")]
    system_name: Annotated[str | None, Meta(description="The neighbor's system name")]
    system_description: Annotated[
        str | None, Meta(description="The neighbor's system description; its lines joined by line feeds")
    ]
    port_description: Annotated[str | None, Meta(description="The neighbor's port description")]
    management_addresses: Annotated[
        list[str], Meta(description="The neighbor's management addresses, IPv4 and IPv6, in printed order")
    ]
    capabilities: Annotated[list[str], Meta(description="The neighbor's system capabilities")]
    synce_support: Annotated[str | None, Meta(description="Synchronous Ethernet support, as printed")]
    synce_configuration: Annotated[str | None, Meta(description="Synchronous Ethernet configuration, as printed")]
    other_fields: Annotated[dict[str, str | None], Meta(description="Further fields of the release, by printed label")]


@dataclass(slots=True)
class _Draft:
    """A neighbor while its rows are read: what it told, line by line, under the labels as printed."""

    row: Row
    local_port: list[str]
    port_id: list[str]
    told: dict[str, list[str]] = field(default_factory=dict)
    label: str = ""
    colon: int = -1

    def lines(self, name: str) -> list[str]:
        """Return the lines of every label that stands for this field of the record."""
        return [line for label, lines in self.told.items() if _field(label) == name for line in lines]


@parser(
    platform="ciena_saos",
    commands=("lldp show neighbors", "lldp show neighbors port {port}", "lldp remote show"),
    record=NeighborRecord,
)
def lldp_show_neighbors(text: str) -> list[NeighborRecord]:
    """Return one record per neighbor, in the order printed; what the device says of itself is left out."""
    table = find_table(text, command="lldp show neighbors", required=_REQUIRED, above=1)
    return [_record(draft) for draft in _drafts(table)]


def _drafts(table: Table) -> Iterator[_Draft]:
    """Gather rows into neighbors: one begins under each border, and at a further chassis id."""
    draft: _Draft | None = None
    for place, row in ((place, row) for section in table.body for place, row in enumerate(section)):
        local, remote, told = table.cells(row)
        if draft is None or place == 0 or _is_next(draft, told):
            if draft:
                yield draft
            port = local.strip() or ("".join(draft.local_port) if draft else "")
            draft = _Draft(row, [port], [remote.strip()])
        else:
            draft.local_port.append(local.strip())
            draft.port_id.append(remote.strip())
        _add(draft, row, told)
    if draft:
        yield draft


def _is_next(draft: _Draft, told: str) -> bool:
    label, _ = _labelled(told, draft.colon)
    return _field(label) == "chassis_id" and label in draft.told


def _add(draft: _Draft, row: Row, told: str) -> None:
    first, *rest = told.split("\n")
    label, value = _labelled(first, draft.colon)
    if label:
        draft.label = label
        draft.colon = first.index(":") if draft.colon < 0 else draft.colon
        draft.told.setdefault(label, [])
    lines = [line for line in (value, *(text.strip() for text in rest)) if line]
    if lines and not draft.label:
        raise row.refuse("the text stands under no label such as 'Chassis Id:'; give all that was printed")
    draft.told.get(draft.label, []).extend(lines)


def _labelled(line: str, colon: int) -> tuple[str, str]:
    """Split a line into label and value; the label of a line that continues a value is empty.

    Labels end in one column, `colon`, once the first is known; a known label is one wherever it stands.
    """
    head, mark, tail = line.partition(":")
    label = head.strip()
    aligned = len(head) == colon and not tail[:1].strip()
    if mark and label and (aligned or _field(label)):
        return label, tail.strip()
    return "", line.strip()


def _field(label: str) -> str | None:
    """Return the field of the record that a printed label stands for."""
    return "capabilities" if _CAPABILITIES.fullmatch(label) else _LABELS.get(label.lower())


def _record(draft: _Draft) -> NeighborRecord:
    local_port, port_id = "".join(draft.local_port), "".join(draft.port_id) or None
    chassis_id = _text(draft.lines("chassis_id"))
    if not local_port or not (port_id or chassis_id):
        raise draft.row.refuse("the row names no local port, or neither the neighbor's port nor its chassis")
    capabilities = (word.strip() for line in draft.lines("capabilities") for word in line.split(","))
    return NeighborRecord(
        local_port=local_port,
        port_id=port_id,
        chassis_id=chassis_id,
        system_name=_text(draft.lines("system_name")),
        system_description=_text(draft.lines("system_description")),
        port_description=_text(draft.lines("port_description")),
        management_addresses=draft.lines("management_addresses"),
        capabilities=[word for word in capabilities if word],
        synce_support=_text(draft.lines("synce_support")),
        synce_configuration=_text(draft.lines("synce_configuration")),
        other_fields={label: _text(lines) for label, lines in draft.told.items() if not _field(label)},
    )


def _text(lines: list[str]) -> str | None:
    return "\n".join(lines) or None
