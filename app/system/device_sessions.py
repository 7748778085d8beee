"""What the ledger of leases says of sessions: who holds which, and who waits."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import anyio.to_thread
from redis import Redis

from app.core.errors import ValidationError
from app.core.leases import list_devices
from app.core.paging import Page, PageRequest, Position

SORT = "device_id"


async def list_sessions(redis: Redis, request: PageRequest) -> Page[dict[str, Any]]:
    """Return a page of the devices that sessions are open to, or waited for, by id; busy is as of a second ago."""
    if request.sort not in {None, SORT}:
        raise ValidationError.of("sort", f"{request.sort!r} is not {SORT}")
    after = request.after.id if request.after is not None else ""
    total, devices = await anyio.to_thread.run_sync(list_devices, redis, after, request.limit + 1)
    items = [_shown(device) for device in devices[: request.limit]]
    is_last = len(devices) <= request.limit
    end = None if is_last else Position(sort=SORT, value=items[-1]["device_id"], id=items[-1]["device_id"])
    return Page(items=items, total=total, limit=request.limit, next=end)


def _shown(device: Mapping[str, Any]) -> dict[str, Any]:
    held, queue = device.get("held", []), device.get("queue", [])
    newest = max([*held, *queue], key=lambda entry: entry["since"])
    return {
        "device_id": device["key"],
        "device_name": newest["name"],
        "max_sessions": newest["most"],
        "sessions": [
            {**_who(one), "id": one["id"], "state": "idle" if one["idle"] else "busy"}
            for one in sorted(held, key=lambda one: (one["since"], one["id"]))
        ],
        "waiting": [_who(one) for one in queue],
    }


def _who(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "process": entry["owner"],
        "since": datetime.fromtimestamp(entry["since"], UTC),
        "user": {"execution_id": entry["execution"] or None, "node_id": entry["node"] or None},
    }
