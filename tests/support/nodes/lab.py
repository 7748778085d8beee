"""Node types whose behaviour a test chooses per host: third-party nodes as an engineer would drop them in."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from nornir.core.task import Result, Task

from tasks import context
from tasks.context import NodeContext
from tasks.errors import NodeError
from tasks.node import Handle, Params, node, outcome

LONG_S = 60.0
LONGEST_MEETING_S = 20.0


class Behaviour(Params, frozen=True, kw_only=True):
    """How to behave: ``default``, or what ``hosts`` says of a host."""

    default: str = "ok"
    hosts: dict[str, str] = {}
    journal: str = ""
    text: str = ""
    repeat: int = 1


@node("lab:read", name="Read", category="lab", scope="device", outputs=(Handle("text", "string"),))
def read(task: Task, params: Behaviour) -> Result:
    """Read something from a host that behaves as told."""
    behave(str(task.host), params)
    return outcome({"text": params.text * params.repeat or str(task.host)})


@node(
    "lab:change", name="Change", category="lab", scope="device", changes_device=True, dry_run=True, fences_itself=True
)
def change(task: Task, params: Behaviour) -> Result:
    """Change a host that behaves as told."""
    if context.current().dry_run:
        return outcome(diff=f"+ {params.text}", changed=True)
    context.current().before_change([params.text])
    note(params, str(task.host))
    behave(str(task.host), params)
    return outcome({"sent": params.text}, changed=True, diff=f"+ {params.text}")


@node("lab:stubborn", name="Stubborn change", category="lab", scope="device", changes_device=True)
def stubborn(task: Task, params: Behaviour) -> Result:
    """Change a host, and know nothing of dry runs."""
    note(params, str(task.host))
    return outcome()


@node("lab:plain", name="Plain change", category="lab", scope="device", changes_device=True)
def plain(task: Task, params: Behaviour) -> Result:
    """Change a host, and know nothing of intents."""
    note(params, str(task.host))
    behave(str(task.host), params)
    return outcome()


@node("lab:once", name="Once", category="lab", scope="once", outputs=(Handle("text", "string"),))
def once(surroundings: NodeContext, params: Behaviour) -> Result:
    """Do something once, as told."""
    behave("-", params)
    return outcome({"text": params.text, "execution": surroundings.execution["id"]})


@node("lab:effect", name="Effect", category="lab", scope="once", idempotent=False, fences_itself=True)
def effect(surroundings: NodeContext, params: Behaviour) -> Result:
    """Have an effect outside, once, as told."""
    surroundings.before_change([params.text])
    note(params, "-")
    behave("-", params)
    return outcome()


@node("lab:branch", name="Branch", category="lab", scope="follow", triggers=("left", "right"))
def branch(params: Behaviour) -> Result:
    """Take the branch that ``default`` names."""
    return outcome({"text": params.text}, branch=params.default)


@node("lab:count", name="Count", category="lab", scope="follow", sets_variables=True)
def count(params: Behaviour) -> Result:
    """Set the variable ``count`` to a text."""
    return outcome({"count": params.text})


def behave(host: str, params: Behaviour) -> None:
    """Do as told: ``ok``, or a verb of VERBS with its argument behind a colon."""
    verb, _, argument = params.hosts.get(host, params.default).partition(":")
    if verb != "ok":
        VERBS[verb](host, argument)


def fail(host: str, error_class: str) -> None:
    """fail:CLASS."""
    raise NodeError(error_class, f"{host} fails as told")  # type: ignore[arg-type]


def fail_once(host: str, mark: str) -> None:
    """fail-once:FILE."""
    if first_time(Path(mark)):
        raise NodeError("upstream", f"{host} fails once")


def raise_(_: str, text: str) -> None:
    """raise:TEXT, an error that no node should raise."""
    raise ZeroDivisionError(text)


def kill(_: str, mark: str) -> None:
    """kill, or kill-once:FILE: end the worker."""
    if not mark or first_time(Path(mark)):
        os.kill(os.getpid(), signal.SIGKILL)


def wait(_: str, mark: str) -> None:
    """wait:FILE: until it is there."""
    while not Path(mark).exists():
        pause(0.02)


def meet(host: str, argument: str) -> None:
    """meet:N:FOLDER: be there at the same time as others, or fail."""
    count, _, folder = argument.partition(":")
    Path(folder).mkdir(exist_ok=True)
    (Path(folder) / f"{context.current().node_id} {host}").touch()
    give_up_at = time.monotonic() + LONGEST_MEETING_S
    while len(list(Path(folder).iterdir())) < int(count):
        if time.monotonic() > give_up_at:
            raise NodeError("timeout", f"{host} met nobody")
        pause(0.02)


def crowd(host: str, argument: str) -> None:
    """crowd:N:FOLDER: fail where more than N are there at the same time."""
    count, _, folder = argument.partition(":")
    Path(folder).mkdir(exist_ok=True)
    mark = Path(folder) / f"{context.current().execution['id']} {context.current().node_id} {host}"
    mark.touch()
    present = len(list(Path(folder).iterdir()))
    pause(0.1)
    mark.unlink()
    if present > int(count):
        raise NodeError("config_rejected", f"{present} are too many")


def sleep_once(_: str, mark: str) -> None:
    """sleep-once:FILE: long, the first time."""
    if first_time(Path(mark)):
        pause(LONG_S)


VERBS: dict[str, Callable[[str, str], None]] = {
    "fail": fail,
    "fail-once": fail_once,
    "raise": raise_,
    "kill": kill,
    "kill-once": kill,
    "wait": wait,
    "meet": meet,
    "crowd": crowd,
    "touch": lambda _, mark: Path(mark).touch(),
    "sleep": lambda _, seconds: pause(float(seconds)),
    "sleep-once": sleep_once,
    "hang": lambda _, seconds: time.sleep(float(seconds)),
}


def pause(seconds: float) -> None:
    """Sleep unless the execution is cancelled."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if context.current().cancelled():
            raise NodeError("cancelled", "stopped in mid-sleep")
        time.sleep(0.02)


def first_time(mark: Path) -> bool:
    """Say whether this is the first call with a mark."""
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def note(params: Behaviour, host: str) -> None:
    """Append a line to the journal, as a device would count what reaches it."""
    if params.journal:
        with Path(params.journal).open("a") as journal:
            journal.write(f"{host} {params.text}\n")
