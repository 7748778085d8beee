"""Branches side by side: each node runs as soon as what it waits for has ended, several at once for one host."""

import contextvars
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue

from app.automation.executions.engine.walker import Walker
from app.automation.executions.records import NodeRecord

Call = Callable[[], NodeRecord | None]
Decide = Callable[[str], NodeRecord | Call]
"""Returns the record of a node that is not run, or what runs it."""
EXTRA_THREADS = threading.BoundedSemaphore(64)
"""How many branches may run in threads of their own in this process; beyond that they take turns."""


def run(walker: Walker, steps: Sequence[str], decide: Decide) -> None:
    """Walk steps that are no chain; returns when nothing more can run: all ended, parked, or told to stop."""
    frontier = _Frontier(walker, steps, decide)
    crew = _Crew()
    while True:
        goes_on = walker.performance.goes_on(walker.place) and crew.error is None
        calls = frontier.advance() if goes_on else []
        if len(calls) == 1 and not crew.running:
            frontier.settle(calls[0]())
            continue
        for call in calls:
            crew.start(call)
        if not crew.running and crew.finished.empty():
            break
        frontier.settle(crew.next())
    if crew.error is not None:
        raise crew.error


class _Frontier:
    """Which steps may run now: those whose every predecessor has ended, or one edge to which suffices and is taken."""

    def __init__(self, walker: Walker, steps: Sequence[str], decide: Decide) -> None:
        self.walker, self.decide = walker, decide
        self.definition = walker.performance.course.definition
        waiting = dict.fromkeys(step for step in steps if not walker.walk.is_settled(step))
        self.blockers = {
            step: sum(edge.source in waiting for edge in self.definition.incoming(step)) for step in waiting
        }
        self.ready = deque(step for step in waiting if self._may_run(step))
        for step in self.ready:
            del self.blockers[step]

    def advance(self) -> list[Call]:
        """Settle what is not run at all, and return the calls that run the rest of what is ready."""
        calls: list[Call] = []
        while self.ready:
            decided = self.decide(self.ready.popleft())
            if isinstance(decided, NodeRecord):
                self.settle(decided)
            else:
                calls.append(decided)
        return calls

    def settle(self, record: NodeRecord | None) -> None:
        """Note how a step ended, and what may run now."""
        if record is None:
            return
        self.walker.settle(record)
        for edge in self.definition.outgoing(record.node_id):
            if edge.target in self.blockers:
                self.blockers[edge.target] -= 1
                if self._may_run(edge.target):
                    del self.blockers[edge.target]
                    self.ready.append(edge.target)

    def _may_run(self, step: str) -> bool:
        if self.blockers[step] == 0:
            return True
        return self.walker.performance.course.goes_first(step) and self.walker.walk.reaches(step)


@dataclass
class _Crew:
    """The threads that run a host's branches; the first error that is not a node's own is kept for the walk's end."""

    finished: SimpleQueue[NodeRecord | None] = field(default_factory=SimpleQueue)
    running: int = 0
    error: BaseException | None = None

    def start(self, call: Call) -> None:
        """Run a call in a thread of its own, or here and now when there are too many."""
        self.running += 1
        if not EXTRA_THREADS.acquire(blocking=False):
            self._run(call)
            return
        surroundings = contextvars.copy_context()
        threading.Thread(
            target=surroundings.run, args=(self._run_and_release, call), name="branch", daemon=True
        ).start()

    def next(self) -> NodeRecord | None:
        """Wait for the next call to end and return what it returned."""
        record = self.finished.get()
        self.running -= 1
        return record

    def _run_and_release(self, call: Call) -> None:
        try:
            self._run(call)
        finally:
            EXTRA_THREADS.release()

    def _run(self, call: Call) -> None:
        record: NodeRecord | None = None
        try:
            record = call()
        except BaseException as error:  # noqa: BLE001 — the branch's door: raised again in the walker's own thread
            self.error = self.error or error
        finally:
            self.finished.put(record)
