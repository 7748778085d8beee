"""A workflow's definition as React Flow writes it, read field by field so that every fault is named at once."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Literal, TypedDict

import msgspec

DEFAULT_HANDLES = {"", "trigger", "input", "output"}
"""Handle names that canvases give to a node's plain in and out."""

MAX_RETRY_DELAY_S = 3600.0


class DefinitionFault(TypedDict):
    """What is wrong with a definition, and where: a node (or none) and a field of it."""

    type: str
    node_id: str | None
    field: str
    message: str


class NodeOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be said of any node, whatever its type."""

    on_error: Literal["failure_edge", "continue", "fail"] = "failure_edge"
    """Follow the failure edge where one is drawn, else fail; go on along success; or fail in any case."""
    scope: Literal["device", "once"] | None = None
    """Force a follow node to run per device or once."""
    run_if: str | None = None
    """An expression; where it is false the node is skipped, and the walk goes on behind it."""
    disabled: bool = False
    """The node is skipped always, and the walk goes on behind it."""
    retries: Annotated[int, msgspec.Meta(ge=0, le=10)] = 0
    """How often a failed node is tried again; a change only while nothing of it was sent."""
    retry_delay_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 1.0
    backoff: Literal["fixed", "linear", "exponential"] = "fixed"
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=86_400)] | None = None
    """How long one run on one host may take; then its session is cut, and it ends as a timeout."""
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=10_000)] | None = None
    """How many hosts may be in this node at once."""
    dry_run: bool = False
    """Only say what the node would change, whatever the execution was started for."""
    targets: dict[str, Any] | None = None
    """Devices of the node's own; on every other host it is passed over."""

    def delay_s(self, attempt: int) -> float:
        """Return how long to wait after an attempt (the first is 1), at most an hour."""
        factor = {"fixed": 1.0, "linear": float(attempt), "exponential": 2.0 ** (attempt - 1)}[self.backoff]
        return min(MAX_RETRY_DELAY_S, self.retry_delay_s * factor)


