"""Hosts of an execution: its own targets, and those that single nodes bring along."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.automation.workflows.definition import Definition
from app.automation.workflows.graph import Plan
from app.core.errors import ValidationError
from app.devices import targets as device_targets
from inventory.records import HostRecord


@dataclass(frozen=True, kw_only=True)
class Hosting:
    """All hosts of an execution, which of them are its own targets, and which nodes name which hosts themselves."""

    hosts: Sequence[HostRecord]
    targets: frozenset[str]
    nodes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By host key."""


async def host(definition: Definition, plan: Plan, targets: Sequence[HostRecord]) -> Hosting:
    """Add the hosts that nodes bring along; raises ValidationError naming the node whose targets are wrong."""
    found = {record.key: record for record in targets}
    nodes: dict[str, list[str]] = {}
    for node_id, scope in plan.scopes.items():
        own = definition.nodes[node_id].options.targets
        if own is None or scope != "device":
            continue
        for record in await _resolve(node_id, own):
            found.setdefault(record.key, record)
            nodes.setdefault(record.key, []).append(node_id)
    return Hosting(hosts=list(found.values()), targets=frozenset(record.key for record in targets), nodes=nodes)


def invent(definition: Definition, plan: Plan, hosts: Sequence[HostRecord]) -> Hosting:
    """Let a test's invented hosts stand for whatever targets nodes have of their own."""
    own = [node_id for node_id in plan.scopes if definition.nodes[node_id].options.targets is not None]
    keys = [record.key for record in hosts]
    return Hosting(hosts=hosts, targets=frozenset(keys), nodes=dict.fromkeys(keys, own))


def only(hosting: Hosting, keys: frozenset[str] | None) -> Hosting:
    """Leave out the hosts that are not meant this time."""
    if keys is None:
        return hosting
    return Hosting(
        hosts=[record for record in hosting.hosts if record.key in keys],
        targets=hosting.targets & keys,
        nodes=hosting.nodes,
    )


async def _resolve(node_id: str, targets: Mapping[str, object]) -> list[HostRecord]:
    try:
        return await device_targets.resolve(targets)
    except ValidationError as error:
        faults = [{**fault, "field": f"{node_id}.options.{fault['field']}"} for fault in error.details]
        raise ValidationError(f"{node_id}: {error.message}", faults) from error
