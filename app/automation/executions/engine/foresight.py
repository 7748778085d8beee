"""Foresight of a once node: which hosts came to it, and what the changing nodes behind it would be given."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

import msgspec

from app.automation.executions import records, scope
from app.automation.executions.engine.ground import Ground
from app.automation.executions.engine.performance import Performance
from app.automation.executions.masks import MASK
from app.automation.executions.records import ONCE
from app.automation.executions.walk import Walk
from app.automation.workflows import parameters
from app.automation.workflows.loops import reach
from app.automation.workflows.secrets import SECRET
from app.core import database
from app.core.database import patiently
from app.devices import service as devices
from inventory.records import HostRecord
from tasks.errors import NodeError

SHOWN = 1000
"""How many rendered changes, and how many diffs, are kept to be looked at; the hash covers all of them."""
LATER = "It depends on nodes that have not run yet; it is rendered when its turn comes."


@dataclass(frozen=True)
class Foresight:
    """What lies before a once node, read anew each time it is asked for."""

    performance: Performance
    ground: Ground

    def reached(self, node_id: str, iteration: str) -> list[str]:
        """Return the keys of the hosts that came to a once node, in the execution's order."""
        return [key for key, walk, _ in self._walks((), iteration) if walk.has_passed(node_id)]

    def preview(self, node_id: str, iteration: str) -> dict[str, Any]:
        """Return devices, changes and diffs behind and before a node, and a hash of all that would be sent.

        ``changes`` are the parameters of each changing node, rendered for each host and masked.
        """
        nodes = self._changing_behind(node_id)
        wanted = scope.referenced_nodes(self.performance.course, nodes)
        came = [(key, walk, views) for key, walk, views in self._walks(wanted, iteration) if walk.has_passed(node_id)]
        hosts = self._hosts([key for key, _, _ in came])
        changes = [
            self._change(target, hosts[key], walk, views)
            for key, walk, views in came
            if key in hosts
            for target in nodes
        ]
        about = [
            {"key": host.key, "name": host.name, "address": host.address, "platform": host.platform}
            for host in hosts.values()
        ]
        sent = hashlib.sha256(msgspec.json.encode([about, changes], order="deterministic")).hexdigest()
        return {
            "devices": about,
            "changes": changes[:SHOWN],
            "changes_total": len(changes),
            "diffs": self._diffs(),
            "hash": sent,
        }

    def _changing_behind(self, node_id: str) -> list[str]:
        course = self.performance.course
        behind = reach(course.definition, [edge.target for edge in course.definition.outgoing(node_id)])
        return [step for step in course.plan.scopes if step in behind and course.type_of(step).changes_device]

    def _change(self, node_id: str, host: HostRecord, walk: Walk, views: Mapping[str, Any]) -> dict[str, Any]:
        performance = self.performance
        node, node_type = performance.course.node(node_id), performance.course.type_of(node_id)
        seen = scope.scope_of(performance.course, walk, node_id, performance.background, views)
        told = {"node_id": node_id, "node_type": node_type.id, "device": host.name}
        try:
            secrets = dict.fromkeys(node.parameters.get("secrets") or {}, MASK)
            names = {**seen, **self.ground.names(), "host": msgspec.to_builtins(host), SECRET: secrets}
            given = msgspec.to_builtins(parameters.values(node, node_type, names))
        except NodeError as error:
            return {**told, "parameters": dict(node.parameters), "note": f"{LATER} ({error.message})"}
        return {**told, "parameters": performance.masker.value(given), "note": ""}

    def _walks(self, wanted: Sequence[str] | set[str], iteration: str) -> Iterator[tuple[str, Walk, dict[str, Any]]]:
        course, execution_id = self.performance.course, self.performance.claim.execution_id
        ground = self.ground.within(iteration, course)
        self.performance.recorder.flush()
        behind = [course.plan.trigger, *course.plan.scopes]
        load = records.load
        rows = self.performance.db.run(
            patiently(lambda: load(execution_id, behind, None, with_outputs=wanted, iteration=iteration))
        )
        by_host: dict[str, list[Mapping[str, Any]]] = {}
        for row in rows:
            by_host.setdefault(row["host_key"], []).append(row)
        once = by_host.get(ONCE, [])
        for key in self._host_keys:
            seen = [*once, *by_host.get(key, [])]
            yield key, Walk(course, ground.states(seen)), ground.views(course, seen)

    @cached_property
    def _host_keys(self) -> list[str]:
        rows = self.performance.db.run(
            patiently(
                lambda: database.fetch(
                    "SELECT host_key FROM execution_hosts WHERE execution = $1 ORDER BY id",
                    self.performance.claim.execution_id,
                )
            )
        )
        return [row["host_key"] for row in rows]

    def _hosts(self, keys: Sequence[str]) -> dict[str, HostRecord]:
        found = self.performance.db.run(patiently(lambda: devices.host_records([UUID(key) for key in keys])))
        by_key = {host.key: host for host in found}
        return {key: by_key[key] for key in keys if key in by_key}

    def _diffs(self) -> list[dict[str, Any]]:
        """Return the diffs that nodes have recorded on the way, as dry runs before an approval do."""
        rows = self.performance.db.run(
            patiently(
                lambda: database.fetch(
                    "SELECT node_id, device_name, diff FROM device_results WHERE execution = $1 AND diff <> '' "
                    "ORDER BY started_at LIMIT $2",
                    self.performance.claim.execution_id,
                    SHOWN,
                )
            )
        )
        return [{"node_id": row["node_id"], "device": row["device_name"], "diff": row["diff"]} for row in rows]
