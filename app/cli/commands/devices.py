"""`opsconductor devices`: the inventory from the command line."""

from pathlib import Path
from typing import Any

import click

from app.cli.client import Api, open_api
from app.cli.failures import ExitCode, Failure, fault_line
from app.cli.output import json_option, print_json, print_table, say
from app.cli.references import find
from app.core.errors import NotFoundError, ValidationError

DEVICES = "/inventory/v1/devices"
COLUMNS = ("name", "address", "port", "platform", "site", "role", "status", "tags")
MEDIA_TYPES = {".csv": "text/csv", ".json": "application/json"}


@click.group()
def devices() -> None:
    """List, show and import devices."""


@devices.command("list")
@click.option("--platform", help="Only devices of this platform.")
@click.option("--site", help="Only devices of this site.")
@click.option("--role", help="Only devices of this role.")
@click.option("--group", help="Only the members of this group, by name or id.")
@click.option("--tag", help="Only devices with this tag.")
@click.option("--search", "q", help="Text in name, address or serial number.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many.")
@json_option
def list_devices(*, limit: int | None, as_json: bool, **filters: str | None) -> None:
    """List the devices."""
    with open_api() as api:
        found = list(api.entries(DEVICES, at_most=limit, **filters))
    if as_json:
        print_json(found)
    else:
        print_table(COLUMNS, [[device[name] for name in COLUMNS] for device in found])
        say(f"{len(found)} devices.")


@devices.command()
@click.argument("name")
@json_option
def show(*, name: str, as_json: bool) -> None:
    """Show a device, by name or id."""
    with open_api() as api:
        device = find(api, DEVICES, name, what="device")
    if as_json:
        print_json(device)
        return
    shown = {**device, "groups": [group["name"] for group in device["groups"]]}
    print_table(
        ("field", "value"), [(field, value) for field, value in shown.items() if value not in (None, "", [], {})]
    )


@devices.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--mode",
    type=click.Choice(["create", "upsert"]),
    default="upsert",
    show_default=True,
    help="What to do with names that are there: upsert changes them, create refuses them.",
)
@click.option("--atomic", is_flag=True, help="Import all entries or none.")
@json_option
def import_devices(*, file: Path, mode: str, atomic: bool, as_json: bool) -> None:
    """Import devices from a JSON or CSV file.

    JSON holds a list of devices, or an object with a list `devices`. CSV names its columns in the first line: name,
    address, platform, and any other field of a device. Wrong entries are told one by one; the good ones are imported.
    """
    content, media_type = _read(file)
    with open_api() as api:
        result = _send(api, content, media_type, mode=mode, atomic=atomic)
    if as_json:
        print_json(result)
    else:
        say(f"{result['created']} created, {result['updated']} changed.")
    if result["errors"]:
        raise Failure(
            f"{len(result['errors'])} fault(s) in {file} kept entries out.",
            ExitCode.INVALID,
            [fault_line(fault) for fault in result["errors"]],
        )


def _read(file: Path) -> tuple[bytes, str]:
    media_type = MEDIA_TYPES.get(file.suffix.lower())
    if media_type is None:
        raise ValidationError(f"{file} is neither .json nor .csv; its ending says how it is read.")
    try:
        content = file.read_bytes()
    except FileNotFoundError as error:
        raise NotFoundError(f"There is no file {file}.") from error
    if media_type == "application/json" and content.lstrip().startswith(b"["):
        content = b'{"devices":' + content + b"}"
    return content, media_type


def _send(api: Api, content: bytes, media_type: str, *, mode: str, atomic: bool) -> dict[str, Any]:
    result: dict[str, Any] = api.post_content(f"{DEVICES}/bulk", content, media_type, mode=mode, atomic=atomic)
    return result
