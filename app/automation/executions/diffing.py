"""What differs between two JSON values, as paths; texts of several lines as a unified diff. All of it bounded."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from itertools import islice
from typing import Any, Literal

import msgspec

Kind = Literal["added", "removed", "changed"]
Path = tuple[str | int, ...]
MAX_CHANGES = 200
MAX_LIST = 500
"""Longer lists are compared place by place, without looking for what was moved."""
MAX_TEXT_LINES = 10_000
MAX_TEXT_CHARS = 512 * 1024
MAX_DIFF_LINES = 1000
MAX_VALUE_CHARS = 4096
"""What is shown of a single text; a longer one is cut, a longer list or mapping is left out."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One difference: where it is, and the values, or for texts of several lines how one becomes the other."""

    path: Path
    kind: Kind
    before: Any = None
    after: Any = None
    text_diff: str | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The differences of two values, in order; ``truncated`` says that there are more."""

    changes: tuple[Change, ...]
    truncated: bool = False


def compare(before: Any, after: Any) -> Comparison:
    """Compare two JSON values."""
    found = tuple(islice(differences(before, after), MAX_CHANGES + 1))
    return Comparison(changes=found[:MAX_CHANGES], truncated=len(found) > MAX_CHANGES)


def differences(before: Any, after: Any, path: Path = ()) -> Iterator[Change]:
    """Yield what differs between two JSON values; true and 1 differ, 1 and 1.0 do not."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _mappings(before, after, path)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _lists(before, after, path)
    elif isinstance(before, str) and isinstance(after, str):
        yield from _texts(before, after, path)
    elif before != after or isinstance(before, bool) != isinstance(after, bool):
        yield Change(path=path, kind="changed", before=_shown(before), after=_shown(after))


def _mappings(before: Mapping[str, Any], after: Mapping[str, Any], path: Path) -> Iterator[Change]:
    for key in sorted({*before, *after}):
        if key not in after:
            yield Change(path=(*path, key), kind="removed", before=_shown(before[key]))
        elif key not in before:
            yield Change(path=(*path, key), kind="added", after=_shown(after[key]))
        else:
            yield from differences(before[key], after[key], (*path, key))


def _lists(before: list[Any], after: list[Any], path: Path) -> Iterator[Change]:
    """Entries that are in both are matched; between them the others are compared in pairs, and the rest came or went.

    A removed entry bears its place before, every other one its place after.
    """
    for start, end, new_start, new_end in _unmatched(before, after):
        paired = min(end - start, new_end - new_start)
        for offset in range(paired):
            yield from differences(before[start + offset], after[new_start + offset], (*path, new_start + offset))
        for place in range(start + paired, end):
            yield Change(path=(*path, place), kind="removed", before=_shown(before[place]))
        for place in range(new_start + paired, new_end):
            yield Change(path=(*path, place), kind="added", after=_shown(after[place]))


def _unmatched(before: list[Any], after: list[Any]) -> Iterator[tuple[int, int, int, int]]:
    if max(len(before), len(after)) > MAX_LIST:
        yield 0, len(before), 0, len(after)
        return
    old, new = ([msgspec.json.encode(entry, order="sorted") for entry in entries] for entries in (before, after))
    for tag, *places in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            start, end, new_start, new_end = places
            yield start, end, new_start, new_end


def _texts(before: str, after: str, path: Path) -> Iterator[Change]:
    if before == after:
        return
    text_diff = _text_diff(before, after)
    shown = (None, None) if text_diff is not None else (_shown(before), _shown(after))
    yield Change(path=path, kind="changed", before=shown[0], after=shown[1], text_diff=text_diff)


def _text_diff(before: str, after: str) -> str | None:
    """Return a unified diff of texts of several lines; None for single lines, and for what is too large."""
    old, new = before.splitlines(), after.splitlines()
    longest = max(len(old), len(new))
    if longest <= 1 or longest > MAX_TEXT_LINES or max(len(before), len(after)) > MAX_TEXT_CHARS:
        return None
    lines = list(islice(unified_diff(old, new, "before", "after", lineterm=""), MAX_DIFF_LINES + 1))
    if len(lines) > MAX_DIFF_LINES:
        lines[MAX_DIFF_LINES:] = ["… and more"]
    return "\n".join(lines) or None


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= MAX_VALUE_CHARS else f"{value[:MAX_VALUE_CHARS]}… ({len(value)} characters)"
    if isinstance(value, Mapping | list) and len(msgspec.json.encode(value)) > MAX_VALUE_CHARS:
        return f"… ({len(value)} entries)"
    return value