@dataclass(frozen=True, kw_only=True)
class Node:
    """A step: its node type's id, and the parameters as they were written."""

    id: str
    type_id: str
    label: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    options: NodeOptions = field(default_factory=NodeOptions)
    version: int = 1
    """The version of the node type that the parameters are written for."""


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A connection; an empty handle name is the plain in or out of the node."""

    id: str
    source: str
    target: str
    source_handle: str = ""
    target_handle: str = ""
    watch: Literal["", "noting", "handling"] = ""
    """Not drawn: an error trigger watches the source, and only takes note of its failure or handles it."""


@dataclass(frozen=True, kw_only=True)
class Definition:
    """The nodes by id, in the order they were written, and the edges."""

    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]

    @cached_property
    def _by_target(self) -> dict[str, list[Edge]]:
        return _grouped(self.edges, lambda edge: edge.target)

    @cached_property
    def _by_source(self) -> dict[str, list[Edge]]:
        return _grouped(self.edges, lambda edge: edge.source)

    def incoming(self, node_id: str) -> list[Edge]:
        """Return the edges that end at a node."""
        return self._by_target.get(node_id, [])

    def outgoing(self, node_id: str) -> list[Edge]:
        """Return the edges that begin at a node."""
        return self._by_source.get(node_id, [])


def _grouped(edges: tuple[Edge, ...], key: Callable[[Edge], str]) -> dict[str, list[Edge]]:
    groups: dict[str, list[Edge]] = {}
    for edge in edges:
        groups.setdefault(key(edge), []).append(edge)
    return groups


def fault(kind: str, message: str, *, node_id: str | None = None, field: str = "") -> DefinitionFault:
    """Build a fault."""
    return DefinitionFault(type=kind, node_id=node_id, field=field, message=message)


def read_definition(raw: Any) -> tuple[Definition, list[DefinitionFault]]:
    """Read what can be read and list what cannot."""
    if not isinstance(raw, Mapping):
        return Definition(nodes={}, edges=()), [fault("malformed", "The definition is not a JSON object.")]
    faults = [
        fault("malformed", f"{key!r} is not part of a definition; it holds nodes, edges and viewport.", field=str(key))
        for key in raw
        if key not in {"nodes", "edges", "viewport"}
    ]
    nodes: dict[str, Node] = {}
    for place, item in _items(raw, "nodes", faults):
        node = _read_node(place, item, faults)
        if node is not None and node.id in nodes:
            faults.append(fault("duplicate_id", f"Two nodes have the id {node.id!r}.", node_id=node.id, field="id"))
        elif node is not None:
            nodes[node.id] = node
    edges = [edge for place, item in _items(raw, "edges", faults) if (edge := _read_edge(place, item, faults))]
    return Definition(nodes=nodes, edges=tuple(edges)), faults


def _items(raw: Mapping[str, Any], key: str, faults: list[DefinitionFault]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    value = raw.get(key, [])
    if not isinstance(value, list):
        faults.append(fault("malformed", f"{key} is not an array.", field=key))
        return
    for index, item in enumerate(value):
        if isinstance(item, Mapping):
            yield f"{key}[{index}]", item
        else:
            faults.append(fault("malformed", f"{key}[{index}] is not an object.", field=f"{key}[{index}]"))


def _read_node(place: str, raw: Mapping[str, Any], faults: list[DefinitionFault]) -> Node | None:
    node_id, body = raw.get("id"), raw.get("data", {})
    if not isinstance(node_id, str) or not node_id:
        faults.append(fault("malformed", f"{place} has no id.", field=f"{place}.id"))
        return None
    if not isinstance(body, Mapping) or not isinstance(body.get("nodeType"), str):
        faults.append(
            fault("malformed", f"Node {node_id!r} names no node type.", node_id=node_id, field="data.nodeType")
        )
        return None
    parameters = body.get("parameters") or {}
    if not isinstance(parameters, Mapping):
        faults.append(fault("malformed", "The parameters are not an object.", node_id=node_id, field="parameters"))
        parameters = {}
    return Node(
        id=node_id,
        type_id=body["nodeType"],
        label=str(body.get("label") or ""),
        parameters=parameters,
        options=_read_options(node_id, body.get("options") or {}, faults),
        version=_read_version(node_id, body.get("version"), faults),
    )


def _read_version(node_id: str, raw: Any, faults: list[DefinitionFault]) -> int:
    """Return the version that a node says; one that says none was written when there was only the first."""
    if raw is None:
        return 1
    if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 1:
        return raw
    message = f"version is {raw!r}; it is the number of the node type's version, such as 1."
    faults.append(fault("malformed", message, node_id=node_id, field="data.version"))
    return 1


def _read_options(node_id: str, raw: Any, faults: list[DefinitionFault]) -> NodeOptions:
    if not isinstance(raw, Mapping):
        faults.append(fault("malformed", "The options are not an object.", node_id=node_id, field="options"))
        return NodeOptions()
    good: dict[str, Any] = {}
    for name, value in raw.items():
        try:
            msgspec.convert({name: value}, NodeOptions)
        except msgspec.ValidationError as error:
            faults.append(fault("bad_option", str(error), node_id=node_id, field=f"options.{name}"))
        else:
            good[name] = value
    return NodeOptions(**good)


def _read_edge(place: str, raw: Mapping[str, Any], faults: list[DefinitionFault]) -> Edge | None:
    missing = [end for end in ("source", "target") if not isinstance(raw.get(end), str)]
    if missing:
        faults.append(fault("malformed", f"{place} has no {' and no '.join(missing)}.", field=place))
        return None
    return Edge(
        id=str(raw.get("id") or place),
        source=raw["source"],
        target=raw["target"],
        source_handle=handle_name(raw.get("sourceHandle")),
        target_handle=handle_name(raw.get("targetHandle")),
    )


def handle_name(written: Any) -> str:
    """Return the name of an edge's handle; the names of the plain in and out are none."""
    name = "" if written is None else str(written)
    return "" if name in DEFAULT_HANDLES else name
