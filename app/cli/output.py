"""What commands print: tables for people, JSON for programs, and nothing of the one in the other."""

import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

F = TypeVar("F", bound=Callable[..., Any])
STYLES = {
    "success": "green",
    "active": "green",
    "ok": "green",
    "partial": "yellow",
    "warning": "yellow",
    "running": "cyan",
    "failed": "red",
    "unknown": "magenta",
    "cancelled": "yellow",
    "skipped": "dim",
}


def json_option(command: F) -> F:
    """Give a command the option that every command has."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout, and nothing else.")(command)


def console() -> Console:
    """Return a console on stdout as it is now."""
    return Console(file=sys.stdout, highlight=False)


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(value)).decode())


def say(message: str) -> None:
    """Print a line for people."""
    click.echo(message)


def warn(message: str) -> None:
    """Print a line for people where it does not get into what a program reads."""
    click.echo(message, err=True)


def print_table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table: coloured and wrapped on a terminal, a line for each row elsewhere, for grep."""
    cells = [[cell(value) for value in row] for row in rows]
    if not sys.stdout.isatty():
        _print_lines([[Text(heading) for heading in headings], *cells])
        return
    table = Table(*headings, box=None, pad_edge=False, header_style="bold")
    for row in cells:
        table.add_row(*row)
    console().print(table)


def _print_lines(rows: Sequence[Sequence[Text]]) -> None:
    widths = [max(text.cell_len for text in column) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = (text.plain + " " * (width - text.cell_len) for text, width in zip(row, widths, strict=True))
        say("  ".join(padded).rstrip())


def cell(value: Any) -> Text:
    """Return a table's cell: text that came from elsewhere is never taken for markup or for a terminal's commands."""
    text = printable(spelled(value))
    return Text(text, style=STYLES.get(text, ""))


def spelled(value: Any) -> str:
    """Return a value as people write it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


def printable(text: str) -> str:
    """Return a text on one line, without the characters that steer a terminal."""
    return "".join(character if character.isprintable() else " " for character in text).strip()


def seconds(duration_ms: int | None) -> str:
    """Return a duration in seconds."""
    return "" if duration_ms is None else f"{duration_ms / 1000:.1f} s"


def moment(text: str | None) -> str:
    """Return a time of the API as local time, to the second."""
    return "" if text is None else datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")
