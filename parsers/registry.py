"""Knows every parser and finds the one for a command: our own first, then ntc-templates."""

import difflib
import functools
import importlib
import pkgutil
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from parsers import ntc
from parsers.contract import DIALECT, Parser, Record
from parsers.errors import UnknownParser

Reader = Callable[[str], Sequence[Record]]
_own: dict[str, "OwnParser"] = {}
_NEAR = 5
_CUTOFF = 0.5
_LONGEST_COMMAND = 200


@dataclass(frozen=True, slots=True)
class OwnParser:
    """A function of a platform package together with what it reads and returns."""

    id: str
    platform: str
    commands: tuple[str, ...]
    record: type[Record]
    read: Reader

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema (2020-12) of one record, generated from its Struct."""
        return {"$schema": DIALECT, **msgspec.json.schema(self.record)}

    def parse(self, text: str) -> list[dict[str, Any]]:
        """Return the records in `text` as plain dicts; raise ParseError when it is other output."""
        return [msgspec.to_builtins(record) for record in self.read(text)]

    def reads(self, command: str) -> bool:
        """Tell whether a normalised command has one of this parser's forms."""
        return any(_form(form).fullmatch(command) for form in self.commands)


def parser(*, platform: str, commands: tuple[str, ...], record: type[Record]) -> Callable[[Reader], OwnParser]:
    """Register a function as the parser of `commands`; its id is the platform and the function's name."""

    def register(read: Reader) -> OwnParser:
        found = OwnParser(f"{platform}.{read.__name__}", platform, commands, record, read)
        if found.id in _own:
            raise ValueError(f"two parsers are called {found.id}: rename the function in {read.__module__}")
        _own[found.id] = found
        return found

    return register


def available() -> list[Parser]:
    """List our own parsers, sorted by id."""
    _discover()
    return [_own[parser_id] for parser_id in sorted(_own)]


def find(platform: str, command: str) -> Parser:
    """Return the parser of a platform's command; raise UnknownParser with near matches when none reads it."""
    platform, wanted = platform.strip().lower(), " ".join(command.split()).lower()
    _discover()
    for own in _own.values():
        if own.platform == platform and own.reads(wanted):
            return own
    template = ntc.find(platform, wanted)
    if template is None:
        raise UnknownParser(platform, wanted, _near(platform, wanted))
    return template


def parse(platform: str, command: str, text: str) -> list[dict[str, Any]]:
    """Return the records in what `command` printed on `platform`.

    Raises UnknownParser when nothing reads the command, ParseError when the text is not its output.
    """
    return find(platform, command).parse(text)


@functools.cache
def _discover() -> None:
    root = importlib.import_module(__package__)
    for package in pkgutil.iter_modules(root.__path__, f"{root.__name__}."):
        if package.ispkg:
            path = importlib.import_module(package.name).__path__
            for module in pkgutil.iter_modules(path, f"{package.name}."):
                importlib.import_module(module.name)


@functools.cache
def _form(form: str) -> re.Pattern[str]:
    words = (r"\S+" if word.startswith("{") else re.escape(word) for word in form.split())
    return re.compile(" ".join(words))


def _near(platform: str, command: str) -> tuple[str, ...]:
    names = {form for own in _own.values() if own.platform == platform for form in own.commands}
    names.update(ntc.commands(platform))
    wanted = command
    if not names:
        names = {own.platform for own in _own.values()} | ntc.platforms()
        wanted = platform
    return tuple(difflib.get_close_matches(wanted[:_LONGEST_COMMAND], sorted(names), _NEAR, _CUTOFF))
