"""Compares configurations, and predicts what lines would make of one; pure, over texts and dialects.

A configuration is a sequence of paths: a line together with the lines of the sections it stands in.
"""

import difflib
from collections.abc import Iterable, Iterator, Sequence

from hier_config import HConfig, get_hconfig, get_hconfig_driver
from hier_config import Platform as HierPlatform
from hier_config.models import IdempotentCommandsRule, MatchRule
from hier_config.platforms.driver_base import HConfigDriverBase

from tasks.dialects import Dialect

Path = tuple[str, ...]
LEAVING = frozenset({"exit", "end", "quit"})
CONTEXT_LINES = 3


def read(text: str, dialect: Dialect) -> list[Path]:
    """Return the paths of a configuration as a device shows it, its noise left out."""
    return list(_indented(dialect.config_lines(text)))


def intended(lines: Iterable[str], dialect: Dialect) -> list[Path]:
    """Return the paths that typed lines make, indented or not; a line that opens a section takes in what follows."""
    paths: list[Path] = []
    stack: list[tuple[int, str]] = []
    in_flat_section = False
    for line in lines:
        words = line.strip()
        indent = len(line) - len(line.lstrip())
        opens = bool(dialect.opens and dialect.opens.match(words))
        if words in LEAVING:
            del stack[-1:]
            in_flat_section = False
        elif in_flat_section and not indent and not opens:
            paths.append((*(text for _, text in stack), words))
        else:
            while stack and stack[-1][0] >= indent:
                stack.pop()
            in_flat_section = opens and not indent
            paths.append((*(text for _, text in stack), words))
            stack.append((indent, words))
    return paths


def is_there(before: Sequence[Path], wanted: Sequence[Path]) -> bool:
    """Say whether every line stands in a configuration already, so that sending them would change nothing."""
    return set(wanted) <= set(before)


def unified_diff(before: Sequence[Path], after: Sequence[Path], *, name: str, then: str = "after") -> str:
    """Return a unified diff, each of whose hunks names the section it begins in; empty when nothing differs."""
    old, new = _written(before), _written(after)
    labels = f"{name} running-config before", f"{name} running-config {then}"
    lines = difflib.unified_diff(old, new, *labels, n=CONTEXT_LINES, lineterm="")
    return "\n".join(f"{line}{_section(line, old)}" if line.startswith("@@") else line for line in lines)


def predict(text: str, wanted: Sequence[Path], dialect: Dialect) -> tuple[list[Path], list[Path]]:
    """Return a shown configuration, and what it would become, in a form that lets both be compared."""
    if dialect.hier_config is None:
        before = read(text, dialect)
        return before, _flat_future(before, wanted, dialect)
    driver = _driver(dialect)
    try:
        future = present = get_hconfig(driver, "\n".join(dialect.config_lines(text)))
        for batch in _batches(wanted):
            future = future.future(get_hconfig(driver, "\n".join(_written(batch))))
    except ValueError:  # a text this library cannot read, such as an unfinished banner
        before = read(text, dialect)
        return before, [*before, *(path for path in wanted if path not in before)]
    before = _paths(present)
    return before, _in_order(before, _paths(future))


def _indented(lines: Iterable[str]) -> Iterator[Path]:
    stack: list[tuple[int, str]] = []
    for line in lines:
        indent = len(line) - len(line.lstrip())
        while stack and stack[-1][0] >= indent:
            stack.pop()
        stack.append((indent, line.strip()))
        yield tuple(text for _, text in stack)


def _written(paths: Iterable[Path]) -> list[str]:
    return [" " * (len(path) - 1) + path[-1] for path in paths]


def _section(hunk: str, old: Sequence[str]) -> str:
    """Return the head of the section that a hunk begins in, as it stands behind the hunk's line numbers."""
    start = int(hunk.split()[1].lstrip("-").partition(",")[0])
    if start == 0 or start > len(old) or not old[start - 1].startswith(" "):
        return ""
    return next((f" {line}" for line in reversed(old[:start]) if not line.startswith(" ")), "")


def _driver(dialect: Dialect) -> HConfigDriverBase:
    driver = get_hconfig_driver(HierPlatform[str(dialect.hier_config)])
    driver.rules.idempotent_commands.extend(
        IdempotentCommandsRule(match_rules=tuple(MatchRule(startswith=words) for words in lineage))
        for lineage in dialect.one_value
    )
    return driver


def _batches(wanted: Sequence[Path]) -> Iterator[list[Path]]:
    """Cut lines where one speaks of a top line again, so that what is taken away first is gone when it comes back."""
    batch: list[Path] = []
    spoken_of: set[str] = set()
    head = ""
    for path in wanted:
        subject = path[0].removeprefix("no ")
        if path[0] != head and subject in spoken_of:
            yield batch
            batch, spoken_of = [], set()
        head = path[0]
        spoken_of.add(subject)
        batch.append(path)
    yield batch


def _paths(configuration: HConfig) -> list[Path]:
    return [tuple(child.path()) for child in configuration.all_children()]


def _in_order(before: Sequence[Path], after: Sequence[Path]) -> list[Path]:
    """Return ``after`` in the order of ``before``, what is new at the end of its section."""
    place = {path: index for index, path in enumerate(before)}
    newest = len(before)
    ranks = {path: place.get(path, newest + index) for index, path in enumerate(after)}
    return sorted(after, key=lambda path: [ranks.get(path[: depth + 1], newest) for depth in range(len(path))])


def _flat_future(before: Sequence[Path], wanted: Sequence[Path], dialect: Dialect) -> list[Path]:
    lines = [path[-1] for path in before]
    for *_, line in wanted:
        removed = next((form.sub(to, line) for form, to in dialect.flat.removals if form.fullmatch(line)), None)
        if removed is not None:
            lines = [other for other in lines if other != removed and not other.startswith(f"{removed} ")]
            continue
        subject = _subject(line, dialect)
        same = [index for index, other in enumerate(lines) if subject and _subject(other, dialect) == subject]
        if same:
            lines[same[0]] = line
        elif line not in lines:
            lines.append(line)
    return [(line,) for line in lines]


def _subject(line: str, dialect: Dialect) -> tuple[str, ...] | None:
    for form in dialect.flat.settings:
        if found := form.fullmatch(line):
            return found.groups()
    return None
