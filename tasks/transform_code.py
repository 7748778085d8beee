"""The node that works out something of its own from items: a few lines of expressions, in the sandbox of all others."""

from typing import Annotated, Literal

from msgspec import Meta
from nornir.core.task import Result

from tasks.errors import NodeError
from tasks.evaluation import collected, each, run_script
from tasks.families import GIVEN, transform_node
from tasks.items import items_of
from tasks.node import Code, Expression, Handle, Params, outcome
from tasks.scripts import ScriptError, read_script


class CodeParams(Params, frozen=True, kw_only=True):
    """What is worked out, and of what."""

    items: Annotated[Expression, Meta(description="The items: an array.")] = GIVEN
    mode: Annotated[
        Literal["run_once_all_items", "run_once_each_item"],
        Meta(
            description="run_once_all_items: the lines see all items; run_once_each_item: they run for every item, "
            "and see it as item, and its place as index."
        ),
    ] = "run_once_all_items"
    code: Annotated[
        Code,
        Meta(
            min_length=1,
            max_length=20_000,
            description="Expressions, one a line; name = expression keeps a value for the lines below, and the last "
            "line gives the result. An indented line goes on with the one above it.",
        ),
    ]


@transform_node(
    "transform:code",
    name="Code",
    icon="code",
    outputs=(
        Handle("items", "any", "What the last line gave: of all items, or an array with the value of each."),
        Handle("count", "number", "How many items there were."),
    ),
)
def transform_code(params: CodeParams) -> Result:
    """Work out something from items by expressions: for all of them at once, or for each."""
    items = items_of(params.items)
    try:
        statements = read_script(params.code)
    except ScriptError as error:
        raise NodeError("validation", f"code: {error}") from error
    if params.mode == "run_once_all_items":
        result = next(collected([run_script(statements, {"items": items})], "items"))
    else:
        result = list(collected(each(items, lambda names: run_script(statements, names)), "items"))
    return outcome({"items": result, "count": len(items)})
