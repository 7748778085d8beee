"""Triggers that fire by themselves, as a definition says them: what they listen for, and what is wrong with that."""

from collections import Counter
from collections.abc import Iterator
from typing import TypeVar

import msgspec

from app.automation.workflows import parameters
from app.automation.workflows.definition import Definition, DefinitionFault, Node, fault
from app.automation.workflows.expressions import ExpressionError, references
from app.automation.workflows.graph import Catalogue
from tasks.node import Params
from tasks.trigger import EventTriggerParams, WebhookTriggerParams

WEBHOOK, EVENT, RESPOND = "trigger:webhook", "trigger:event", "http:respond-webhook"
ABOUT_A_DEVICE = frozenset({"device.created", "device.changed"})
"""Events about a device that is there to run on."""
P = TypeVar("P", bound=Params)


def webhooks(definition: Definition, catalogue: Catalogue) -> dict[str, WebhookTriggerParams]:
    """Return the parameters of the webhook triggers that can be read, by node; ``path`` without its outer slashes."""
    found = _read(definition, catalogue, WEBHOOK, WebhookTriggerParams)
    return {node_id: msgspec.structs.replace(params, path=params.path.strip("/")) for node_id, params in found.items()}


def event_triggers(definition: Definition, catalogue: Catalogue) -> dict[str, EventTriggerParams]:
    """Return the parameters of the event triggers that can be read, by node."""
    return _read(definition, catalogue, EVENT, EventTriggerParams)


def of_type(definition: Definition, catalogue: Catalogue, type_id: str) -> list[Node]:
    """Return the nodes of a type, under whichever of its ids they name it."""
    return [
        node
        for node in definition.nodes.values()
        if node.type_id in catalogue and catalogue[node.type_id].id == type_id
    ]


def check_triggers(definition: Definition, catalogue: Catalogue) -> Iterator[DefinitionFault]:
    """Yield what keeps triggers from firing, beyond what each parameter says by itself."""
    yield from _check_readable(definition, catalogue, WEBHOOK, WebhookTriggerParams)
    yield from _check_readable(definition, catalogue, EVENT, EventTriggerParams)
    hooks = webhooks(definition, catalogue)
    paths = Counter(params.path for params in hooks.values())
    responds = bool(of_type(definition, catalogue, RESPOND))
    for node_id, params in hooks.items():
        if paths[params.path] > 1:
            message = f"Two webhooks of this workflow have the path {params.path!r}. Give each its own."
            yield fault("webhook_path_taken", message, node_id=node_id, field="parameters.path")
        if params.response_mode == "respond_node" and not responds:
            message = f"Nothing answers: respond_node needs a node of type {RESPOND}."
            yield fault("no_response", message, node_id=node_id, field="parameters.response_mode")
    for node_id, listening in event_triggers(definition, catalogue).items():
        yield from _check_event_trigger(node_id, listening)


def _check_readable(
    definition: Definition, catalogue: Catalogue, type_id: str, params: type[Params]
) -> Iterator[DefinitionFault]:
    """Yield the triggers whose parameters want evaluating: nothing has run that an expression could speak of."""
    unread = [node for node in of_type(definition, catalogue, type_id) if not _is_readable(node, params)]
    for node in unread:
        if not parameters.check(node, catalogue[type_id]):
            message = "A trigger's parameters hold no expressions: it decides before anything has run."
            yield fault("bad_parameter", message, node_id=node.id, field="parameters")


def _check_event_trigger(node_id: str, params: EventTriggerParams) -> Iterator[DefinitionFault]:
    without = [name for name in params.events if name not in ABOUT_A_DEVICE]
    if params.targets == "event" and without:
        message = f"{', '.join(without)} has no device to run on. Name the targets, or listen for another event."
        yield fault("bad_parameter", message, node_id=node_id, field="parameters.targets")
    try:
        names = {reference.name for reference in references(params.filter, expression=True)} if params.filter else set()
    except ExpressionError as error:
        yield fault("bad_expression", str(error), node_id=node_id, field="parameters.filter")
        return
    if names - {"event"}:
        message = f"{', '.join(sorted(names - {'event'}))} is not known when an event comes in; there is only event."
        yield fault("bad_reference", message, node_id=node_id, field="parameters.filter")


def _read(definition: Definition, catalogue: Catalogue, type_id: str, params: type[P]) -> dict[str, P]:
    nodes = [node for node in of_type(definition, catalogue, type_id) if _is_readable(node, params)]
    return {node.id: msgspec.convert(dict(node.parameters), params) for node in nodes}


def _is_readable(node: Node, params: type[Params]) -> bool:
    try:
        msgspec.convert(dict(node.parameters), params)
    except msgspec.ValidationError:
        return False
    return True
