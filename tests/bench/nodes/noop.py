"""Node types that do nothing, or only let time pass, dropped in as an engineer would: what is left is the engine."""

import time
from pathlib import Path

from nornir.core.task import Result, Task

from tasks.context import NodeContext
from tasks.node import Params, node, outcome


class Nothing(Params, frozen=True, kw_only=True):
    """No parameters."""


class Change(Params, frozen=True, kw_only=True):
    """How long the change takes, and the file that begin and end are noted in."""

    seconds: float
    journal: str


class Nap(Params, frozen=True, kw_only=True):
    """How long it takes."""

    seconds: float = 3.0


@node("bench:noop", name="No-op", category="bench", scope="device")
def noop(task: Task, params: Nothing) -> Result:
    """Do nothing on a device."""
    return outcome()


@node("bench:noop-once", name="No-op, once", category="bench", scope="once")
def noop_once(context: NodeContext, params: Nothing) -> Result:
    """Do nothing, once."""
    return outcome()


@node("bench:nap", name="Nap", category="bench", scope="device")
def nap(task: Task, params: Nap) -> Result:
    """Take some time on a device."""
    time.sleep(params.seconds)
    return outcome()


@node("bench:nap-once", name="Nap, once", category="bench", scope="once")
def nap_once(context: NodeContext, params: Nap) -> Result:
    """Take some time, once."""
    time.sleep(params.seconds)
    return outcome()


@node("bench:change", name="Slow change", category="bench", scope="device", changes_device=True)
def change(task: Task, params: Change) -> Result:
    """Take some time for a change of a device, and note when it begins and ends."""
    for word, pause_s in (("begin", params.seconds), ("end", 0.0)):
        with Path(params.journal).open("a") as journal:
            journal.write(f"{time.time()} {word}\n")
        time.sleep(pause_s)
    return outcome()
