"""Mocks: how nodes behave in a test in place of what they do, and which nodes cannot do without."""

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import count
from typing import Annotated, Any, Literal

import msgspec
from nornir.core.task import Result

from app.automation.workflows.definition import Definition, DefinitionFault, Node, fault
from app.automation.workflows.graph import Catalogue, Plan
from app.automation.workflows.validation import open_triggers
from app.core.wire import Input
from tasks import context
from tasks.errors import NOTHING_SENT, ErrorClass, NodeError
from tasks.node import NodeType, outcome

LONGEST_DELAY_S = 300


class MockedError(Input, frozen=True, kw_only=True):
    """What a mocked node fails with."""

    class_: ErrorClass = msgspec.field(name="class", default="upstream")
    message: str = "The mock says so."


class Behaviour(Input, frozen=True, kw_only=True):
    """How a mocked node behaves; it fails where `error` is given and nothing else is said."""

    outputs: dict[str, Any] | None = None
    branch: Annotated[str | None, msgspec.Meta(description="The trigger handle that is taken.")] = None
    status: Annotated[
        Literal["success", "failed", "unknown"] | None,
        msgspec.Meta(description="`unknown`: a change is begun, and the connection is lost."),
    ] = None
    error: MockedError | None = None
    delay_s: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_DELAY_S)] | None = None
    changed: bool | None = None
    diff: str | None = None
    fail_times: Annotated[
        Annotated[int, msgspec.Meta(ge=0, le=100)] | None,
        msgspec.Meta(description="It fails so many times, and then behaves as it would otherwise."),
    ] = None

    @property
    def ends(self) -> str:
        """Say how the node ends, once it has failed `fail_times`."""
        fails = self.error is not None and not self.fail_times
        return self.status or ("failed" if fails else "success")


class Mock(Behaviour, frozen=True, kw_only=True):
    """How a node behaves, and what is different on some devices."""

    hosts: dict[str, Behaviour] = {}

    def on(self, host: str) -> Behaviour:
        """Return how the node behaves on a device."""
        own = self.hosts.get(host, Behaviour())
        names = Behaviour.__struct_fields__
        return Behaviour(
            **{name: getattr(self, name) if getattr(own, name) is None else getattr(own, name) for name in names}
        )


Mocks = Mapping[str, Mock]


def read_mocks(text: str) -> Mocks:
    """Read stored mocks."""
    return msgspec.json.decode(text, type=dict[str, Mock])


def needs_mock(node_type: NodeType) -> bool:
    """Say whether a node may touch something outside: all do, but triggers and those that only compute."""
    return not (node_type.scope == "follow" or node_type.is_trigger or node_type.only_steers)


def check_mocks(
    definition: Definition, plan: Plan, mocks: Mocks, devices: Collection[str], catalogue: Catalogue
) -> Iterator[DefinitionFault]:
    """List the nodes that a test would have to do for real, and the mocks that make no sense."""
    for node_id in plan.scopes:
        type_id = definition.nodes[node_id].type_id
        if node_id not in mocks and needs_mock(catalogue[type_id]):
            message = f"{type_id} touches what is outside, and a test does nothing real: give it a mock."
            yield fault("missing_mock", message, node_id=node_id, field=f"mocks.{node_id}")
    for node_id, mock in mocks.items():
        if node_id not in definition.nodes:
            known = ", ".join(definition.nodes)
            yield fault("bad_mock", f"There is no node {node_id!r}; there is {known}.", field=f"mocks.{node_id}")
            continue
        node = definition.nodes[node_id]
        once = plan.scopes.get(node_id, "once") == "once"
        for place, message in _wrong(mock, catalogue[node.type_id], () if once else devices):
            yield fault("bad_mock", message, node_id=node_id, field=f"mocks.{node_id}{place}")
        for place, message in _wrong_ways(node, mock, catalogue[node.type_id], () if once else devices):
            yield fault("bad_mock", message, node_id=node_id, field=f"mocks.{node_id}{place}.branch")


def stand_in(
    mocks: Mocks, node_id: str, host: str, node_type: NodeType, wait: Callable[[float], bool]
) -> Callable[[], Result] | None:
    """Return what is called in place of a node, or None for one that is run for real.

    ``wait`` waits some seconds and says whether it was woken to stop. Raises NodeError for a node that must not run.
    """
    if node_id not in mocks:
        if needs_mock(node_type):
            raise NodeError("unsupported", f"{node_type.id} has no mock, and a test does nothing real.")
        return None
    behaviour, attempts = mocks[node_id].on(host), count(1)

    def rehearse() -> Result:
        attempt = next(attempts)
        if behaviour.delay_s and wait(behaviour.delay_s):
            raise NodeError("cancelled", "Stopped while a mock waited.")
        fails = attempt <= (behaviour.fail_times or 0)
        return _act(behaviour, "failed" if fails else behaviour.ends, node_type)

    return rehearse


def _act(behaviour: Behaviour, ends: str, node_type: NodeType) -> Result:
    error = behaviour.error or MockedError(class_="connection_lost" if ends == "unknown" else "upstream")
    if ends == "success" or error.class_ not in NOTHING_SENT:
        _begin(node_type)
    if ends != "success":
        raise NodeError(error.class_, error.message)
    return outcome(
        behaviour.outputs, branch=behaviour.branch, changed=bool(behaviour.changed), diff=behaviour.diff or ""
    )


def _begin(node_type: NodeType) -> None:
    """Record the intent, as a node that fences itself does right before it sends."""
    changes = node_type.changes_device or not node_type.idempotent
    if changes and node_type.fences_itself and not context.current().dry_run:
        context.current().before_change([f"{node_type.id}, mocked"])


def _wrong(mock: Mock, node_type: NodeType, devices: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield what a node's mock cannot say, whatever its parameters, each with its place."""
    if node_type.is_trigger or node_type.loops:
        yield "", f"{node_type.id} runs for real in a test; it takes no mock."
    for name in mock.hosts:
        if name not in devices:
            known = f"there is {', '.join(sorted(devices))}" if devices else "this node runs once"
            yield f".hosts.{name}", f"{name!r} is no device here; {known}."
    changes = node_type.changes_device or not node_type.idempotent
    for place, behaviour in _parts(mock):
        if behaviour.status == "unknown" and not changes:
            yield f"{place}.status", f"{node_type.id} changes nothing, so its end is never unknown."
        if behaviour.status == "success" and behaviour.error is not None and not behaviour.fail_times:
            yield f"{place}.error", "It ends with success, and yet with an error: give fail_times, or leave one out."


def _wrong_ways(node: Node, mock: Mock, node_type: NodeType, devices: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield where a mock takes a way that its node does not have, or does not say which of several it takes."""
    offered = sorted({*node_type.triggers, *open_triggers(node, node_type)})
    all_differ = bool(devices) and set(devices) <= mock.hosts.keys()
    for place, behaviour in _parts(mock):
        if behaviour.branch is not None and behaviour.branch not in offered:
            yield place, f"{node.type_id} has no branch {behaviour.branch!r}; it has {', '.join(offered)}."
        elif (
            len(offered) > 1 and behaviour.branch is None and behaviour.ends == "success" and (place or not all_differ)
        ):
            yield place, f"{node.type_id} goes one of several ways; say which: {', '.join(offered)}."


def _parts(mock: Mock) -> Iterator[tuple[str, Behaviour]]:
    yield "", mock
    for name in mock.hosts:
        yield f".hosts.{name}", mock.on(name)
