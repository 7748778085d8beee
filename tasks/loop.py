"""The loop: what its ``each`` edge leads to runs for every item, or batch of items."""

from typing import Annotated, Any, Literal

from msgspec import Meta
from nornir.core.task import Result

from tasks.errors import NodeError
from tasks.node import Expression, Handle, Params, node, outcome

MOST_ITEMS = 100_000


class LoopParams(Params, frozen=True, kw_only=True):
    """What to go through, and how."""

    loop_type: Annotated[
        Literal["items", "count"],
        Meta(description="items: once for every item; count: so often, item being the number."),
    ] = "items"
    count: Annotated[int, Meta(ge=1, le=MOST_ITEMS, description="count: how often; item goes from 0.")] = 10
    items_expression: Annotated[Expression, Meta(description="The items: an array, or an object's entries.")] = (
        "{{ input['items'] if 'items' in input else none }}"
    )
    batch_size: Annotated[
        int, Meta(ge=1, le=10_000, description="Items that one round takes; above 1, `item` is an array.")
    ] = 1
    continue_on_error: Annotated[
        bool, Meta(description="Go on with the next round after one has failed; its failure then does not count.")
    ] = True
    max_items: Annotated[
        int, Meta(ge=1, le=MOST_ITEMS, description="More items than this are an error, and none is begun.")
    ] = 10_000


@node(
    "logic:loop",
    name="Loop",
    category="Logic",
    scope="follow",
    icon="repeat",
    color="#7c3aed",
    triggers=("done", "each"),
    inputs=(Handle("items", "any", "What to go through."),),
    outputs=(
        Handle("item", "any", "In the body: the item of this round, or its batch."),
        Handle("index", "number", "In the body: the number of this round, from 0."),
        Handle("results", "array", "Behind the loop: for each round index, item, status and its last outputs."),
    ),
    loops=True,
    aliases=("flow:loop",),
)
def logic_loop(params: LoopParams) -> Result:
    """Run what ``each`` leads to once for every item, one after the other, then go on by ``done``."""
    items = list(range(params.count)) if params.loop_type == "count" else items_of(params.items_expression)
    if len(items) > params.max_items:
        raise NodeError(
            "validation",
            f"{len(items)} items are more than max_items allows ({params.max_items}). Raise it, or filter.",
        )
    size = params.batch_size
    rounds = items if size == 1 else [items[start : start + size] for start in range(0, len(items), size)]
    return outcome({"rounds": rounds, "continue_on_error": params.continue_on_error})


def items_of(value: Any) -> list[Any]:
    """Return what a loop goes through; raises NodeError for what has no items."""
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, dict):
        return [{"key": key, "value": item} for key, item in value.items()]
    kind = "nothing" if value is None else type(value).__name__
    raise NodeError("validation", f"items_expression gave {kind}; a loop goes through an array or an object.")
