"""Node types whose behaviour a test chooses per host: third-party nodes as an engineer would drop them in."""

import os
import signal
import time
from pathlib import Path

from nornir.core.task import Result, Task

from tasks import context
from tasks.context import NodeContext
from tasks.errors import NodeError
from tasks.node import Handle, Params, node, outcome


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
    """Do as told: ok, fail:CLASS, fail-once:FILE, sleep:S, wait:FILE, hang:S, raise:TEXT, kill or kill-once:FILE."""
    verb, _, argument = params.hosts.get(host, params.default).partition(":")
    if verb == "fail":
        raise NodeError(argument, f"{host} fails as told")  # type: ignore[arg-type]
    if verb == "raise":
        raise ZeroDivisionError(argument)
    if verb == "sleep":
        pause(float(argument))
    if verb == "wait":
        while not Path(argument).exists():
            pause(0.02)
    if verb == "fail-once" and first_time(Path(argument)):
        raise NodeError("upstream", f"{host} fails once")
    if verb == "hang":
        time.sleep(float(argument))
    if verb == "kill" or (verb == "kill-once" and first_time(Path(argument))):
        os.kill(os.getpid(), signal.SIGKILL)


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
