"""Whether a definition may be saved and started: every fault at once, each naming node and field."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import msgspec

from app.automation.workflows import parameters, secrets
from app.automation.workflows.definition import Definition, DefinitionFault, Edge, Node, fault, read_definition
from app.automation.workflows.error_triggers import check_error_triggers, is_error_trigger, unfired, with_watches
from app.automation.workflows.expressions import RESERVED, ExpressionError, Reference, references
from app.automation.workflows.graph import Catalogue, ancestors, resolve_scopes, topological_order, triggers
from app.automation.workflows.handles import fits, why_not
from app.automation.workflows.hints import dead_options
from app.automation.workflows.loops import check_loops
from app.automation.workflows.migrating import migrated
from app.automation.workflows.trigger_nodes import check_triggers
from tasks.node import Handle, NodeType

HOST_NAMES = {"host"}


@dataclass(frozen=True)
class Verdict:
    """What validation found: the definition as far as it could be read, faults that forbid it, and warnings."""

    definition: Definition
    errors: list[DefinitionFault] = field(default_factory=list)
    warnings: list[DefinitionFault] = field(default_factory=list)

    @property
    def valid(self) -> bool:
        """Say whether the definition may be saved and started."""
        return not self.errors


def validate(raw: Any, catalogue: Catalogue, disabled: frozenset[str] = frozenset()) -> Verdict:
    """Check a definition against the catalogue, of which the packages ``disabled`` may not be used."""
    written, errors = read_definition(raw)
    written, outdated = migrated(written, catalogue)
    definition = with_watches(written, catalogue)
    errors += outdated
    known = {node.id: catalogue[node.type_id] for node in definition.nodes.values() if node.type_id in catalogue}
    errors += _unknown_types(definition, catalogue)
    errors += _disabled_packages(definition, known, disabled)
    unreadable = {found["node_id"] for found in outdated}
    sound = [node for node in written.nodes.values() if node.id in known and node.id not in unreadable]
    errors += [found for node in sound for found in _node(node, known[node.id])]
    errors += [found for edge in written.edges for found in _edge(edge, written, known)]
    errors += _triggers(definition, catalogue)
    errors += check_triggers(definition, catalogue)
    errors += check_error_triggers(written, catalogue)
    order, cyclic = topological_order(definition)
    if cyclic:
        message = (
            f"These nodes wait for each other: {', '.join(cyclic)}. Repeat with a loop node, not with an edge back."
        )
        errors.append(fault("cycle", message, node_id=cyclic[0], field="edges"))
    elif len(known) == len(definition.nodes) and not outdated:
        errors += _references(definition, order, catalogue)
    warnings = [*_warnings(definition, catalogue), *unfired(definition, catalogue), *dead_options(written, catalogue)]
    return Verdict(definition, errors, warnings)


def as_it_runs(raw: Any, catalogue: Catalogue) -> Definition:
    """Read a definition that was valid when it was started, with what is implied in it and nobody wrote."""
    written, _ = read_definition(raw)
    return with_watches(migrated(written, catalogue)[0], catalogue)


def _unknown_types(definition: Definition, catalogue: Catalogue) -> Iterator[DefinitionFault]:
    for node in definition.nodes.values():
        if node.type_id not in catalogue:
            near = get_close_matches(node.type_id, list(catalogue), n=3)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            message = f"There is no node type {node.type_id!r}.{hint}"
            yield fault("unknown_node_type", message, node_id=node.id, field="data.nodeType")


def _disabled_packages(
    definition: Definition, known: Mapping[str, NodeType], disabled: frozenset[str]
) -> Iterator[DefinitionFault]:
    for node_id, node_type in known.items():
        if node_type.package in disabled:
            message = (
                f"{definition.nodes[node_id].type_id} belongs to the package {node_type.package!r}, which is disabled. "
                "Have the package enabled, or use another node type."
            )
            yield fault("package_disabled", message, node_id=node_id, field="data.nodeType")


def _node(node: Node, node_type: NodeType) -> Iterator[DefinitionFault]:
    yield from parameters.check(node, node_type)
    for text in parameters.evaluated_texts(node, node_type):
        try:
            references(text.text, expression=text.expression)
        except ExpressionError as error:
            yield fault("bad_expression", str(error), node_id=node.id, field=text.field)
    if node.options.targets is not None and node_type.scope == "once":
        message = f"{node_type.id} runs once; only nodes that run per device have targets of their own."
        yield fault("bad_option", message, node_id=node.id, field="options.targets")
    yield from secrets.check(node, node_type)
    if node.options.scope is not None and node_type.scope not in {"follow", node.options.scope}:
        message = f"{node_type.id} always runs in {node_type.scope} scope; only nodes that follow can be forced."
        yield fault("bad_option", message, node_id=node.id, field="options.scope")


def _edge(edge: Edge, definition: Definition, known: Mapping[str, NodeType]) -> Iterator[DefinitionFault]:
    for end, node_id in (("source", edge.source), ("target", edge.target)):
        if node_id not in definition.nodes:
            yield fault("dangling_edge", f"Edge {edge.id!r} {end}s no node: there is no {node_id!r}.", field=edge.id)
    if edge.source not in known or edge.target not in known:
        return
    source, target = known[edge.source], known[edge.target]
    out = _output(edge.source_handle, definition.nodes[edge.source], source)
    if out is None:
        offered = ", ".join((*source.triggers, "failure", *(handle.name for handle in source.outputs)))
        message = f"{source.id} has no output {edge.source_handle!r}; it has {offered}."
        yield fault("unknown_handle", message, node_id=edge.source, field=f"edges.{edge.id}.sourceHandle")
    if target.is_trigger:
        message = "Nothing leads to a trigger: it is where a workflow starts."
        yield fault("edge_into_trigger", message, node_id=edge.target, field=f"edges.{edge.id}.target")
    into = _input(edge.target_handle, target)
    if into is None:
        offered = ", ".join(handle.name for handle in target.inputs) or "only its plain input"
        message = f"{target.id} has no input {edge.target_handle!r}; it has {offered}."
        yield fault("unknown_handle", message, node_id=edge.target, field=f"edges.{edge.id}.targetHandle")
    if out is not None and into is not None and not fits(out, into):
        message = why_not(f"{edge.source}.{out.name}", out.type, f"{edge.target}.{into.name}", into.type)
        yield fault("handle_type", message, node_id=edge.target, field=f"edges.{edge.id}.targetHandle")


def _output(name: str, node: Node, node_type: NodeType) -> Handle | None:
    if name in {"", "failure", *node_type.triggers}:
        return Handle(name or node_type.triggers[0], "trigger")
    if node_type.open_triggers and name in open_triggers(node, node_type):
        return Handle(name, "trigger")
    return next((handle for handle in node_type.outputs if handle.name == name), None)


def open_triggers(node: Node, node_type: NodeType) -> set[str]:
    """Return the trigger handles that a node's own parameters add: one for each of its cases, or branches of them."""
    cases = node.parameters.get("cases", node.parameters.get("branches", _default_branches(node_type)))
    count = len(cases) if isinstance(cases, list) else cases if isinstance(cases, int) else 0
    return {f"{node_type.open_triggers}{index}" for index in range(count)}


