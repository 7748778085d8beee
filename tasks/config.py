"""Nodes that change a device's configuration, and always show what changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from msgspec import Meta
from netmiko import BaseConnection
from netmiko.exceptions import ConfigInvalidException
from nornir.core.task import Result, Task

from tasks import configurations, context
from tasks.configurations import Path
from tasks.dialects import DIALECTS, Dialect, dialect_of
from tasks.errors import NodeError
from tasks.node import Handle, node, outcome
from tasks.secrets import TakesSecrets
from tasks.sessions import device_type_of, netmiko_session
from tasks.terminal import enable, hang_up, leave_configuration, run_command

UNVERIFIABLE = "banner "
"""Lines behind this are read by the device as text, and not echoed as commands are."""
WORDS_OF_DEVICE = "matched error: "


class ConfigPushParams(TakesSecrets, frozen=True, kw_only=True):
    """What to configure."""

    lines: Annotated[
        str, Meta(min_length=1, description="Configuration lines, as they are typed in configuration mode.")
    ]
    save: Annotated[bool, Meta(description="Keep the configuration for the next start, once all lines are in.")] = False
    timeout: Annotated[
        int, Meta(ge=1, le=600, description="Seconds that each line, and showing the configuration, may take.")
    ] = 60
    credential: Annotated[
        str | None, Meta(description="The credential to log in with, by name or id; else those assigned to the device.")
    ] = None


@dataclass
class Push:
    """One push to one device: what is wanted, and how far it has come."""

    name: str
    dialect: Dialect
    lines: list[str]
    timeout_s: int
    save: bool
    sent: list[str] = field(default_factory=list)
    diff: str = ""
    saved: bool = False

    def finished(self, error: NodeError | None = None) -> Result:
        """Return the push as a node's result."""
        outputs = {"diff": self.diff, "changed": bool(self.diff), "sent": self.sent, "saved": self.saved}
        return outcome(outputs, diff=self.diff, changed=bool(self.diff), exception=error)


@node(
    "config:push",
    name="Push Configuration",
    category="Configuration",
    package="configuration",
    scope="device",
    icon="file-pen-line",
    color="#b45309",
    platforms=tuple(DIALECTS),
    prerequisites=("credential:ssh",),
    changes_device=True,
    dry_run=True,
    fences_itself=True,
    inputs=(Handle("input"),),
    outputs=(
        Handle("diff", "string", "What changed in the running configuration, as a unified diff."),
        Handle("changed", "boolean", "Whether anything changed."),
        Handle("sent", "array", "The lines that were sent."),
        Handle("saved", "boolean", "Whether the configuration was kept for the next start."),
    ),
)
def config_push(task: Task, params: ConfigPushParams) -> Result:
    """Send configuration lines to a device and show the difference they made.

    Lines that are all there already are not sent. A dry run shows the difference as far as it can be predicted, and
    sends nothing. A line that the device refuses ends the push with class ``config_rejected``; those before it stay.
    """
    name = task.host.name
    push = Push(
        name=name,
        dialect=_dialect(device_type_of(task.host), name),
        lines=config_lines(params.lines),
        timeout_s=params.timeout,
        save=params.save,
    )
    try:
        with netmiko_session(task, credential=params.credential, privileged=True) as connection:
            enable(connection, name)
            failure = _carry_out(connection, push)
            if failure is not None:
                hang_up(connection)
    except NodeError as error:
        if not push.sent:
            raise
        return push.finished(_with_progress(error, push))
    return push.finished(failure)


def config_lines(text: str) -> list[str]:
    """Return the lines of a text that are to be sent; raises NodeError when there is none."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("!")]
    if not lines:
        raise NodeError("validation", "lines holds no configuration line. Write at least one.")
    return lines


def _dialect(device_type: str, name: str) -> Dialect:
    dialect = dialect_of(device_type)
    if dialect is None:
        known = ", ".join(DIALECTS)
        message = (
            f"{name}: how {device_type or 'its platform'} shows its configuration is not known; known are {known}."
        )
        raise NodeError("unsupported", message)
    return dialect


def _carry_out(connection: BaseConnection, push: Push) -> NodeError | None:
    """Predict or push; return what kept a push from ending well although the session did."""
    shown = _show(connection, push)
    before = configurations.read(shown, push.dialect)
    wanted = configurations.intended(push.lines, push.dialect)
    if configurations.is_there(before, wanted):
        return None
    if context.current().dry_run:
        present, future = configurations.predict(shown, wanted, push.dialect)
        push.diff = configurations.unified_diff(present, future, name=push.name, then="predicted")
        return None
    context.current().before_change([*push.lines, *([push.dialect.save] if push.save else [])])
    failure = _send(connection, push)
    return _conclude(connection, push, before, failure)


def _send(connection: BaseConnection, push: Push) -> NodeError | None:
    """Send the lines one by one, up to the first that is refused, and return the refusal."""
    try:
        connection.send_config_set(
            _noted(push),
            read_timeout=push.timeout_s,
            error_pattern=push.dialect.config_refusal,
            terminator=push.dialect.prompt_line,
            cmd_verify=not any(line.startswith(UNVERIFIABLE) for line in push.lines),
            bypass_commands="",
            exit_config_mode=False,
        )
    except ConfigInvalidException as error:
        return _refusal(push, str(error).partition(WORDS_OF_DEVICE)[2].strip())
    except ValueError as error:
        message = f"{push.name} does not enter configuration mode: {error}. Check the user's rights."
        return NodeError("config_rejected", message)
    return None


def _noted(push: Push) -> Iterator[str]:
    """Yield the lines to send, and note each right before it is sent."""
    for line in push.lines:
        if context.current().cancelled():
            raise NodeError("cancelled", f"{push.name}: stopped before the line {line.strip()!r}.")
        push.sent.append(line)
        yield line


def _refusal(push: Push, words: str) -> NodeError:
    refused, taken = push.sent[-1].strip(), len(push.sent) - 1
    before = f"Lines taken before it: {taken}." if taken else "It was the first line; nothing was changed."
    where = f"{push.name} refused line {taken + 1} of {len(push.lines)}, {refused!r}"
    return NodeError("config_rejected", f"{where}, saying {words!r}. {before}")


def _conclude(
    connection: BaseConnection, push: Push, before: Sequence[Path], failure: NodeError | None
) -> NodeError | None:
    """Leave configuration mode, show what changed, and save if all went well."""
    leave_configuration(connection, push.name)
    after = configurations.read(_show(connection, push), push.dialect)
    push.diff = configurations.unified_diff(before, after, name=push.name)
    if failure is not None or not push.save:
        return failure
    words = push.dialect.refusal_in(run_command(connection, push.dialect.save, push.timeout_s))
    if words is not None:
        return NodeError("config_rejected", f"{push.name} took the lines but refused {push.dialect.save!r}: {words[1]}")
    push.saved = True
    return None


def _show(connection: BaseConnection, push: Push) -> str:
    shown = run_command(connection, push.dialect.show_config, push.timeout_s)
    refusal = push.dialect.refusal_in(shown)
    if refusal is not None:
        message = f"{push.name} refused {push.dialect.show_config!r}: {refusal[1]} Check the user's rights."
        raise NodeError(refusal[0], message)
    return shown


def _with_progress(error: NodeError, push: Push) -> NodeError:
    progress = f"Of {len(push.lines)} lines {len(push.sent)} had been sent."
    return type(error)(error.error_class, f"{error.message} {progress}")
