"""A node type that does nothing, dropped in as an engineer would drop in his own: what is left is the engine."""

from nornir.core.task import Result, Task

from tasks.node import Params, node, outcome


class Nothing(Params, frozen=True, kw_only=True):
    """No parameters."""


@node("bench:noop", name="No-op", category="bench", scope="device")
def noop(task: Task, params: Nothing) -> Result:
    """Do nothing on a device."""
    return outcome()
