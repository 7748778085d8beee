"""Keeps a configuration made of indented sections, and changes it line by line as a device does."""

from collections.abc import Callable

Section = dict[str, "Section"]
"""Lines in their order, each with the section it opens (an empty one for a plain line)."""

KeyOf = Callable[[str], str | None]
"""Gives the words of a line that name a setting which has only one value, or None."""


def parse(text: str) -> Section:
    """Return the sections of a text; a line one space deeper belongs to the line above it."""
    root: Section = {}
    path = [root]
    for line in text.splitlines():
        words = line.strip()
        if not words or words.startswith("!"):
            continue
        depth = len(line) - len(line.lstrip(" "))
        del path[depth + 1 :]
        path.append(path[-1].setdefault(words, {}))
    return root


def render(section: Section, depth: int = 0) -> list[str]:
    """Return the lines of a section, one space deeper with every level."""
    lines: list[str] = []
    for line, children in section.items():
        lines.append(" " * depth + line)
        lines.extend(render(children, depth + 1))
    return lines


def put(section: Section, line: str, key_of: KeyOf, *, grouped: bool = False) -> Section:
    """Add a line, or reopen it, or put it in place of the value it replaces; return the section it opens.

    A grouped line goes behind the last one that begins with the same word, any other to the end.
    """
    section.pop(f"no {line}", None)
    if line in section:
        return section[line]
    key = key_of(line)
    replaced = [other for other in section if key is not None and key_of(other) == key]
    if replaced:
        _rewrite(section, [(line if other == replaced[0] else other, section[other]) for other in section])
    elif grouped:
        _insert_in_family(section, line)
    else:
        section[line] = {}
    return section[line]


def remove(section: Section, words: str, key_of: KeyOf) -> bool:
    """Remove what `no <words>` names: a line, all that begin so, the single value; tell if any was there."""
    key = key_of(words)
    removed = [
        line
        for line in section
        if line == words or line.startswith(f"{words} ") or (key is not None and key_of(line) == key)
    ]
    for line in removed:
        del section[line]
    return bool(removed)


def _insert_in_family(section: Section, line: str) -> None:
    family = line.split(maxsplit=1)[0]
    relatives = [other for other in section if other.split(maxsplit=1)[0] == family]
    lines = list(section.items())
    place = list(section).index(relatives[-1]) + 1 if relatives else len(lines)
    _rewrite(section, [*lines[:place], (line, {}), *lines[place:]])


def _rewrite(section: Section, lines: list[tuple[str, Section]]) -> None:
    section.clear()
    section.update(lines)
