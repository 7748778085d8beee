"""What devices tell the areas above them: which was created, changed or deleted, as the events of the house."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from app.core import database
from app.core.events import publish

CREATED, CHANGED, DELETED = "device.created", "device.changed", "device.deleted"
_TOLD = (
    "id", "name", "address", "platform", "vendor", "model", "serial", "os_version", "site", "role", "tenant", "status",
    "tags",
)  # fmt: skip


async def publish_devices(event: str, changed: Mapping[UUID, Sequence[str]]) -> None:
    """Publish what became of devices, inside the transaction that did it; ``changed`` names the fields of each."""
    if not changed:
        return
    rows = await database.fetch(
        f"SELECT {', '.join(_TOLD)} FROM devices WHERE id = ANY($1) ORDER BY id",  # noqa: S608 — the columns are ours
        list(changed),
    )
    await publish(event, [{"device": _device(row), "changed": list(changed[row["id"]])} for row in rows])


def _device(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "tags": msgspec.json.decode(row["tags"])}
