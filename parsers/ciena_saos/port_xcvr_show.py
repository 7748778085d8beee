"""Reads `port xcvr show`: what is plugged into every cage, empty cages included."""

from typing import Annotated

from msgspec import Meta

from parsers.ciena_saos.values import flag, number
from parsers.contract import Record
from parsers.registry import parser
from parsers.tables import Row, Table, find_table

_FIELDS = {
    "port": "port",
    "vendor name & part number": "identity",
    "ether medium & connector type": "medium",
    "admin state": "admin_state",
    "oper state": "oper_state",
    "ciena rev": "ciena_revision",
    "diag data": "diagnostics",
    "diag": "diagnostics",
    "wavelength": "wavelength",
    "wavelength (nm)": "wavelength",
    "tx power (dbm)": "tx_power",
    "rx power (dbm)": "rx_power",
}
# Every form of the table prints the first three.
_REQUIRED = frozenset(list(_FIELDS)[:3])


class TransceiverRecord(Record, frozen=True, kw_only=True):
    """A cage and the transceiver in it; everything about the transceiver is null in an empty cage."""

    port: Annotated[str, Meta(description="Port name, such as 5 or 2/7")]
    present: Annotated[bool, Meta(description="Whether a transceiver is plugged in")]
    admin_state: Annotated[
        str | None, Meta(description="Configured state, as printed: Ena, Dis, or Empty for an empty cage")
    ]
    oper_state: Annotated[str | None, Meta(description="Operational state, as printed: Ena, Dis, UCTF")]
    vendor_and_part_number: Annotated[
        str | None, Meta(description="Vendor, part number and revision, as printed in one cell")
    ]
    vendor: Annotated[str | None, Meta(description="Vendor name")]
    part_number: Annotated[str | None, Meta(description="Vendor's part number")]
    revision: Annotated[str | None, Meta(description="Vendor's revision of the part, without 'Rev'")]
    ciena_revision: Annotated[str | None, Meta(description="Ciena's revision of the part")]
    ether_medium: Annotated[str | None, Meta(description="Ethernet medium: 1000BASE-LX, 10G BASE-LR")]
    connector: Annotated[str | None, Meta(description="Connector: LC, RJ45, MU")]
    wavelength_nm: Annotated[float | None, Meta(description="Wavelength, in nm, where the form prints it")]
    diagnostics: Annotated[bool | None, Meta(description="Whether the transceiver gives diagnostic data")]
    tx_power_dbm: Annotated[float | None, Meta(description="Transmitted power, in dBm, where the form prints it")]
    rx_power_dbm: Annotated[
        float | None, Meta(description="Received power, in dBm, where the form prints it; null for no light")
    ]
    other_columns: Annotated[
        dict[str, str | None], Meta(description="Further columns of the release, by printed heading")
    ]


@parser(
    platform="ciena_saos",
    commands=("port xcvr show", "port xcvr show port {port}"),
    record=TransceiverRecord,
)
def port_xcvr_show(text: str) -> list[TransceiverRecord]:
    """Return one record per cage, in the order printed."""
    table = find_table(text, command="port xcvr show", required=_REQUIRED)
    return [_record(table, row) for row in table.rows()]


def _record(table: Table, row: Row) -> TransceiverRecord:
    cells, other = table.fields(row, _FIELDS)
    if cells["port"] is None:
        raise row.refuse("the row names no port; give only what 'port xcvr show' printed")
    identity = None if _is_empty(cells["identity"]) else cells["identity"]
    vendor, part_number, revision = _identity(identity or "")
    ether_medium, connector = _medium(cells["medium"] or "")
    return TransceiverRecord(
        port=cells["port"],
        present=not (_is_empty(cells["admin_state"]) or _is_empty(cells["identity"])),
        admin_state=cells["admin_state"],
        oper_state=cells["oper_state"],
        vendor_and_part_number=identity,
        vendor=vendor,
        part_number=part_number,
        revision=revision,
        ciena_revision=cells["ciena_revision"],
        ether_medium=ether_medium,
        connector=connector,
        wavelength_nm=number(cells["wavelength"], row),
        diagnostics=flag(cells["diagnostics"], row),
        tx_power_dbm=number(cells["tx_power"], row),
        rx_power_dbm=number(cells["rx_power"], row),
        other_columns=other,
    )


def _is_empty(text: str | None) -> bool:
    return (text or "").lower() == "empty"


def _identity(text: str) -> tuple[str | None, str | None, str | None]:
    """Split `CIENA-LMT XCVR-A40Y31 Rev0003` into vendor, part number and revision.

    The part number is the last word before the revision; a single word is taken as the vendor.
    """
    name, mark, revision = text.rpartition(" Rev")
    words, revision = name.split(), revision.strip()
    if not mark or not words or " " in revision:
        words, revision = text.split(), ""
    part_number = words.pop() if len(words) > 1 else None
    return " ".join(words) or None, part_number, revision or None


def _medium(text: str) -> tuple[str | None, str | None]:
    """Split `1000BASE-LX/LC` or `10G BASE-LR:LC` at the last mark; a connector starts with a letter."""
    mark = max(text.rfind("/"), text.rfind(":"))
    medium, connector = text[:mark].strip(), text[mark + 1 :].strip()
    if mark < 0 or not connector[:1].isalpha():
        return text or None, None
    return medium or None, connector
