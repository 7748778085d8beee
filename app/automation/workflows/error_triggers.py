"""Error triggers: which nodes' failures each of them watches, as edges that nobody drew."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import msgspec

from app.automation.workflows import parameters
from app.automation.workflows.definition import Definition, DefinitionFault, Edge, Node, fault
from app.automation.workflows.graph import Catalogue
from app.automation.workflows.loops import EACH_HANDLES, reach
from tasks.flow import ErrorTriggerParams

ERROR_TRIGGER = "flow:error-trigger"
Watchers = Sequence[tuple[str, ErrorTriggerParams]]


def with_watches(definition: Definition, catalogue: Catalogue) -> Definition:
    """Add an edge from each node whose failure nothing else handles to each error trigger that watches it.

    One for ``any`` watches every node but those in loops, for which their loop speaks, and those behind error triggers
    for ``any``, so that no failure of a branch that cleans up begins it anew.
    """
    watchers = _watchers(definition, catalogue)
    if not watchers:
        return definition
    specific = [edge for node_id, params in watchers for edge in _specific(definition, catalogue, node_id, params)]
    definition = replace(definition, edges=(*definition.edges, *specific))
    general = [(node_id, params) for node_id, params in watchers if params.error_source == "any"]
    watched = _watched_by_any(definition, catalogue, [node_id for node_id, _ in general])
    edges = [_watch(source, node_id, params) for node_id, params in general for source in watched]
    return replace(definition, edges=(*definition.edges, *edges))


def check_error_triggers(definition: Definition, catalogue: Catalogue) -> Iterator[DefinitionFault]:
    """Yield what is wrong with the error triggers of a definition as it was written."""
    for node in _of_type(definition, catalogue):
        for edge in definition.incoming(node.id):
            message = "Nothing leads to an error trigger: it runs by itself when a node that it watches fails."
            yield fault("edge_into_trigger", message, node_id=node.id, field=f"edges.{edge.id}.target")
        params = _read(node)
        if params is not None:
            yield from _check_source(definition, catalogue, node, params)
        elif not parameters.check(node, catalogue[node.type_id]):
            message = "An error trigger's parameters hold no expressions: what it watches is settled before the start."
            yield fault("bad_parameter", message, node_id=node.id, field="parameters")


def unfired(definition: Definition, catalogue: Catalogue) -> Iterator[DefinitionFault]:
    """Warn of error triggers that never run; ``definition`` has their watches."""
    for node in _of_type(definition, catalogue):
        params = _read(node)
        if params is None or definition.incoming(node.id):
            continue
        source = params.source_node_id
        message = "There is no node whose failure it could watch; it will not run."
        if params.error_source == "specific":
            message = f"{source} deals with its failures itself: it has a failure edge, or goes on. It will not run."
        yield fault("unconnected", message, node_id=node.id, field="parameters.error_source")


def is_error_trigger(node: Node, catalogue: Catalogue) -> bool:
    """Say whether a node is an error trigger."""
    return node.type_id in catalogue and catalogue[node.type_id].id == ERROR_TRIGGER


def _check_source(
    definition: Definition, catalogue: Catalogue, node: Node, params: ErrorTriggerParams
) -> Iterator[DefinitionFault]:
    source = params.source_node_id
    if params.error_source == "any":
        return
    place, message = "parameters.source_node_id", ""
    if not source:
        message = "specific needs source_node_id: the id of the node whose failure it waits for."
        yield fault("missing_parameter", message, node_id=node.id, field=place)
        return
    if source not in definition.nodes:
        message = f"There is no node {source!r}; there is {', '.join(definition.nodes)}."
    elif _starts(definition.nodes[source], catalogue):
        message = f"{source} is a trigger, and triggers do not fail."
    elif source in reach(definition, [node.id]):
        message = f"{source} runs only after this error trigger, which therefore cannot wait for its failure."
    if message:
        yield fault("bad_parameter", message, node_id=node.id, field=place)


def _specific(definition: Definition, catalogue: Catalogue, node_id: str, params: ErrorTriggerParams) -> Iterator[Edge]:
    source = definition.nodes.get(params.source_node_id)
    if params.error_source != "specific" or source is None or source.id in reach(definition, [node_id]):
        return
    if not _starts(source, catalogue) and not _deals_with_failures(definition, source):
        yield _watch(source.id, node_id, params)


def _watched_by_any(definition: Definition, catalogue: Catalogue, watchers: Collection[str]) -> list[str]:
    left_out = reach(definition, watchers) | _in_loops(definition, catalogue)
    return [
        node.id
        for node in definition.nodes.values()
        if node.id not in left_out
        and node.type_id in catalogue
        and not _starts(node, catalogue)
        and not _deals_with_failures(definition, node)
    ]


def _in_loops(definition: Definition, catalogue: Catalogue) -> set[str]:
    entered = [
        edge.target
        for edge in definition.edges
        if edge.source_handle in EACH_HANDLES
        and edge.source in definition.nodes
        and definition.nodes[edge.source].type_id in catalogue
        and catalogue[definition.nodes[edge.source].type_id].loops
    ]
    return reach(definition, entered)


def _starts(node: Node, catalogue: Catalogue) -> bool:
    return (node.type_id in catalogue and catalogue[node.type_id].is_trigger) or is_error_trigger(node, catalogue)


def _deals_with_failures(definition: Definition, node: Node) -> bool:
    if node.options.on_error == "failure_edge":
        return any(edge.source_handle == "failure" and not edge.watch for edge in definition.outgoing(node.id))
    return node.options.on_error == "continue"


def _watch(source: str, target: str, params: ErrorTriggerParams) -> Edge:
    return Edge(
        id=f"{source} fails -> {target}",
        source=source,
        target=target,
        source_handle="failure",
        watch="handling" if params.continue_workflow else "noting",
    )


def _watchers(definition: Definition, catalogue: Catalogue) -> Watchers:
    read = [(node.id, _read(node)) for node in _of_type(definition, catalogue)]
    return [(node_id, params) for node_id, params in read if params is not None]


def _of_type(definition: Definition, catalogue: Catalogue) -> list[Node]:
    return [node for node in definition.nodes.values() if is_error_trigger(node, catalogue)]


def _read(node: Node) -> ErrorTriggerParams | None:
    try:
        return msgspec.convert(dict(node.parameters), ErrorTriggerParams)
    except msgspec.ValidationError:
        return None
