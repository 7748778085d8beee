"""Performing one node on one host (or once): evaluate, take the right to change, call, and judge."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from nornir.core.task import Result, Task

from app.automation.executions import mocks
from app.automation.executions.changes import Claim
from app.automation.executions.engine.changing import Changing
from app.automation.executions.engine.deadline import Abandoned, call_within
from app.automation.executions.engine.filing import StoredArtifacts
from app.automation.executions.engine.holds import Holds
from app.automation.executions.engine.oversight import EVER, LONGEST_CALL_S, InHand, Oversight
from app.automation.executions.engine.stopping import Stop
from app.automation.executions.engine.vaulting import NodeVault
from app.automation.executions.masks import Masker
from app.automation.executions.mocks import Mocks
from app.automation.executions.recorder import Recorder
from app.automation.executions.records import Place
from app.automation.executions.scope import FAILURES, Background
from app.automation.executions.walk import Course
from app.automation.workflows import parameters
from app.core.access import Principal
from app.core.database import DatabaseThread
from inventory.records import HostRecord
from tasks import context, sessions
from tasks.artifacts import Limits
from tasks.context import NodeContext
from tasks.errors import NodeError
from tasks.node import NodeType, Params
from tasks.parking import Park, Parked

HOPELESS = frozenset({"validation", "expression", "unsupported", "config_rejected", "cancelled"})
"""Error classes that another try would only repeat."""


def _nobody(_: str, __: str) -> Sequence[str]:
    return ()


def _nothing_to_see(_: str, __: str) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, kw_only=True)
class Performance:
    """Everything that performing a shard's nodes takes."""

    claim: Claim
    course: Course
    background: Background
    actor: Principal
    recorder: Recorder
    masker: Masker
    db: DatabaseThread
    stop: Stop
    changing: Changing
    dry_run: bool
    given_up: bool
    outbound_allow: tuple[str, ...]
    counts_failures: bool = False
    """Whether the execution stops after some number of failures."""
    reached: Callable[[str, str], Sequence[str]] = _nobody
    preview: Callable[[str, str], Mapping[str, Any]] = _nothing_to_see
    """Both of a node in an iteration."""
    holds: Holds
    oversight: Oversight = field(default_factory=Oversight)
    parked: dict[tuple[str, str, str], Parked] = field(default_factory=dict)
    """What is known of nodes that were parked: by node, host and iteration."""
    left_behind: list[str] = field(default_factory=list)
    """Nodes of which a call lives on, on a host or once."""
    artifact_limits: Limits = field(default_factory=Limits)
    kept: dict[str, Any] = field(default_factory=dict, repr=False)
    mocks: Mocks | None = None
    """In a test: what is called in place of nodes, by node."""

    @property
    def abandoned(self) -> set[str]:
        """Hosts on which a call lives on that nobody waits for any more."""
        return self.recorder.abandoned

    def goes_on(self, place: Place) -> bool:
        """Say whether anything more may run at a place."""
        return not self.stop.is_set() and place.key not in self.abandoned

    def _must_stop(self, key: tuple[str, str, str], *, changes: bool) -> bool:
        if self.stop.is_set() or self.oversight.is_cut(key):
            return True
        return changes and not self.changing.lease.holds()

    def _changes(self, node_id: str) -> bool:
        node_type = self.course.type_of(node_id)
        return node_type.changes_device or not node_type.idempotent

    def admits(self) -> bool:
        """Say whether another host may begin; where failures are counted, those so far are looked at first."""
        if self.counts_failures and not self.stop.is_closed:
            self.recorder.flush()
        return not self.stop.is_closed

    def has_parked_in(self, host_key: str, iteration: str) -> bool:
        """Say whether anything was parked on a host in a round, or in rounds within it."""
        return any(
            host == host_key and (found == iteration or found.startswith(f"{iteration}."))
            for _, host, found in self.parked
        )

    def perform_on_host(self, task: Task, node_id: str, place: Place, scope: Mapping[str, Any]) -> Result:
        """Run a device or follow node on a host, as the Nornir task ``task``."""
        host: HostRecord = task.host.record
        node_type = self.course.type_of(node_id)
        params = self._prepare(node_id, place, scope)
        call = partial(_call, node_type, params, task)
        user = (node_id, place.iteration)
        lock = self.changing.lock(host.key, host.name) if self._locks(node_id) else nullcontext()
        with self.holds.slot(node_id, self.stop) as free, lock:
            self._fence(node_id, node_type, place)
            in_hand = InHand(
                node_id=node_id,
                place=place,
                interrupt=lambda reason: sessions.interrupt(task.host, reason, user),
                free=free,
                changes=node_type.changes_device,
            )
            return self._persist(node_id, place, call, in_hand)

    def perform_once(self, node_id: str, place: Place, scope: Mapping[str, Any]) -> Result:
        """Run a once or follow node without a device."""
        node_type = self.course.type_of(node_id)
        params = self._prepare(node_id, place, scope)
        call = partial(_call, node_type, params)
        self._fence(node_id, node_type, place)
        return self._persist(node_id, place, call)

    def _prepare(self, node_id: str, place: Place, scope: Mapping[str, Any]) -> Params:
        """Set the node's surroundings and return its parameters; raises NodeError where it must not or cannot run."""
        node, node_type = self.course.node(node_id), self.course.type_of(node_id)
        self._refuse_if_hopeless(node_id, node_type)
        parameters.wanted(node, scope)
        vault = self._vault(node_id, place)
        params = parameters.values(node, node_type, vault.with_secrets(node, node_type, scope))
        context.enter(self._context(node_id, place, scope, vault))
        return params

    def _persist(self, node_id: str, place: Place, call: Callable[[], Result], in_hand: InHand | None = None) -> Result:
        """Call a node, and again while its options allow and its failure may be mended by another try."""
        options = self.course.node(node_id).options
        bounded = self._bounded(self._rehearsed(node_id, place) or call, options.timeout_s, place, in_hand)
        attempt = 1
        while True:
            result, error = _attempted(bounded)
            if isinstance(error, Abandoned):
                self.left_behind.append(node_id)
                if place.host is not None:
                    self.abandoned.add(place.key)
                return result
            if error is None or attempt > options.retries or not self._may_retry(node_id, place, error):
                return result
            delay_s = options.delay_s(attempt)
            self.recorder.retry(node_id, place, attempt, error, delay_s)
            if self.stop.wait(delay_s):
                return result
            attempt += 1

    def _bounded(
        self, call: Callable[[], Result], timeout_s: float | None, place: Place, in_hand: InHand | None
    ) -> Callable[[], Result]:
        """Return the call with an end to its time: its own, or the longest that any may take."""
        if in_hand is None:  # on a host, what has no task of its own only computes
            longest_s = timeout_s or (LONGEST_CALL_S if place.host is None else None)
            return call if longest_s is None else partial(call_within, longest_s, call, _nothing)
        if timeout_s is not None:
            call = partial(call_within, timeout_s, call, partial(in_hand.interrupt, "timeout"))
        return partial(self.oversight.watch, in_hand, call, EVER if timeout_s else LONGEST_CALL_S)

    def leave_behind(self, in_hand: InHand) -> None:
        """Record the end of a call that outlived its time and the cut of its session; its host goes no further."""
        self.left_behind.append(in_hand.node_id)
        self.abandoned.add(in_hand.place.key)
        in_hand.free()
        said = f"It did not end within {LONGEST_CALL_S:g} s, nor when its session was cut; this host goes no further."
        error = Abandoned("timeout", said)
        self.recorder.end(in_hand.node_id, in_hand.place, Result(host=None, failed=True, exception=error))

    def _rehearsed(self, node_id: str, place: Place) -> Callable[[], Result] | None:
        """Return what a test calls in place of a node; None where the node itself is called."""
        if self.mocks is None:
            return None
        node_type = self.course.type_of(node_id)
        mocked = mocks.stand_in(self.mocks, node_id, place.name, node_type, self.stop.wait)
        return None if mocked is None else partial(_checked, node_type, mocked)

    def _may_retry(self, node_id: str, place: Place, error: NodeError) -> bool:
        begun = self.recorder.has_intent(node_id, place)
        return not begun and not self.stop.is_set() and error.error_class not in HOPELESS

    def passes_over(self, node_id: str, scope: Mapping[str, Any]) -> bool:
        """Say whether a node is to be passed over; a broken ``run_if`` is told when the node is performed."""
        try:
            return not parameters.wanted(self.course.node(node_id), scope)
        except NodeError:
            return False

    def _is_dry(self, node_id: str) -> bool:
        return self.dry_run or self.course.node(node_id).options.dry_run

    def _refuse_if_hopeless(self, node_id: str, node_type: NodeType) -> None:
        if self.given_up:
            raise NodeError("worker_lost", "Several workers died over this; it is not tried again.")
        version = self.course.node(node_id).version
        if version != node_type.version:
            message = f"The execution began with version {version} of {node_type.id}; this worker has another one,"
            raise NodeError("unsupported", f"{message} {node_type.version}. Correct the workflow, and start it again.")
        if self._is_dry(node_id) and self._changes(node_id) and not node_type.dry_run:
            raise NodeError("unsupported", f"{node_type.id} cannot say what it would do, so a dry run refuses it.")

    def _vault(self, node_id: str, place: Place) -> NodeVault:
        """Return the vault as this run of a node sees it."""
        occasion = {"execution": self.background.execution["id"], "node": node_id, "host": place.name or None}
        return NodeVault(db=self.db, masker=self.masker, actor=self.actor, occasion=occasion)

    def _context(self, node_id: str, place: Place, scope: Mapping[str, Any], vault: NodeVault) -> NodeContext:
        return NodeContext(
            execution={**self.background.execution, "workflow": self.background.workflow["name"], "host": place.name},
            node_id=node_id,
            dry_run=self._is_dry(node_id),
            cancelled=partial(self._must_stop, (node_id, place.key, place.iteration), changes=self._changes(node_id)),
            iteration=place.iteration,
            reached=partial(self.reached, node_id, place.iteration),
            preview=partial(self.preview, node_id, place.iteration),
            failures=[{"host": place.name or None, **failure} for failure in scope.get(FAILURES, ())],
            parked=self.parked.get((node_id, place.key, place.iteration)),
            before_change=partial(self._intend, node_id, place),
            outbound_allow=self.outbound_allow,
            user_id=str(self.actor.user_id),
            run=self.db.run,
            evaluate=partial(parameters.evaluate_beside, scope),
            credential=vault.open,
            keep_secret=lambda secret: self.masker.learn([secret]),
            masked=self.masker.text,
            kept=self.kept,
            artifacts=StoredArtifacts(
                db=self.db,
                masker=self.masker,
                execution_id=self.claim.execution_id,
                node_id=node_id,
                limits=self.artifact_limits,
            ),
        )

    def _fence(self, node_id: str, node_type: NodeType, place: Place) -> None:
        """Record the intent for a node that changes something and does not do so itself."""
        if self._changes(node_id) and not node_type.fences_itself and not self._is_dry(node_id):
            self._intend(node_id, place, [node_type.id])

    def _intend(self, node_id: str, place: Place, lines: Sequence[str]) -> None:
        """Record the intent to send lines; raises NodeError when the change is not, or no longer, ours to make."""
        self.changing.intend(
            node_id,
            place,
            self.masker.value(list(lines)),
            locked=place.host is not None and self._locks(node_id),
            is_over=partial(self._must_stop, (node_id, place.key, place.iteration), changes=True),
        )

    def _locks(self, node_id: str) -> bool:
        """Say whether a node takes the change lock of its host."""
        return self.course.type_of(node_id).changes_device and not self._is_dry(node_id) and self.mocks is None


