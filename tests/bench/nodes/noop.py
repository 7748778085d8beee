"""Node types that do nothing, or only let time pass, dropped in as an engineer would: what is left is the engine."""

import time

from nornir.core.task import Result, Task

from tasks.context import NodeContext
from tasks.node import Params, node, outcome


class Nothing(Params, frozen=True, kw_only=True):
    """No parameters."""


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
