"""What a workflow needs and the service lacks: credentials that its nodes name and the vault does not have."""

from collections.abc import Iterator, Mapping
from typing import Any

from app.automation.workflows.definition import Definition, DefinitionFault, Node, fault
from app.automation.workflows.expressions import is_template
from app.automation.workflows.graph import Catalogue
from app.automation.workflows.secrets import takes_secrets
from app.credentials import service as credentials

CREDENTIAL = "credential"


async def find_missing(definition: Definition, catalogue: Catalogue) -> list[DefinitionFault]:
    """Return a warning for each credential, named as it is, that is not there, or has no such field."""
    named = [
        (node, *reference)
        for node in definition.nodes.values()
        if node.type_id in catalogue
        for reference in credentials_named(node, catalogue)
    ]
    types = await credentials.types_of({reference for _, _, reference, _ in named})
    return [
        fault("missing_prerequisite", message, node_id=node.id, field=place)
        for node, place, reference, field in named
        if (message := _missing(types, reference, field))
    ]


def credentials_named(node: Node, catalogue: Catalogue) -> Iterator[tuple[str, str, str | None]]:
    """Yield where a node names a credential, the name, and the field it wants of it, if it wants a certain one."""
    params = catalogue[node.type_id].params
    reference = node.parameters.get(CREDENTIAL)
    if CREDENTIAL in params.__struct_fields__ and isinstance(reference, str) and not is_template(reference):
        yield f"parameters.{CREDENTIAL}", reference, None
    declared = node.parameters.get("secrets")
    if not takes_secrets(catalogue[node.type_id]) or not isinstance(declared, dict):
        return
    for name, secret in declared.items():
        if isinstance(secret, dict) and isinstance(secret.get(CREDENTIAL), str):
            yield f"parameters.secrets.{name}", secret[CREDENTIAL], secret.get("field")


def _missing(types: Mapping[str, Any], reference: str, field: str | None) -> str | None:
    if reference not in types:
        return f"There is no credential {reference!r}. Create it before the workflow starts, or correct the name."
    known = [known.name for known in types[reference].fields]
    if field is None or field in known:
        return None
    return f"{reference!r} is of type {types[reference].name}, without a field {field!r}; there is {', '.join(known)}."