def _attempted(call: Callable[[], Result]) -> tuple[Result, NodeError | None]:
    try:
        result = call()
    except NodeError as raised:
        return Result(host=None, failed=True, exception=raised), raised
    if not result.failed:
        return result, None
    told = result.exception
    return result, told if isinstance(told, NodeError) else NodeError("internal", str(told or result.result))


def _call(node_type: NodeType, params: Params, task: Task | None = None) -> Result:
    first = {"device": (task,), "once": (context.current(),)}.get(node_type.scope, ())
    return _checked(node_type, partial(node_type.function, *first, params=params))


def _checked(node_type: NodeType, call: Callable[[], Any]) -> Result:
    result = call()
    checked = result if isinstance(result, Result) else Result(host=None, result=result)
    branch = getattr(checked, "branch", None)
    is_open = bool(node_type.open_triggers and branch and branch.startswith(node_type.open_triggers))
    if branch is not None and branch not in node_type.triggers and not is_open:
        raise NodeError("internal", f"{node_type.id} took the branch {branch!r}, which it does not declare.")
    if isinstance(getattr(checked, "park", None), Park) and not node_type.parks:
        raise NodeError("internal", f"{node_type.id} asks to be parked; its author has to declare that it parks.")
    return checked


def _nothing() -> None:
    return None
