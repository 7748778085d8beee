"""Migrating: parameters written for an older version of a node type become those of the version there is."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

from app.automation.workflows.definition import Definition, DefinitionFault, Node, fault
from app.automation.workflows.graph import Catalogue
from tasks.node import NodeType


def migrated(definition: Definition, catalogue: Catalogue) -> tuple[Definition, list[DefinitionFault]]:
    """Return a definition for the versions of the node types there are, and what could not be brought there.

    A node that could not keeps its version and its parameters.
    """
    nodes: dict[str, Node] = {}
    faults: list[DefinitionFault] = []
    for node in definition.nodes.values():
        node_type = catalogue.get(node.type_id)
        try:
            nodes[node.id] = node if node_type is None else _migrated(node, node_type)
        except OutdatedNode as outdated:
            nodes[node.id] = node
            faults.append(fault("outdated_node", str(outdated), node_id=node.id, field="data.version"))
    if all(nodes[node.id] is node for node in definition.nodes.values()):
        return definition, faults
    return replace(definition, nodes=nodes), faults


class OutdatedNode(Exception):
    """No migration leads from a node's version to the one there is; the message says what to do."""


def _migrated(node: Node, node_type: NodeType) -> Node:
    if node.version == node_type.version:
        return node
    if node.version > node_type.version:
        message = f"It was saved with version {node.version} of {node_type.id}, and here is version {node_type.version}"
        raise OutdatedNode(f"{message}. Install the newer one, or write it for this one.")
    parameters: Any = deepcopy(dict(node.parameters))
    for version in range(node.version, node_type.version):
        parameters = _step(node, node_type, version, parameters)
    return replace(node, parameters=parameters, version=node_type.version)


def _step(node: Node, node_type: NodeType, version: int, parameters: dict[str, Any]) -> dict[str, Any]:
    migrate = node_type.migrations.get(version)
    if migrate is None:
        raise OutdatedNode(_by_hand(node, node_type, f"{node_type.outdated} " if node_type.outdated else ""))
    try:
        result: Any = migrate(parameters)
    except Exception as error:
        reason = f"Its migration from version {version} failed ({type(error).__name__}: {error}). "
        raise OutdatedNode(_by_hand(node, node_type, reason)) from error
    if not isinstance(result, dict):
        reason = f"Its migration from version {version} returned {type(result).__name__}, and no dict. "
        raise OutdatedNode(_by_hand(node, node_type, reason))
    return dict(result)


def _by_hand(node: Node, node_type: NodeType, reason: str) -> str:
    return (
        f"It was written for version {node.version} of {node_type.id}, and here is version {node_type.version}. "
        f"{reason}Change its parameters, and set data.version to {node_type.version}."
    )
