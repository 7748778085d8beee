"""Oversight: the calls that a shard's hosts have in hand; one that never ends is cut, and then left behind."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from nornir.core.task import Result

from app.automation.executions.engine.deadline import GRACE_S, Abandoned
from app.automation.executions.engine.runner import LeftBehind
from app.automation.executions.records import Place
from tasks.errors import ErrorClass, NodeError

LONGEST_CALL_S = 3600.0
"""How long a call may take to which its workflow gives no time of its own: no host holds a worker for ever."""
EVER = float("inf")

Key = tuple[str, str, str]
"""A node, a host and an iteration."""
Interrupt = Callable[[ErrorClass], None]


@dataclass(eq=False, kw_only=True, slots=True)
class InHand:
    """A call of a node on a host, when it is due to end, and how it is cut."""

    node_id: str
    place: Place
    interrupt: Interrupt
    free: Callable[[], None]
    """Gives back what the call holds that others wait for, when it is left behind."""
    changes: bool
    due: float = EVER
    cut_at: float = EVER

    @property
    def key(self) -> Key:
        """Return which call it is."""
        return self.node_id, self.place.key, self.place.iteration


class Oversight:
    """Knows every call in hand; whoever takes one out of it, its thread or the one that looks, says how it ended."""

    def __init__(self) -> None:
        self._calls: dict[Key, InHand] = {}
        self._cut: set[Key] = set()

    def watch(self, call: InHand, function: Callable[[], Result], longest_s: float) -> Result:
        """Call under oversight; raises LeftBehind when it comes back after it was given up."""
        key = call.key
        call.due = time.monotonic() + longest_s
        self._calls[key] = call
        try:
            return function()
        except Exception as error:
            if call.cut_at == EVER or isinstance(error, Abandoned):
                raise
            raise NodeError("timeout", f"It did not end within {LONGEST_CALL_S:g} s.") from error
        finally:
            if self._calls.pop(key, None) is not call:
                raise LeftBehind
            self._cut.discard(key)

    def is_cut(self, key: Key) -> bool:
        """Say whether a call's time is up."""
        return key in self._cut

    def look(self) -> list[InHand]:
        """Cut the calls of hosts that have one overdue, and return those to be left behind: they outlive the cut."""
        moment = time.monotonic()
        calls = list(self._calls.values())
        overdue = {call.place.key for call in calls if call.due < moment}
        given_up = []
        for call in calls:
            if call.place.key in overdue and call.cut_at == EVER:
                call.cut_at = moment
                self._cut.add(call.key)
                call.interrupt("timeout")
            elif moment - call.cut_at > GRACE_S and self._calls.pop(call.key, None) is call:
                given_up.append(call)
        return given_up

    def cut_changes(self) -> None:
        """Cut the sessions of all changes in hand: the right to make them is about to pass on."""
        for call in list(self._calls.values()):
            if call.changes:
                call.interrupt("cancelled")
