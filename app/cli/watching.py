"""Watching an execution: a live line for each device on a terminal, a plain line for each step elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Protocol

import click
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from app.cli.client import Api
from app.cli.failures import ExitCode
from app.cli.following import EXECUTIONS, Event, Following
from app.cli.output import STYLES, console, printable, say, seconds, warn
from app.cli.progress import DeviceProgress, Progress
from app.core.errors import ConflictError

MARKS = {"success": "✓", "failed": "✗", "unknown": "?", "cancelled": "–", "skipped": "–", "pending": "·"}
RESERVED_LINES = 4
FRAMES_PER_S = 10


class Detached(click.ClickException):
    """The watcher went away; the execution goes on."""

    exit_code = int(ExitCode.FAILED)

    def __init__(self, execution_id: str) -> None:
        super().__init__(
            f"The execution goes on. `opsconductor executions follow {execution_id}` watches it again, "
            f"`opsconductor executions cancel {execution_id}` cancels it."
        )

    def show(self, file: IO[Any] | None = None) -> None:
        """Write where the execution is found again to stderr."""
        click.echo(self.message, file=file, err=True)


class Screen(Protocol):
    """Shows what happens."""

    def show(self, event: Event, progress: Progress) -> None:
        """Show an event that the progress has taken in."""


class PlainScreen:
    """A line for each step that ends, for logs and pipes."""

    def show(self, event: Event, progress: Progress) -> None:
        """Print the end of a step, a failure with its reason."""
        del progress
        body = event.body
        if event.kind not in {"device.finished", "node.finished"}:
            return
        error = body.get("error") or {}
        words = [
            body["device"] if event.kind == "device.finished" else "(once)",
            body["node_id"],
            body["status"],
            error.get("class", ""),
            "(handled)" if body.get("handled") else "",
            seconds(body.get("duration_ms")),
            printable(error.get("message", "")),
        ]
        say("  ".join(word for word in words if word))


class SilentScreen:
    """Shows nothing: JSON is wanted."""

    def show(self, event: Event, progress: Progress) -> None:
        """Show nothing."""


class LiveScreen:
    """A line for each device, rewritten in place."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.spinner = Spinner("dots")

    def show(self, event: Event, progress: Progress) -> None:
        """Do nothing here: the terminal is redrawn by itself."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the devices that fit, those at work and those that failed first, and the totals."""
        room = max(1, options.max_height - RESERVED_LINES if options.max_height else console.height - RESERVED_LINES)
        devices = list(self.progress.devices.values())
        if len(devices) > room:
            devices = sorted(devices, key=lambda device: (not device.running, not device.lost))[:room]
        table = Table.grid(padding=(0, 2))
        for device in devices:
            mark = self.spinner if device.running else Text(MARKS.get(device.status, "·"), style=_style(device))
            table.add_row(mark, Text(device.name), Text(device.node_id), _remark(device))
        yield table
        hidden = len(self.progress.devices) - len(devices)
        yield Text(totals(self.progress) + (f", {hidden} not shown" if hidden else ""), style="dim")


def totals(progress: Progress) -> str:
    """Return how the execution stands as a line."""
    waiting = max(0, progress.expected - len(progress.devices))
    return (
        f"{progress.status}: {progress.expected} devices, {progress.running()} at work, "
        f"{progress.lost()} failed, {waiting} waiting"
    )


def watch(api: Api, execution_id: str, *, quiet: bool = False, ask: bool = True) -> Progress:
    """Show an execution until it has ended and return how it went; raises Detached when the watcher goes away.

    Without ``ask`` nobody is asked what Ctrl-C is to mean: it is raised.
    """
    progress, following = Progress(), Following(api, execution_id)
    while True:
        try:
            with _screen(progress, quiet=quiet) as screen:
                for event in following.events():
                    progress.note(event)
                    screen.show(event, progress)
        except KeyboardInterrupt:
            if not ask:
                raise
            _ask_what_to_do(api, execution_id, quiet=quiet)
        else:
            return progress


@contextmanager
def _screen(progress: Progress, *, quiet: bool) -> Iterator[Screen]:
    shown = console()
    if quiet:
        yield SilentScreen()
    elif not shown.is_terminal:
        yield PlainScreen()
    else:
        screen = LiveScreen(progress)
        with Live(screen, console=shown, refresh_per_second=FRAMES_PER_S, vertical_overflow="crop"):
            yield screen


def _ask_what_to_do(api: Api, execution_id: str, *, quiet: bool) -> None:
    """Let the one who pressed Ctrl-C choose; returns when he goes on watching."""
    if quiet or not sys.stdin.isatty():
        raise Detached(execution_id)
    choices = click.Choice(["cancel", "detach", "watch"])
    try:
        chosen = click.prompt("\nThe execution is still running", type=choices, default="detach", err=True)
    except click.Abort:
        chosen = "detach"
    if chosen == "detach":
        raise Detached(execution_id)
    if chosen == "cancel":
        cancel(api, execution_id)


def cancel(api: Api, execution_id: str) -> None:
    """Cancel an execution; one that has just ended needs no cancelling."""
    try:
        api.post(f"{EXECUTIONS}/{execution_id}/cancel")
    except ConflictError as error:
        warn(error.message)


def _remark(device: DeviceProgress) -> Text:
    if device.lost:
        return Text(
            f"{device.error_class}  {printable(device.message)}", style="red", no_wrap=True, overflow="ellipsis"
        )
    return Text(seconds(device.duration_ms) if device.duration_ms else "", style="dim")


def _style(device: DeviceProgress) -> str:
    return STYLES.get(device.status, "")
