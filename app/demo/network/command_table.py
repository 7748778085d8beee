"""Finds the command that a typed line means, allowing every word to be cut short as command lines do."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")


class Reason(StrEnum):
    """Why a line means no command."""

    INVALID = "invalid"
    INCOMPLETE = "incomplete"
    AMBIGUOUS = "ambiguous"


class NoSuchCommandError(Exception):
    """A line that means no command, or several; `column` is where its first wrong word begins."""

    def __init__(self, reason: Reason, column: int) -> None:
        super().__init__(f"{reason} at column {column}")
        self.reason = reason
        self.column = column


@dataclass(frozen=True, slots=True)
class Command(Generic[T]):
    """A command: its words, and what it does on a terminal with the words behind them."""

    words: str
    run: Callable[[T, str], str]
    takes_words: bool = False  # needs at least one word of its own behind the fixed ones
    privileged: bool = False
    session: bool = False  # concerns the login itself, see LineKind.SESSION


def find_command(commands: Sequence[Command[T]], line: str) -> tuple[Command[T], str]:
    """Return the command and the words behind it, as typed; raise NoSuchCommandError."""
    typed = [(match[0].lower(), match.start()) for match in re.finditer(r"\S+", line)]
    words = [word for word, _ in typed]
    fitting = [command for command in commands if _fits_whole(command, words)]
    if not fitting:
        raise _explain(commands, typed, len(line))
    length = max(len(command.words.split()) for command in fitting)
    longest = [command for command in fitting if len(command.words.split()) == length]
    exact = [command for command in longest if command.words.split() == words[:length]]
    best = exact or longest
    if len(best) > 1:
        raise NoSuchCommandError(Reason.AMBIGUOUS, typed[0][1])
    return best[0], line[typed[length][1] :].rstrip() if len(typed) > length else ""


def _fits_whole(command: Command[T], words: list[str]) -> bool:
    length = len(command.words.split())
    behind = len(words) - length
    return _fits(command, words) and (behind > 0 if command.takes_words else behind == 0)


def _fits(command: Command[T], words: list[str]) -> bool:
    """Tell whether as many words as there are on both sides agree."""
    return all(full.startswith(word) for full, word in zip(command.words.split(), words, strict=False))


def _explain(commands: Sequence[Command[T]], typed: list[tuple[str, int]], end: int) -> NoSuchCommandError:
    words = [word for word, _ in typed]
    for count, (_, column) in enumerate(typed, start=1):
        if not any(_fits(command, words[:count]) and _has_room(command, count) for command in commands):
            return NoSuchCommandError(Reason.INVALID, column)
    return NoSuchCommandError(Reason.INCOMPLETE, end)


def _has_room(command: Command[T], count: int) -> bool:
    return command.takes_words or count <= len(command.words.split())
