"""Says what a platform must offer to be put behind an SSH server: a box with terminals, and no I/O at all."""

from enum import StrEnum
from typing import Protocol


class LineKind(StrEnum):
    """What a typed line is to the terminal it is typed into."""

    EMPTY = "empty"
    SECRET = "secret"  # the answer to a password question
    SESSION = "session"  # concerns the login itself: terminal, privilege, goodbye; answered at once
    COMMAND = "command"
    CONFIG = "config"


class Terminal(Protocol):
    """One login on a box: its mode and its prompt."""

    @property
    def prompt(self) -> str:
        """Return what the box shows before it reads the next line."""

    @property
    def hides_input(self) -> bool:
        """Tell whether the next line is a secret and must not be echoed."""

    @property
    def closed(self) -> bool:
        """Tell whether the last line ended the login."""

    def classify(self, line: str) -> LineKind:
        """Tell what a line would be, without doing it."""

    def answer(self, line: str) -> str:
        """Do what a line says and return the text it prints, lines parted by a newline, none at the end."""


class Box(Protocol):
    """One device of a platform: the state that all its logins share."""

    def open_terminal(self) -> Terminal:
        """Begin a login."""