def _default_branches(node_type: NodeType) -> int:
    fields = msgspec.structs.fields(node_type.params)
    return next((field.default for field in fields if field.name == "branches" and isinstance(field.default, int)), 0)


def _input(name: str, node_type: NodeType) -> Handle | None:
    if name == "":
        return Handle("input", "any")
    return next((handle for handle in node_type.inputs if handle.name == name), None)


def _triggers(definition: Definition, catalogue: Catalogue) -> Iterator[DefinitionFault]:
    if definition.nodes and not triggers(definition, catalogue):
        yield fault(
            "no_trigger", "No node starts this workflow. Add a trigger, for example trigger:manual.", field="nodes"
        )
    if not definition.nodes:
        yield fault("no_trigger", "The workflow has no nodes. Begin with trigger:manual.", field="nodes")


def _references(definition: Definition, order: Iterable[str], catalogue: Catalogue) -> Iterator[DefinitionFault]:
    order = list(order)
    before = ancestors(definition, order)
    scopes = resolve_scopes(definition, order, catalogue)
    by_name = node_names(definition)
    yield from check_loops(definition, order, catalogue, scopes)
    for node in definition.nodes.values():
        node_type = catalogue[node.type_id]
        for text in parameters.evaluated_texts(node, node_type):
            for reference in _safe_references(text.text, expression=text.expression):
                if reference.node is None and reference.name in text.given:
                    continue
                message = _wrong(reference, node, by_name, before[node.id], scopes[node.id])
                if message:
                    yield fault("bad_reference", message, node_id=node.id, field=text.field)


def node_names(definition: Definition) -> dict[str, str]:
    """Return the node each name means in an expression: ids, and labels that are no id."""
    labels = {node.label: node.id for node in definition.nodes.values() if node.label}
    return {**labels, **{node_id: node_id for node_id in definition.nodes}}


def _safe_references(text: str, *, expression: bool) -> list[Reference]:
    try:
        return references(text, expression=expression)
    except ExpressionError:
        return []  # reported by _node already


def _wrong(
    reference: Reference, node: Node, by_name: Mapping[str, str], before: frozenset[str], scope: str
) -> str | None:
    if reference.name in RESERVED and reference.node is None:
        if reference.name in HOST_NAMES and scope == "once":
            return "host is there only where a node runs per device; this one runs once."
        return None
    name = reference.node if reference.node is not None else reference.name
    meant = by_name.get(name)
    if meant is None:
        return f"{name!r} is neither a node nor one of {', '.join(sorted(RESERVED))}."
    if meant == node.id:
        return "A node cannot refer to itself."
    if meant not in before:
        return f"{name!r} does not run before this node; draw a path from it."
    return None


def _warnings(definition: Definition, catalogue: Catalogue) -> list[DefinitionFault]:
    found = [
        fault("unconnected", "No edge leads to this node; it will not run.", node_id=node.id, field="edges")
        for node in definition.nodes.values()
        if node.type_id in catalogue
        and not catalogue[node.type_id].is_trigger
        and not is_error_trigger(node, catalogue)
        and not definition.incoming(node.id)
    ]
    started = triggers(definition, catalogue)
    if len(started) > 1:
        names = ", ".join(node.id for node in started)
        found.append(fault("several_triggers", f"Each of {names} starts its own part of the workflow.", field="nodes"))
    return found
