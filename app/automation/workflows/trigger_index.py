"""Which workflow an HTTP path or an event starts: an index of the enabled workflows' triggers, kept with each save."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from app.automation.workflows.definition import fault, read_definition
from app.automation.workflows.graph import Catalogue
from app.automation.workflows.trigger_nodes import event_triggers, webhooks
from app.core import database
from app.core.clock import uuid7
from app.core.errors import ConflictError


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """A trigger of an enabled workflow: the workflow's row, and the node."""

    workflow: dict[str, Any]
    node_id: str


async def index_triggers(workflow_id: UUID, definition: Any, catalogue: Catalogue, *, enabled: bool) -> None:
    """Note what a workflow listens for, inside the transaction that saves it; a disabled one listens for nothing.

    Raises ConflictError naming the node whose path another workflow has.
    """
    await database.execute("DELETE FROM webhook_paths WHERE workflow = $1", workflow_id)
    await database.execute("DELETE FROM event_triggers WHERE workflow = $1", workflow_id)
    if not enabled:
        return
    read, _ = read_definition(definition)
    await _index_webhooks(workflow_id, {node_id: hook.path for node_id, hook in webhooks(read, catalogue).items()})
    await database.execute_many(
        "INSERT INTO event_triggers (id, workflow, node_id, event) VALUES ($1, $2, $3, $4)",
        [
            (uuid7(), workflow_id, node_id, event)
            for node_id, params in event_triggers(read, catalogue).items()
            for event in dict.fromkeys(params.events)
        ],
    )


async def find_webhook(path: str) -> Trigger | None:
    """Return the trigger that listens at a path, if any does."""
    rows = await database.fetch(
        "SELECT index.node_id, workflows.* FROM webhook_paths AS index "
        "JOIN workflows ON workflows.id = index.workflow WHERE index.path = $1 AND workflows.enabled",
        path,
    )
    return next(iter(_triggers(rows)), None)


async def find_listeners(event: str) -> list[Trigger]:
    """Return the triggers that listen for an event, the oldest workflow's first."""
    rows = await database.fetch(
        "SELECT index.node_id, workflows.* FROM event_triggers AS index "
        "JOIN workflows ON workflows.id = index.workflow WHERE index.event = $1 AND workflows.enabled "
        "ORDER BY workflows.id, index.node_id",
        event,
    )
    return _triggers(rows)


async def events_listened_for() -> set[str]:
    """Return the names of the events that any trigger listens for."""
    rows = await database.fetch("SELECT DISTINCT event FROM event_triggers")
    return {row["event"] for row in rows}


async def _index_webhooks(workflow_id: UUID, paths: dict[str, str]) -> None:
    taken = []
    for node_id, path in sorted(paths.items(), key=lambda entry: entry[1]):
        noted = await database.execute(
            "INSERT INTO webhook_paths (path, workflow, node_id) VALUES ($1, $2, $3) ON CONFLICT (path) DO NOTHING",
            path,
            workflow_id,
            node_id,
        )
        if not noted:
            taken.append((node_id, path))
    if taken:
        faults = [
            fault(
                "webhook_path_taken",
                f"Another enabled workflow listens at {path!r}. Choose another path, or disable that workflow.",
                node_id=node_id,
                field="parameters.path",
            )
            for node_id, path in taken
        ]
        raise ConflictError(f"{taken[0][0]}: {faults[0]['message']}", code="WEBHOOK_PATH_TAKEN", details=faults)


def _triggers(rows: Sequence[dict[str, Any]]) -> list[Trigger]:
    return [
        Trigger(
            workflow={**row, **{name: msgspec.json.decode(row[name]) for name in ("definition", "settings", "tags")}},
            node_id=row["node_id"],
        )
        for row in rows
    ]
