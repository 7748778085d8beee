"""The recorder: a Nornir processor that judges every node's end and has it written."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from nornir.core.inventory import Host
from nornir.core.task import AggregatedResult, MultiResult, Result, Task

from app.automation.executions.masks import Masker
from app.automation.executions.outputs import pack
from app.automation.executions.records import NodeRecord, NodeRetry, NodeStart, Place
from app.automation.executions.statuses import ResultStatus, judge
from app.automation.executions.walk import Course
from app.automation.executions.writer import Writer
from app.core.clock import now
from tasks.errors import NodeError
from tasks.parking import Park

Key = tuple[str, str, str]
"""A node, a host and an iteration."""


class Recorder:
    """Judges what happens in one shard, and gives it to the writer in order."""

    def __init__(self, course: Course, writer: Writer, masker: Masker) -> None:
        self.course = course
        self.ended: dict[Key, NodeRecord | Park] = {}
        self.intents: set[Key] = set()
        self.abandoned: set[str] = set()
        """Hosts on which a call lives on that nobody waits for any more: they go no further, whatever follows."""
        self.waiting_since: dict[Key, datetime] = {}
        """Nodes that were parked by an earlier shard: their start is recorded already."""
        self.cancelled: Callable[[], bool] = _never
        self.taken_over: Callable[[], bool] = _never
        """Whether another worker has the shard by now: what broke off here for that reason, it runs again."""
        self._writer = writer
        self._masker = masker
        self._attempts: dict[Key, int] = {}
        self._begun: dict[Key, float] = {}

    def note_intent(self, node_id: str, place: Place) -> bool:
        """Note that a change is begun, from now on its failure leaves the effect unknown; False when it was before."""
        is_first = not self.has_intent(node_id, place)
        self.intents.add(_key(node_id, place))
        return is_first

    def forget_intent(self, node_id: str, place: Place) -> None:
        """Note that a change was not begun after all."""
        self.intents.discard(_key(node_id, place))

    def has_intent(self, node_id: str, place: Place) -> bool:
        """Say whether a change was begun."""
        return _key(node_id, place) in self.intents

    def start(self, node_id: str, place: Place) -> None:
        """Note that a node begins on a host (or once), or goes on after it was parked."""
        since = self.waiting_since.get(_key(node_id, place))
        waited_s = (now() - since).total_seconds() if since is not None else 0.0
        self._begun[_key(node_id, place)] = time.monotonic() - waited_s
        if since is None:
            self._writer.put(NodeStart(node_id, place.key, place.name, place.iteration))

    def retry(self, node_id: str, place: Place, attempt: int, error: NodeError, delay_s: float) -> None:
        """Note that an attempt failed and another follows."""
        self._attempts[_key(node_id, place)] = attempt + 1
        described = {"class": error.error_class, "message": self._masker.text(error.message)}
        self._writer.put(NodeRetry(node_id, place.key, place.name, place.iteration, attempt, described, delay_s))

    def end(self, node_id: str, place: Place, result: Result) -> NodeRecord | Park:
        """Judge and record how a node ended on a host (or once); one that is to be parked has not ended."""
        parked = getattr(result, "park", None)
        if isinstance(parked, Park) and not result.failed:
            return parked
        error = _error_of(result, self.course.type_of(node_id).id)
        verdict = judge(error, intended=_key(node_id, place) in self.intents, cancelled=self.cancelled())
        duration_s = time.monotonic() - self._begun.pop(_key(node_id, place), time.monotonic())
        outputs = self._masker.value(result.result) if isinstance(result.result, Mapping) else None
        return self._keep(
            node_id,
            place,
            verdict.status,
            handled=verdict.status == "failed" and self._is_handled(node_id, place),
            branch=getattr(result, "branch", None),
            outputs=outputs,
            stored=pack(outputs),
            error_class=verdict.error_class,
            message=self._masker.text(verdict.message),
            changed=bool(result.changed),
            diff=self._masker.text(result.diff or ""),
            started_at=now() - timedelta(seconds=duration_s),
            duration_ms=round(duration_s * 1000),
            attempt=self._attempts.pop(_key(node_id, place), 1),
        )

    def _is_handled(self, node_id: str, place: Place) -> bool:
        goes_on = place.key not in self.abandoned
        return goes_on and (place.forgiven or self.course.handles_failure(node_id))

    def skip(self, node_id: str, place: Place, branch: str | None = None) -> NodeRecord:
        """Record that no edge to a node was taken on a host, or (``branch``) that it was passed over on purpose."""
        return self._keep(node_id, place, "skipped", branch=branch, started_at=now())

    def leave_unknown(self, node_id: str, place: Place, lines: Sequence[str]) -> NodeRecord:
        """Record a change that another attempt had begun and never reported."""
        outputs = {"lines": self._masker.value(list(lines))}
        return self._keep(
            node_id,
            place,
            "unknown",
            error_class="worker_lost",
            message="The worker died after it began to send this, so nobody knows how much took effect. "
            "It was not sent again: look at the device.",
            outputs=outputs,
            stored=pack(outputs),
            started_at=now(),
        )

    def take(self, node_id: str, place: Place) -> NodeRecord | Park:
        """Hand over the record of a node that has just ended, or its wish to be parked."""
        return self.ended.pop(_key(node_id, place))

    def task_started(self, task: Task) -> None:
        """Take no note: the execution's start is recorded when its first shard is claimed."""

    def task_completed(self, task: Task, result: AggregatedResult) -> None:
        """Take no note: the stage's end is recorded in the transaction that ends the shard."""

    def task_instance_started(self, task: Task, host: Host) -> None:
        """Take no note: a host enters a stage by its first node."""

    def task_instance_completed(self, task: Task, host: Host, result: MultiResult) -> None:
        """Take no note: a host leaves a stage by its last node."""

    def subtask_instance_started(self, task: Task, host: Host) -> None:
        """Note that a node begins on a host."""
        if _is_node(task):
            self.start(task.name, _place(task, host))

    def subtask_instance_completed(self, task: Task, host: Host, result: MultiResult) -> None:
        """Record how a node ended on a host; what it ran as subtasks of its own is its own affair."""
        if _is_node(task):
            place = _place(task, host)
            self.ended[_key(task.name, place)] = self.end(task.name, place, result[0])

    def flush(self) -> None:
        """Return when everything noted so far is committed."""
        self._writer.flush()

    def _keep(self, node_id: str, place: Place, status: ResultStatus, **more: Any) -> NodeRecord:
        record = NodeRecord(
            node_id=node_id,
            host_key=place.key,
            host_name=place.name,
            device_id=place.device_id,
            iteration=place.iteration,
            status=status,
            **more,
        )
        if status == "success" or not self.taken_over():
            self._writer.put(record)
        return record


def _never() -> bool:
    return False


def _is_node(task: Task) -> bool:
    return task.parent_task is not None and task.parent_task.parent_task is None


def _place(task: Task, host: Host) -> Place:
    place: Any = task.params.get("place")
    return place if isinstance(place, Place) else Place(host.record)


def _key(node_id: str, place: Place) -> Key:
    return node_id, place.key, place.iteration


def _error_of(result: Result, node_type: str) -> BaseException | None:
    if result.exception is not None:
        return result.exception
    if result.failed:
        return NodeError("internal", f"{node_type} reported a failure without saying why.")
    if result.result is not None and not isinstance(result.result, Mapping):
        kind = type(result.result).__name__
        return NodeError("internal", f"{node_type} returned {kind}; a node returns a dict of its outputs.")
    return None
