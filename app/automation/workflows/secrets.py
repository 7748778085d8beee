"""Where a node's text may name a secret: by itself, so that what is sent holds it as it is and can be masked."""

from collections.abc import Iterator, Mapping, Sequence

from jinja2 import nodes

from app.automation.workflows.definition import DefinitionFault, Node, fault
from app.automation.workflows.expressions import ExpressionError, parse
from app.automation.workflows.parameters import Text, evaluated_texts
from tasks.node import NodeType
from tasks.secrets import TakesSecrets

SECRET = "secret"  # noqa: S105 — the name of all secrets in expressions
BY_ITSELF = "Write {{ secret.name }} by itself: what is made of a secret could not be masked."


def check(node: Node, node_type: NodeType) -> Iterator[DefinitionFault]:
    """Yield a fault for every text that names a secret where none may stand, or one that is not declared."""
    for text in evaluated_texts(node, node_type):
        message = _wrong(text, node, node_type)
        if message:
            yield fault("bad_reference", message, node_id=node.id, field=text.field)


def takes_secrets(node_type: NodeType) -> bool:
    """Say whether a node type's parameters may declare secrets."""
    return issubclass(node_type.params, TakesSecrets)


def _wrong(text: Text, node: Node, node_type: NodeType) -> str | None:
    try:
        tree = parse(text.text, expression=text.expression)
    except ExpressionError:
        return None  # reported where all expressions are
    uses = [name for name in tree.find_all(nodes.Name) if name.name == SECRET]
    if uses and not takes_secrets(node_type):
        return f"{node_type.id} takes no secrets; secret is there only in nodes with the parameter `secrets`."
    if uses and text.expression:
        return "secret stands only in the texts of the parameters, not in an expression such as this."
    bare = list(_bare(tree))
    return BY_ITSELF if len(bare) < len(uses) else _undeclared(bare, node)


def _undeclared(named: Sequence[str], node: Node) -> str | None:
    declared = node.parameters.get("secrets")
    known = sorted(declared) if isinstance(declared, Mapping) else []
    unknown = next((name for name in named if name not in known), None)
    if unknown is None:
        return None
    return f"{unknown!r} is not declared in this node's secrets; there is {', '.join(known) or 'none'}."


def _bare(node: nodes.Node) -> Iterator[str]:
    """Yield the secrets that are put out as they are: not handed to a filter, an operator, a test or a variable."""
    if isinstance(node, nodes.Template | nodes.If):
        for child in [*node.body, *getattr(node, "elif_", ()), *getattr(node, "else_", ())]:
            yield from _bare(child)
    elif isinstance(node, nodes.Output):
        for piece in node.nodes:
            if isinstance(piece, nodes.Getattr) and _is_secret(piece.node):
                yield piece.attr
            elif isinstance(piece, nodes.Getitem) and _is_secret(piece.node) and isinstance(piece.arg, nodes.Const):
                yield str(piece.arg.value)


def _is_secret(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name) and node.name == SECRET
