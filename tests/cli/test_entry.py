import json
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from app.cli.entry import COMMANDS, main
from app.cli.failures import ExitCode
from tests.cli.conftest import Call


def commands(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name), command


def test_the_list_of_commands_says_what_each_says_of_itself() -> None:
    context = click.Context(main)
    for name, (_, text) in COMMANDS.items():
        command = main.get_command(context, name)
        assert command is not None
        assert command.get_short_help_str(limit=200) == text
        assert command.name == name


def test_every_command_takes_json() -> None:
    without = [
        words for words, command in commands(main) if "--json" not in [opt for p in command.params for opt in p.opts]
    ]
    assert without == []


def test_every_command_and_every_option_says_what_it_is_for() -> None:
    for words, command in commands(main):
        assert command.help, words
        undocumented = [param.name for param in command.params if isinstance(param, click.Option) and not param.help]
        assert undocumented == [], words


def test_help_tells_commands_exit_codes_and_variables(call: Call) -> None:
    result = call("--help")
    assert result.exit_code == 0
    for expected in (*COMMANDS, *(code.meaning for code in ExitCode), "OPSCONDUCTOR_URL", "OPSCONDUCTOR_TOKEN"):
        assert expected in result.stdout


@pytest.mark.parametrize(
    "words", [("nonsense",), ("devices", "lst"), ("devices", "list", "--colour"), ("workflow", "run")]
)
def test_a_wrong_command_line_is_exit_code_2(call: Call, words: tuple[str, ...]) -> None:
    result = call(*words)
    assert result.exit_code == ExitCode.USAGE
    assert result.stdout == ""
    assert "Error: " in result.stderr


def test_the_list_of_commands_is_told_without_loading_them() -> None:
    loaded = "import sys; from app.cli import main; main(['--help'], standalone_mode=False); print(sorted(sys.modules))"
    said = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout
    for heavy in ("'litestar'", "'piccolo'", "'nornir'", "'rq'"):
        assert heavy not in said.splitlines()[-1]


def test_it_runs_as_a_module_too() -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "app.cli", "vault", "generate-key", "--json"], capture_output=True, text=True, check=True
    )
    assert set(json.loads(finished.stdout)) == {"key"}
    assert finished.stderr == ""
