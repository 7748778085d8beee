"""Compiles the regular expressions of users, but for those that would exhaust the memory before any timeout.

The engine unrolls a repeat to its least count, also inside another, and recurses without bound.
"""

from typing import Any

import regex

from tasks import context
from tasks.errors import NodeError

LONGEST_PATTERN = 1000
SHOWN = 80
MOST_UNROLLED = 100_000
LONGEST_SEARCHED = 1_000_000
"""The longest text to look through, in characters: what the engine remembers of it grows with it."""

_TOKEN = regex.compile(
    r"""
    (?P<escape>\\.)
    | (?P<class>\[\^?\]?(?:\\.|[^\]\\])*\])
    | (?P<comment>\(\?\#[^)]*\))
    | (?P<recursion>\(\?(?:R|[+-]?[0-9]+|&|P>))
    | (?P<version>\(\?[a-zA-Z0-9-]*[xV])
    | (?P<open>\()
    | (?P<close>\))
    | (?P<repeat>\{(?P<least>[0-9]*)(?:,[0-9]*)?\})
    | (?P<mark>[*+?|])
    | (?P<atom>.)
    """,
    regex.VERBOSE | regex.DOTALL,
)


def compiled(pattern: str, flags: int = 0, parameter: str = "pattern") -> regex.Pattern[str]:
    """Compile a pattern; raises NodeError of class validation for one that is none, or that takes too much memory."""
    if len(pattern) > LONGEST_PATTERN:
        raise NodeError("validation", f"{parameter} is longer than {LONGEST_PATTERN} characters. Shorten it.")
    _refuse_greed(pattern, parameter)
    try:
        return regex.compile(pattern, flags | regex.VERSION0)
    except (regex.error, ValueError, RecursionError) as error:
        message = f"{parameter} {shown(pattern)} is no regular expression: {error}. Correct it."
        raise NodeError("validation", message) from error


def shown(value: Any) -> str:
    """Return a value as messages show it."""
    text = context.current().masked(repr(value))
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _refuse_greed(pattern: str, parameter: str) -> None:
    """Raise NodeError where a pattern recurses, changes how it is to be read, or is unrolled to too much."""
    levels: list[list[int]] = [[0]]
    for token in _TOKEN.finditer(pattern):
        match token.lastgroup:
            case "recursion":
                raise NodeError("validation", f"{parameter}: {token.group()} recurses. Write it without.")
            case "version":
                raise NodeError("validation", f"{parameter}: the flags x and V are not taken. Write it without.")
            case "open":
                levels.append([0])
            case "close" if len(levels) > 1:
                levels[-2].append(sum(levels.pop()) + 1)
            case "repeat":
                levels[-1][-1] *= max(1, int(token["least"] or 0))
            case "escape" | "class" | "close" | "atom":
                levels[-1].append(1)
        if sum(levels[-1]) > MOST_UNROLLED:
            message = f"{parameter} {shown(pattern)} repeats more than {MOST_UNROLLED} times in all. Repeat less often."
            raise NodeError("validation", message)
