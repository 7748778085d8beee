"""What a test expects of an execution, and where the execution differs from it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import msgspec

from app.automation.executions.statuses import ExecutionStatus, ResultStatus
from app.core.errors import Fault
from app.core.wire import Input, Output

EVERYWHERE = "*"
RAN_NOT = "none"


class Expectation(Input, frozen=True, kw_only=True):
    """How a test is to end; what is not named here may end as it likes."""

    execution: ExecutionStatus | None = None
    nodes: Annotated[
        dict[str, ResultStatus | dict[str, ResultStatus]],
        msgspec.Meta(
            description="By node: a status, or one by device, `*` for all others; in a loop, that of every round."
        ),
    ] = {}


class DifferenceRead(Output, frozen=True, kw_only=True):
    """Where a test ended otherwise; `device` is null for a node that runs once, and `node_id` for the execution."""

    node_id: str | None
    device: str | None
    iteration: str
    expected: str
    found: Annotated[str, msgspec.Meta(description="A status; `none` where nothing was recorded.")]
    message: str


def check_expectation(
    expected: Expectation, scopes: Mapping[str, str], devices: Sequence[str], others: Sequence[str]
) -> Iterator[Fault]:
    """List the nodes and devices that are expected and are not there; ``others`` are nodes that cannot run."""
    for node_id, statuses in expected.nodes.items():
        if node_id not in scopes and node_id not in others:
            known = ", ".join([*others, *scopes])
            yield Fault(field=f"expect.nodes.{node_id}", message=f"there is no such node; there is {known}")
        elif isinstance(statuses, dict):
            named = devices if scopes.get(node_id) == "device" else []
            for name in statuses:
                if name not in {EVERYWHERE, *named}:
                    message = f"the node runs on no device {name!r}; there is {', '.join([EVERYWHERE, *named])}"
                    yield Fault(field=f"expect.nodes.{node_id}.{name}", message=message)


def differences(
    expected: Expectation,
    status: str,
    scopes: Mapping[str, str],
    devices: Sequence[str],
    results: Sequence[Mapping[str, Any]],
) -> list[DifferenceRead]:
    """Compare an ended execution with what was expected of it."""
    found: list[DifferenceRead] = []
    if expected.execution is not None and expected.execution != status:
        found.append(_difference(None, None, "", expected.execution, status))
    by_place: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for result in results:
        by_place.setdefault((result["node_id"], result["device_name"]), []).append(result)
    for node_id, statuses in expected.nodes.items():
        places = devices if scopes.get(node_id) == "device" else [""]
        for place in places:
            wanted = statuses if isinstance(statuses, str) else statuses.get(place, statuses.get(EVERYWHERE))
            if wanted is not None:
                found += _compared(node_id, place, wanted, by_place.get((node_id, place), []))
    return found


def _compared(node_id: str, place: str, wanted: str, ends: Sequence[Mapping[str, Any]]) -> Iterator[DifferenceRead]:
    if not ends and wanted != "skipped":
        yield _difference(node_id, place, "", wanted, RAN_NOT)
    for end in ends:
        if end["status"] != wanted:
            yield _difference(node_id, place, end["iteration"], wanted, end["status"], end["error_message"])


def _difference(
    node_id: str | None, place: str | None, iteration: str, expected: str, found: str, error: str = ""
) -> DifferenceRead:
    where = " ".join(part for part in (node_id or "The execution", f"on {place}" if place else "", iteration) if part)
    return DifferenceRead(
        node_id=node_id,
        device=place or None,
        iteration=iteration,
        expected=expected,
        found=found,
        message=f"{where}: expected {expected}, found {found}{f' ({error})' if error else ''}",
    )
