"""Which values may flow along an edge: the types of handles, and what each type of input takes."""

from collections.abc import Mapping

from tasks.node import Handle, HandleType

TAKES: Mapping[HandleType, frozenset[HandleType]] = {
    "trigger": frozenset({"trigger"}),
    "any": frozenset({"trigger", "string", "number", "boolean", "object", "array", "records"}),
    "string": frozenset({"string", "number"}),
    "number": frozenset({"number"}),
    "boolean": frozenset({"boolean"}),
    "object": frozenset({"object"}),
    "array": frozenset({"array", "records"}),
    "records": frozenset({"records"}),
}
"""What an input of a type takes, besides ``any``, which goes everywhere and is looked at when the node runs.

A number is written out where text is wanted, as in parameters. Records are an array of objects, and an array need not
be records. Nothing else is converted: text is no number, and no truth. A trigger carries no value, so that it leads
only to a plain input or to one that takes anything.
"""


def fits(out: Handle, into: Handle) -> bool:
    """Say whether a value of an output may go into an input; each edge into a ``many`` input brings one element."""
    return out.type in {"any", into.type} or out.type in TAKES[into.type]


def why_not(out: str, out_type: HandleType, into: str, into_type: HandleType) -> str:
    """Say why an edge does not fit, and what to do."""
    if out_type == "trigger":
        return f"{out} carries no value, and {into} takes {into_type}. Lead it to the plain input."
    return f"{out} is {out_type}, and {into} takes {into_type}. Put a data:transform between them."
