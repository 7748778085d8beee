"""Reads the short scripts of nodes: lines ``name = expression``, the last of which gives the result."""

import re
from dataclasses import dataclass

MOST_LINES = 100
GIVEN_NAMES = frozenset({"items", "item", "index"})
"""What a script is given beside the names that every expression sees."""
_ASSIGNMENT = re.compile(r"([A-Za-z][A-Za-z0-9_]*)\s*=(?!=)\s*(.*)", re.DOTALL)


class ScriptError(ValueError):
    """A script cannot be read; the message says which line, and why."""


@dataclass(frozen=True)
class Statement:
    """An expression of a script, the line it begins in, and the name its value gets, if any."""

    line: int
    name: str | None
    expression: str


def read_script(code: str) -> list[Statement]:
    """Read a script; an indented line goes on with the one before it, and one that begins with # is a comment."""
    statements = [_statement(line, text) for line, text in _joined(code)]
    if not statements:
        raise ScriptError("There is nothing to do. Write an expression, such as items | length.")
    if len(statements) > MOST_LINES:
        raise ScriptError(f"{len(statements)} lines are more than the {MOST_LINES} that are taken.")
    return statements


def _joined(code: str) -> list[tuple[int, str]]:
    lines: list[tuple[int, str]] = []
    for number, text in enumerate(code.splitlines(), start=1):
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        if text[0].isspace() and lines:
            first, before = lines[-1]
            lines[-1] = first, f"{before} {text.strip()}"
        else:
            lines.append((number, text.strip()))
    return lines


def _statement(line: int, text: str) -> Statement:
    match = _ASSIGNMENT.fullmatch(text)
    if match is None:
        return Statement(line, None, text)
    name, expression = match.groups()
    if name in GIVEN_NAMES:
        raise ScriptError(f"Line {line} would replace {name!r}, which the node gives. Choose another name.")
    if not expression.strip():
        raise ScriptError(f"Line {line} gives {name!r} no value. Write an expression behind the sign =.")
    return Statement(line, name, expression.strip())
