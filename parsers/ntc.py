"""Offers the templates of the ntc-templates package as parsers, each read when it is first needed."""

import functools
import importlib.resources
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from io import StringIO
from typing import Any

import textfsm

from parsers.contract import DIALECT
from parsers.errors import ParseError

Rows = list[dict[str, Any]]
_COMPLETION = re.compile(r"\[\[(.+?)\]\]")


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line of the package's index: which templates read which command of which platforms."""

    templates: tuple[str, ...]
    platform: str
    platforms: str
    command: str
    pattern: str


@dataclass(frozen=True, slots=True)
class NtcParser:
    """One command of ntc-templates; field names are the template's Value names in lower case."""

    id: str
    platform: str
    commands: tuple[str, ...]
    templates: tuple[str, ...]

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema (2020-12) of one record, from the templates' Values."""
        values = {value.name.lower(): value for name in self.templates for value in _machine(name).values}
        return {
            "$schema": DIALECT,
            "title": self.id,
            "type": "object",
            "properties": {name: _value_schema(value) for name, value in values.items()},
            "required": list(values),
            "additionalProperties": False,
        }

    def parse(self, text: str) -> list[dict[str, Any]]:
        """Return the records the templates find; raise ParseError when no line of `text` is known to them."""
        if not text.strip():
            return []
        with ExitStack() as borrowed:
            return self._records(
                [_run(borrowed.enter_context(_borrowed(name)), name, text) for name in self.templates], text
            )

    def _records(self, runs: Sequence["_Machine"], text: str) -> list[dict[str, Any]]:
        if not any(machine.known for machine in runs):
            number, line = next((number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip())
            raise ParseError(
                f"this does not look like the output of {self.commands[0]!r}: no line of it is known to "
                f"{' or '.join(self.templates)}; give the text that this command printed",
                number,
                line,
            )
        rows = _rows(runs[0])
        for machine in runs[1:]:
            rows = _joined(rows, machine, _keys(runs[0]))
        return rows


class _Machine(textfsm.TextFSM):  # type: ignore[misc]
    """TextFSM that remembers which line it is at, and how often a line that says something fitted a rule."""

    number = 0
    known = 0
    rows: tuple[list[Any], ...] = ()

    def Reset(self) -> None:  # noqa: N802 - TextFSM's own name
        self.number, self.known, self.rows = 0, 0, ()
        super().Reset()

    def _CheckLine(self, line: str) -> None:  # noqa: N802 - TextFSM's own name
        self.number += 1
        super()._CheckLine(line)

    def _CheckRule(self, rule: Any, line: str) -> re.Match[str] | None:  # noqa: N802 - TextFSM's own name
        found: re.Match[str] | None = super()._CheckRule(rule, line)
        self.known += bool(found and line.strip())
        return found


@functools.lru_cache(maxsize=1024)
def find(platform: str, command: str) -> NtcParser | None:
    """Return the parser of a lower-case, single-spaced command, or None when no template reads it."""
    for entry, pattern in _commands(platform):
        if entry.command.lower() == command or pattern.match(command):
            name = f"ntc.{platform}.{entry.command.replace(' ', '_')}"
            return NtcParser(name, platform, (entry.command,), entry.templates)
    return None


def commands(platform: str) -> set[str]:
    """Return the commands that templates read on `platform`, as plain text."""
    return {entry.command for entry, _ in _commands(platform)}


def platforms() -> set[str]:
    """Return the platform slugs that have templates."""
    return {entry.platform for entry in _index()}


@functools.lru_cache(maxsize=64)
def _commands(platform: str) -> tuple[tuple[_Entry, re.Pattern[str]], ...]:
    return tuple(
        # Arguments may follow a template's words, but it must not end inside one: `show i` is no `show ip`.
        (entry, re.compile(rf"(?:{_COMPLETION.sub(_completed, entry.pattern)})(?=\s|$)", re.IGNORECASE))
        for entry in _index()
        if re.fullmatch(entry.platforms, platform)
    )


@functools.cache
def _index() -> tuple[_Entry, ...]:
    lines = (_folder() / "index").read_text(encoding="utf-8").splitlines()
    rows = [line.split(",", 3) for line in lines if line.strip() and not line.startswith("#")]
    return tuple(_entry(*(cell.strip() for cell in row)) for row in rows[1:])


def _entry(templates: str, _hostname: str, platforms: str, pattern: str) -> _Entry:
    names = tuple(templates.split(":"))
    stem = names[0].removesuffix(".textfsm")
    ends = (place.start() for place in re.finditer("_", stem))
    end = next((end for end in ends if re.fullmatch(platforms, stem[:end])), 0)
    return _Entry(names, stem[:end], platforms, stem[end:].strip("_").replace("_", " "), pattern)


def _completed(found: re.Match[str]) -> str:
    """Spell `sh[[ow]]` as a regex: each letter in the brackets may be the last."""
    letters = found.group(1)
    return "(?:" + "(?:".join(letters) + ")?" * len(letters)


def _folder() -> Traversable:
    return importlib.resources.files("ntc_templates") / "templates"


@functools.lru_cache(maxsize=256)
def _template(name: str) -> str:
    return (_folder() / name).read_text(encoding="utf-8")


def _machine(name: str) -> _Machine:
    return _Machine(StringIO(_template(name)))


_idle: dict[str, list[_Machine]] = {}


@contextmanager
def _borrowed(name: str) -> Iterator[_Machine]:
    """Lend a template's machine to one thread: it is compiled anew only where all that were are in use."""
    idle = _idle.setdefault(name, [])
    try:
        machine = idle.pop()
    except IndexError:
        machine = _machine(name)
    yield machine
    machine.Reset()
    idle.append(machine)


def _run(machine: _Machine, name: str, text: str) -> _Machine:
    try:
        machine.rows = tuple(machine.ParseText(text))
    except textfsm.TextFSMError as error:
        raise ParseError(
            f"the output does not fit the template {name}; give all that the command printed, and no more",
            machine.number,
            text.splitlines()[machine.number - 1],
        ) from error
    return machine


def _rows(machine: _Machine) -> Rows:
    names = [name.lower() for name in machine.header]
    return [dict(zip(names, row, strict=True)) for row in machine.rows]


def _keys(machine: _Machine) -> list[str]:
    return [name.lower() for name in machine.GetValuesByAttrib("Key")]


def _joined(rows: Rows, machine: _Machine, keys: Iterable[str]) -> Rows:
    """Add a further template's fields: from the first of its rows with the same keys, else as empty."""

    def key(row: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(row[name] for name in keys)

    more = {key(row): row for row in reversed(_rows(machine))}
    empty = {v.name.lower(): [] if "List" in v.OptionNames() else "" for v in machine.values}
    return [{**empty, **more.get(key(row), {}), **row} for row in rows]


def _value_schema(value: Any) -> dict[str, Any]:
    text = {"type": "string"}
    return {"type": "array", "items": text} if "List" in value.OptionNames() else text
