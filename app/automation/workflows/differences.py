"""What lies between two versions of a workflow: nodes, edges and settings, and apart from them what was only moved."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from app.automation.workflows.definition import handle_name
from app.automation.workflows.settings import read_settings

Ends = tuple[str, str, str, str]


class FieldChange(msgspec.Struct, frozen=True, kw_only=True):
    """A field with its values; one that a version lacks is absent, not null."""

    path: str
    old: Any | UnsetType = UNSET
    new: Any | UnsetType = UNSET


class NodeMention(msgspec.Struct, frozen=True, kw_only=True):
    """A node that only one of the versions has."""

    id: str
    node_type: str
    label: str


class NodeChange(msgspec.Struct, frozen=True, kw_only=True):
    """A node that both versions have, and what differs in its `data`."""

    id: str
    fields: list[FieldChange]


class NodeChanges(msgspec.Struct, frozen=True, kw_only=True):
    """How the nodes differ."""

    added: list[NodeMention]
    removed: list[NodeMention]
    changed: list[NodeChange]


class EdgeMention(msgspec.Struct, frozen=True, kw_only=True):
    """An edge by its ends; an empty handle is the plain in or out of its node."""

    source: str
    source_handle: str
    target: str
    target_handle: str


class EdgeChanges(msgspec.Struct, frozen=True, kw_only=True):
    """How the edges differ; one whose id alone is another is the same edge."""

    added: list[EdgeMention]
    removed: list[EdgeMention]


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A node that stands elsewhere on the canvas."""

    id: str
    old: Any
    new: Any


class Differences(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that differs between an older and a newer version."""

    nodes: NodeChanges
    edges: EdgeChanges
    settings: list[FieldChange]
    moved: list[Move]


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> Differences:
    """Compare two versions, each with ``definition`` and ``settings``."""
    before, after = _nodes(old["definition"]), _nodes(new["definition"])
    both = [node_id for node_id in before if node_id in after]
    fields = {node_id: list(_fields("", _data(before[node_id]), _data(after[node_id]))) for node_id in both}
    return Differences(
        nodes=NodeChanges(
            added=[_mention(node) for node_id, node in after.items() if node_id not in before],
            removed=[_mention(node) for node_id, node in before.items() if node_id not in after],
            changed=[NodeChange(id=node_id, fields=changes) for node_id, changes in fields.items() if changes],
        ),
        edges=_compare_edges(old["definition"], new["definition"]),
        settings=list(_fields("", _whole(old["settings"]), _whole(new["settings"]))),
        moved=[
            Move(id=node_id, old=before[node_id].get("position"), new=after[node_id].get("position"))
            for node_id in both
            if not equal(before[node_id].get("position"), after[node_id].get("position"))
        ],
    )


def equal(old: Any, new: Any) -> bool:
    """Say whether two JSON values are the same one: true is not 1, and 1 is 1.0."""
    if isinstance(old, bool) or isinstance(new, bool):
        return old is new
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return old.keys() == new.keys() and all(equal(value, new[key]) for key, value in old.items())
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(equal, old, new))
    return bool(old == new)


def _nodes(definition: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {node["id"]: node for node in definition.get("nodes", [])}


def _data(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the service looks at: an empty part of a node's data is as good as none."""
    return {key: value for key, value in node.get("data", {}).items() if value not in ({}, "", None)}


def _mention(node: Mapping[str, Any]) -> NodeMention:
    data = node.get("data", {})
    return NodeMention(id=node["id"], node_type=str(data.get("nodeType", "")), label=str(data.get("label") or ""))


def _whole(settings: Mapping[str, Any]) -> Any:
    return msgspec.to_builtins(read_settings(settings))


def _fields(path: str, old: Any, new: Any) -> Iterator[FieldChange]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = [*old, *(key for key in new if key not in old)]
        inner: Iterable[tuple[str, Any, Any]] = (
            (f"{path}.{key}" if path else key, old.get(key, UNSET), new.get(key, UNSET)) for key in keys
        )
    elif isinstance(old, list) and isinstance(new, list):
        places = range(max(len(old), len(new)))
        inner = ((f"{path}[{place}]", _at(old, place), _at(new, place)) for place in places)
    else:
        if not equal(old, new):
            yield FieldChange(path=path, old=old, new=new)
        return
    for where, before, after in inner:
        yield from _fields(where, before, after)


def _at(values: list[Any], place: int) -> Any:
    return values[place] if place < len(values) else UNSET


def _compare_edges(old: Mapping[str, Any], new: Mapping[str, Any]) -> EdgeChanges:
    before, after = Counter(_ends(old)), Counter(_ends(new))
    return EdgeChanges(
        added=[EdgeMention(**_named(ends)) for ends in (after - before).elements()],
        removed=[EdgeMention(**_named(ends)) for ends in (before - after).elements()],
    )


def _ends(definition: Mapping[str, Any]) -> Iterator[Ends]:
    for edge in definition.get("edges", []):
        out, into = edge.get("sourceHandle"), edge.get("targetHandle")
        yield edge["source"], handle_name(out), edge["target"], handle_name(into)


def _named(ends: Ends) -> dict[str, str]:
    return dict(zip(EdgeMention.__struct_fields__, ends, strict=True))
