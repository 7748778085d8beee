"""The errors of this room: ParserError → ParseError, UnknownParser."""

_SHOWN = 120


class ParserError(Exception):
    """Root of everything this room raises on purpose."""


class ParseError(ParserError):
    """The text is not what the command prints, or not all of it.

    `line_number` counts from 1; `line` is the line that could not be read.
    """

    def __init__(self, message: str, line_number: int, line: str) -> None:
        super().__init__(message, line_number, line)
        self.message = message
        self.line_number = line_number
        self.line = line

    def __str__(self) -> str:
        shown = self.line if len(self.line) <= _SHOWN else f"{self.line[:_SHOWN]}…"
        return f"{self.message} (line {self.line_number}: {shown!r})"


class UnknownParser(ParserError):
    """No parser reads this command of this platform; `near` holds the closest names that exist."""

    def __init__(self, platform: str, command: str, near: tuple[str, ...] = ()) -> None:
        super().__init__(platform, command, near)
        self.platform = platform
        self.command = command
        self.near = near

    def __str__(self) -> str:
        near = ", ".join(repr(name) for name in self.near) or "nothing"
        return (
            f"no parser reads {self.command!r} on platform {self.platform!r}; near to it: {near}. "
            "Correct the platform or the command, parse the text with a template of your own, "
            "or add a module to the platform's package under parsers/"
        )
