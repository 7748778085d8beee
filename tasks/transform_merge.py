"""The node that brings two arrays of items together."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Annotated, Any, Literal

from msgspec import Meta
from nornir.core.task import Result

from tasks.errors import NodeError
from tasks.families import FieldPath, transform_node
from tasks.items import MOST_ITEMS, bounded, going_through, items_of, objects_of, value_at, within
from tasks.node import Expression, Handle, Params, outcome
from tasks.ordering import identity, is_nothing

Item = Mapping[str, Any]
SUFFIXES = ("_1", "_2")


class MergeParams(Params, frozen=True, kw_only=True):
    """What is brought together, and how."""

    input1: Annotated[Expression, Meta(description="The first items: an array.")] = "{{ input.input1 }}"
    input2: Annotated[Expression, Meta(description="The second items: an array.")] = "{{ input.input2 }}"
    mode: Annotated[
        Literal["append", "combine_by_position", "combine_by_key", "keep_matches", "enrich"],
        Meta(
            description="append: the first, then the second; combine_by_position: the first with the first, and so on; "
            "combine_by_key: those with equal keys, and all others as they are; keep_matches: only those with equal "
            "keys; enrich: all of input1, with what input2 has of them."
        ),
    ] = "append"
    key_field_1: Annotated[FieldPath, Meta(min_length=1, description="The field of input1 that is the key.")] = "id"
    key_field_2: Annotated[FieldPath, Meta(min_length=1, description="The field of input2 that is the key.")] = "id"
    clash_handling: Annotated[
        Literal["prefer_input1", "prefer_input2", "add_suffix"],
        Meta(description="Whose value stays where both have a field; add_suffix keeps both, as name_1 and name_2."),
    ] = "prefer_input1"


@dataclass(frozen=True)
class Matched:
    """Which items of two arrays belong together, in the order of the first, and which are alone."""

    pairs: list[tuple[Item, Item | None]]
    only_input1: list[Item]
    only_input2: list[Item]


@transform_node(
    "transform:merge",
    name="Merge Items",
    icon="combine",
    inputs=(Handle("input1", "any", "The first items."), Handle("input2", "any", "The second items.")),
    outputs=(
        Handle("items", "array", "The items brought together."),
        Handle("only_input1", "array", "By key or position: the items of input1 that found no other."),
        Handle("only_input2", "array", "By key or position: the items of input2 that found no other."),
    ),
)
def transform_merge(params: MergeParams) -> Result:
    """Bring two arrays together: one behind the other, by position, or by a key whose values are equal.

    Where several items have the same key, each is combined with each; null and a missing key equal nothing.
    """
    if params.mode == "append":
        items = within([*items_of(params.input1, "input1"), *items_of(params.input2, "input2")], "items")
        return outcome({"items": items, "only_input1": [], "only_input2": []})
    first, second = objects_of(params.input1, "input1"), objects_of(params.input2, "input2")
    matched = _by_position(first, second) if params.mode == "combine_by_position" else _by_key(first, second, params)
    items = bounded(list(_merged(matched, params)), "items")
    return outcome({"items": items, "only_input1": matched.only_input1, "only_input2": matched.only_input2})


def _by_position(first: Sequence[Item], second: Sequence[Item]) -> Matched:
    return Matched(
        pairs=list(zip_longest(first, second[: len(first)])),
        only_input1=list(first[len(second) :]),
        only_input2=list(second[len(first) :]),
    )


def _by_key(first: Sequence[Item], second: Sequence[Item], params: MergeParams) -> Matched:
    by_key: dict[Any, list[int]] = defaultdict(list)
    for place, item in enumerate(second):
        key = value_at(item, params.key_field_2)
        if not is_nothing(key):
            by_key[identity(key)].append(place)
    pairs: list[tuple[Item, Item | None]] = []
    alone: list[Item] = []
    met: set[int] = set()
    for item in going_through(first):
        key = value_at(item, params.key_field_1)
        places = [] if is_nothing(key) else by_key.get(identity(key), [])
        pairs += [(item, second[place]) for place in places] or [(item, None)]
        alone += [] if places else [item]
        met.update(places)
        if len(pairs) > MOST_ITEMS:
            message = f"The keys match in more than {MOST_ITEMS} ways. Choose key fields whose values are unique."
            raise NodeError("validation", message)
    return Matched(pairs, alone, [item for place, item in enumerate(second) if place not in met])


def _merged(matched: Matched, params: MergeParams) -> Iterator[Item]:
    """Yield what becomes of the items; which ones without a partner stay depends on the mode."""
    combine = _CLASHES[params.clash_handling]
    shared = params.key_field_1 if params.key_field_1 == params.key_field_2 else ""
    if params.mode == "combine_by_position":
        shared = ""
    for first, second in matched.pairs:
        if second is not None:
            yield combine(first, second, shared)
        elif params.mode != "keep_matches":
            yield first
    if params.mode in {"combine_by_key", "combine_by_position"}:
        yield from matched.only_input2


def _with_suffixes(first: Item, second: Item, shared: str) -> Item:
    """Combine two items and keep both values of a field that both have, but for the key they share."""
    clashing = (first.keys() & second.keys()) - {shared}
    result: dict[str, Any] = {}
    for item, suffix in zip((first, second), SUFFIXES, strict=True):
        for name, value in item.items():
            written = f"{name}{suffix}" if name in clashing else name
            if written in result and written != shared:
                message = f"clash_handling: an item would have two fields {written!r}. Rename one of them before."
                raise NodeError("validation", message)
            result[written] = value
    return result


_CLASHES: Mapping[str, Callable[[Item, Item, str], Item]] = {
    "prefer_input1": lambda first, second, _: {**first, **{k: v for k, v in second.items() if k not in first}},
    "prefer_input2": lambda first, second, _: {**first, **second},
    "add_suffix": _with_suffixes,
}
