"""What is odd about a definition and not wrong: options that have no effect, and what it needs and is not there."""

from collections.abc import Iterator, Mapping

from app.automation.workflows.definition import Definition, DefinitionFault, NodeOptions, fault
from app.automation.workflows.expressions import is_template
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


def missing_credentials(
    definition: Definition, catalogue: Catalogue, credentials: Mapping[str, str]
) -> Iterator[DefinitionFault]:
    """Warn of credentials that are not there; ``credentials`` are the types of those that are, by name and by id."""
    for node in definition.nodes.values():
        node_type = catalogue.get(node.type_id)
        if node_type is None:
            continue
        named = node.parameters.get(CREDENTIAL)
        wanted = [need.removeprefix(NEEDS) for need in node_type.prerequisites if need.startswith(NEEDS)]
        if isinstance(named, str) and named and not is_template(named):
            if named not in credentials:
                message = f"There is no credential {named!r}."
                yield fault("missing_credential", message, node_id=node.id, field=f"parameters.{CREDENTIAL}")
            elif wanted and credentials[named] not in wanted:
                message = f"The credential {named!r} is of type {credentials[named]}; it takes {' or '.join(wanted)}."
                yield fault("missing_credential", message, node_id=node.id, field=f"parameters.{CREDENTIAL}")
        elif not named and wanted and not set(wanted).intersection(credentials.values()):
            message = f"{node_type.id} needs a credential of type {' or '.join(wanted)}, and there is none."
            yield fault("missing_credential", message, node_id=node.id, field=f"parameters.{CREDENTIAL}")
