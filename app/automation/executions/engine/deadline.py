"""A node's own timeout: its session is cut when the time is up, and a call that lives on is left behind."""

import contextvars
import threading
from collections.abc import Callable
from dataclasses import replace

from nornir.core.task import Result

from tasks import context
from tasks.errors import NodeError

GRACE_S = 2.0
"""How long a call may take to notice that its time is up."""


class Abandoned(NodeError):
    """A call outlived its timeout and the cut of its session; its host goes no further in this process."""


def call_within(timeout_s: float, call: Callable[[], Result], interrupt: Callable[[], None]) -> Result:
    """Call in a thread of its own; raises NodeError of class timeout, or Abandoned where the call does not end."""
    run = _Run(call)
    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), name="node", daemon=True)
    thread.start()
    thread.join(timeout_s)
    if not thread.is_alive():
        return run.outcome()
    run.expired.set()
    interrupt()
    thread.join(GRACE_S)
    said = f"It did not end within timeout_s ({timeout_s:g} s)"
    if thread.is_alive():
        raise Abandoned("timeout", f"{said}, nor when its session was cut; this host goes no further.")
    if run.result is not None and not run.result.failed:
        return run.result
    raise NodeError("timeout", f"{said}.") from run.error


class _Run:
    """The call, and what came of it."""

    def __init__(self, call: Callable[[], Result]) -> None:
        self._call = call
        self.expired = threading.Event()
        self.result: Result | None = None
        self.error: BaseException | None = None

    def __call__(self) -> None:
        surroundings = context.current()
        context.enter(replace(surroundings, cancelled=lambda: self.expired.is_set() or surroundings.cancelled()))
        try:
            self.result = self._call()
        except BaseException as error:  # noqa: BLE001 — raised again in the thread that waits
            self.error = error

    def outcome(self) -> Result:
        if self.error is not None:
            raise self.error
        if self.result is None:
            raise RuntimeError("the call has not ended")
        return self.result
