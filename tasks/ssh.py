"""Nodes that run commands on a device over SSH and read what it says."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from netutils.lib_mapper import NAME_TO_ALL_LIB_MAPPER, NETMIKO_LIB_MAPPER
from nornir.core.task import Result, Task

from parsers import ntc, registry
from parsers.contract import Parser
from parsers.errors import ParseError, UnknownParser
from tasks import context
from tasks.dialects import dialect_of
from tasks.dialing import endpoint
from tasks.errors import NodeError
from tasks.node import Handle, node, outcome
from tasks.secrets import TakesSecrets
from tasks.sessions import netmiko_session
from tasks.terminal import enable, run_command

AUTO = "auto"
NONE = "none"


class SshCommandParams(TakesSecrets, frozen=True, kw_only=True):
    """What to run, and how to read it."""

    command: Annotated[str, Meta(min_length=1, description="The command to run; several stand on a line each.")]
    parser: Annotated[
        str,
        Meta(
            min_length=1,
            description="auto: the one that reads the command, if any does; none; or a parser's id, which must fit.",
        ),
    ] = AUTO
    timeout: Annotated[int, Meta(ge=1, le=600, description="Seconds that each command may take.")] = 30
    enable: Annotated[bool, Meta(description="Take full privilege first, with the credential's enable secret.")] = False
    credential: Annotated[
        str | None, Meta(description="The credential to log in with, by name or id; else those assigned to the device.")
    ] = None


class CommandOutput(msgspec.Struct, frozen=True, kw_only=True):
    """What one command printed, and what a parser read in it."""

    command: str
    stdout: str
    records: list[dict[str, Any]] | None = None
    parser: str | None = None
    parse_error: str | None = None


@node(
    "ssh:command",
    name="SSH Command",
    category="SSH",
    package="ssh",
    scope="device",
    icon="terminal",
    color="#0f766e",
    prerequisites=("credential:ssh",),
    inputs=(Handle("input"),),
    outputs=(
        Handle("stdout", "string", "What the device printed, without echo and prompt."),
        Handle("records", "records", "What the parser read; null where there is none, or several commands."),
        Handle("parser", "string", "The id of the parser that read it."),
        Handle("commands", "array", "For each command: command, stdout, records, parser, parse_error."),
    ),
)
def ssh_command(task: Task, params: SshCommandParams) -> Result:
    """Run show commands on a device over SSH and parse what they print.

    A command that the device refuses fails the node with class ``unsupported`` (it does not know the command) or
    ``auth`` (the user may not run it). Changes belong to ``config:push``.
    """
    outputs: list[CommandOutput] = []
    with netmiko_session(task, credential=params.credential, privileged=params.enable) as connection:
        if params.enable:
            enable(connection, task.host.name)
        for command in commands_in(params.command):
            if context.current().cancelled():
                raise NodeError("cancelled", f"Stopped before {command!r}.")
            stdout = run_command(connection, command, params.timeout)
            outputs.append(CommandOutput(command=command, stdout=stdout))
        device_type, where = connection.device_type, endpoint(connection.host, connection.port, task.host.name)
    for output in outputs:
        _refuse_refusals(device_type, where, output)
    return outcome(_handles([_read(device_type, output, params.parser) for output in outputs]))


def commands_in(text: str) -> list[str]:
    """Return the commands of a text, one a line; raises NodeError when there is none."""
    commands = [line.strip() for line in text.splitlines() if line.strip()]
    if not commands:
        raise NodeError("validation", "command is empty. Write a command, or several, one a line.")
    return commands


def ntc_name(device_type: str) -> str:
    """Return the name that parsers know a netmiko device type by."""
    plain = device_type.removesuffix("_ssh").removesuffix("_telnet")
    names = NAME_TO_ALL_LIB_MAPPER.get(NETMIKO_LIB_MAPPER.get(plain, plain), {})
    return names.get("ntc_templates", plain)


def _refuse_refusals(device_type: str, where: str, output: CommandOutput) -> None:
    dialect = dialect_of(device_type)
    refusal = dialect.refusal_in(output.stdout) if dialect else None
    if refusal is not None:
        error_class, words = refusal
        raise NodeError(error_class, f"{where} refused {output.command!r}: {words}")


def _read(device_type: str, output: CommandOutput, wanted: str) -> CommandOutput:
    """Add the records; a parser that was asked for by id must fit, one that was found may fail."""
    parser = _parser(ntc_name(device_type), output.command, wanted)
    if parser is None:
        return output
    try:
        records = parser.parse(output.stdout)
    except ParseError as error:
        if wanted != AUTO:
            raise NodeError(
                "parse", f"The parser {parser.id} cannot read what {output.command!r} printed: {error}"
            ) from error
        return msgspec.structs.replace(output, parser=parser.id, parse_error=str(error))
    return msgspec.structs.replace(output, parser=parser.id, records=records)


def _parser(platform: str, command: str, wanted: str) -> Parser | None:
    if wanted == NONE:
        return None
    try:
        return registry.find(platform, command) if wanted == AUTO else parser_by_id(wanted)
    except UnknownParser as error:
        if wanted == AUTO:
            return None
        raise NodeError("parse", f"There is no parser {wanted!r}: {error}.") from error


def parser_by_id(parser_id: str) -> Parser:
    """Return the parser of an id, such as ``ntc.cisco_ios.show_version``; raises UnknownParser."""
    for own in registry.available():
        if own.id == parser_id:
            return own
    prefix, _, rest = parser_id.partition(".")
    platform, _, words = rest.partition(".")
    template = ntc.find(platform, words.replace("_", " ")) if prefix == "ntc" else None
    if template is None:
        raise UnknownParser(*(parser_id.rsplit(".", 1) if "." in parser_id else (parser_id, "")))
    return template


def _handles(outputs: Sequence[CommandOutput]) -> dict[str, Any]:
    only = outputs[0] if len(outputs) == 1 else None
    return {
        "stdout": "\n".join(output.stdout for output in outputs),
        "records": only.records if only else None,
        "parser": only.parser if only else None,
        "commands": [msgspec.to_builtins(output) for output in outputs],
    }
