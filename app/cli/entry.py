"""The root of the command line: its list of commands, each imported only when it is called, and its exit codes."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from app import __version__
from app.cli.failures import ExitCode, explain

COMMANDS: Mapping[str, tuple[str, str]] = {
    "up": ("up", "Run everything in this terminal: servers, API and workers."),
    "demo": ("demo", "Show the product on a simulated network of twelve devices."),
    "api": ("api", "Serve the API."),
    "worker": ("worker", "Run this machine's workers."),
    "migrate": ("migrate", "Bring the database up to date."),
    "user": ("user", "Create and list users, on the server itself."),
    "vault": ("vault", "Make and rotate the key that seals credentials."),
    "retention": ("retention", "Delete executions that are kept no longer."),
    "doctor": ("doctor", "Check versions, services, keys and permissions."),
    "login": ("login", "Log in to the service and keep the session."),
    "logout": ("logout", "End the session that login keeps."),
    "devices": ("devices", "List, show and import devices."),
    "workflow": ("workflow", "Validate, test, import, export and run workflows."),
    "executions": (
        "executions",
        "List, show, follow, rerun, decide, resume, compare, export, cancel and delete executions.",
    ),
    "nodes": ("nodes", "List and show the node types workflows are made of."),
}
"""Each command with its module in app.cli.commands, and what `--help` says of it without importing that."""


class Root(click.Group):
    """The group of all commands, which tells every failure in a sentence and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, in the order they are told."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(f"app.cli.commands.{module}"), module)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what each command is for."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the exit codes mean, and the variables that name the service."""
        del ctx
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(int(code)), code.meaning) for code in ExitCode])
        with formatter.section("Environment"):
            formatter.write_dl(
                [
                    ("OPSCONDUCTOR_URL", "The service to speak to; http://127.0.0.1:5000 unless set."),
                    ("OPSCONDUCTOR_TOKEN", "A token to use in place of the session that login keeps."),
                    ("OPSCONDUCTOR_STATE_DIR", "Where `up` keeps its servers' data and its keys."),
                ]
            )

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, and turn what it raises into a message for people and a code for programs."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            failure = explain(error)
            if failure is None:
                raise
            raise failure from error


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="opsconductor")
def main() -> None:
    """Automate networks: draw a workflow, point it at devices, watch every one of them.

    The commands up, demo, api, worker, migrate, user, vault, retention and doctor act on this machine; the others speak
    to a running service. Each takes --json, and then prints JSON on stdout and nothing else.
    """
