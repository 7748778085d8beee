"""What is odd about a definition and not wrong: options that have no effect, and what it needs and is not there."""

from collections.abc import Iterator

from app.automation.workflows.definition import Definition, DefinitionFault, NodeOptions, fault
from app.automation.workflows.graph import Catalogue

CREDENTIAL = "credential"
NEEDS = f"{CREDENTIAL}:"


def dead_options(definition: Definition, catalogue: Catalogue) -> Iterator[DefinitionFault]:
    """Warn of options of triggers, and of failure edges that on_error keeps from being taken."""
    for node in definition.nodes.values():
        node_type = catalogue.get(node.type_id)
        if node_type is None:
            continue
        if node_type.is_trigger and node.options != NodeOptions():
            message = "A trigger only starts the workflow; its options have no effect."
            yield fault("dead_option", message, node_id=node.id, field="options")
        if node.options.on_error != "failure_edge":
            for edge in definition.outgoing(node.id):
                if edge.source_handle == "failure":
                    message = f"on_error is {node.options.on_error}, so this edge is never taken."
                    yield fault("dead_edge", message, node_id=node.id, field=f"edges.{edge.id}")
