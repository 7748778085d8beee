"""Graph cases as data: how one is written, and how it is compared with what happened.

A case is an entry of a file in tests/automation/cases; see Case and Expected for what it may say.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from app.automation.executions.events import Event
from tests.support.graphs import line, step

PLACE = re.compile(r"(?:(start|end) )?([\w-]+)(?:@([\w-]+))?(?: in ([\w:.-]+))?\Z")
COUNTS = {"success": "succeeded", "failed": "failed", "unknown": "unknown"}
Table = dict[tuple[str, str], str]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A node of a case; a bare text is its type."""

    type: str
    label: str = ""
    parameters: dict[str, Any] = {}
    options: dict[str, Any] = {}


class Expected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to happen, exactly: every node on every device stands here, or is covered by ``*``.

    A status is ``success``, or with its error class ``failed/auth``; ``none`` is a node that nothing was recorded of.
    Where a text stands for a mapping by device it holds for all; a node that runs once is at ``-``.
    """

    execution: str
    nodes: dict[str, str | dict[str, str]]
    rounds: dict[str, dict[str, dict[str, str]]] = {}
    """Of nodes in loops: by device, by iteration."""
    devices: dict[str, str] = {}
    outputs: dict[str, dict[str, dict[str, Any]]] = {}
    """Of some nodes, by device, with the iteration behind a space where there is one: some of the outputs."""
    branches: dict[str, dict[str, str]] = {}
    attempts: dict[str, dict[str, int]] = {}
    messages: dict[str, dict[str, str]] = {}
    """Of some nodes, by device: a part of the error's message."""
    diffs: dict[str, dict[str, str]] = {}
    order: list[str] = []
    """``a@r1 < b@r1``: a's end comes before b's start; without ``@`` on every device; ``end b@r1``, ``start a`` too.

    In a round of a loop: ``a@r1 in l:0 < a in l:1``.
    """
    journal: list[str] | None = None
    """The lines of the file {tmp}/journal, sorted."""
    error: str = ""
    """A part of the execution's error."""
    course: list[str] | None = None
    """How the execution stood, from its start to its end: running, waiting, running, success."""


class Graph(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A workflow; there is a trigger ``start`` unless the nodes hold one."""

    nodes: dict[str, str | Part]
    edges: list[str]
    settings: dict[str, Any] = {}

    def definition(self) -> dict[str, Any]:
        """Return the workflow."""
        parts = {name: Part(type=part) if isinstance(part, str) else part for name, part in self.nodes.items()}
        nodes = [
            step(name, part.type, part.label, **part.parameters, options=part.options) for name, part in parts.items()
        ]
        own = any(part.type.startswith("trigger:") for part in parts.values())
        start = [] if own else [step("start", "trigger:manual")]
        return {"nodes": [*start, *nodes], "edges": [line(edge) for edge in self.edges]}

    def node_ids(self) -> list[str]:
        """Return every node."""
        return [node["id"] for node in self.definition()["nodes"]]


class Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer to a question: who answers what, or is ``refused`` with an error code."""

    node: str
    by: str
    decision: Literal["approve", "reject"] = "approve"
    comment: str = ""
    refused: str = ""


class Rerun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The execution once more: which part of it, on which devices that is, and what is to happen then."""

    expected: Expected
    devices: list[str] = []
    only: Literal["failed"] | None = None
    error_class: str | None = None
    from_node: str | None = None

    def asked(self) -> dict[str, Any]:
        """Return what the API is asked for."""
        return {"only": self.only, "error_class": self.error_class, "from_node": self.from_node}


class Case(Graph, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A graph, where it runs, and what is to happen; with ``mocks`` it is a test on invented devices.

    ``{tmp}`` in any text is a folder of the case's own.
    """

    name: str
    expected: Expected
    devices: list[str] = []
    mocks: dict[str, dict[str, Any]] | None = None
    variables: dict[str, Any] = {}
    trigger: dict[str, Any] = {}
    trigger_node: str | None = None
    dry_run: bool = False
    workflows: dict[str, Graph] = {}
    """Other workflows by name, saved first."""
    decide: list[Decision] = []
    """Answers, each given as soon as its question is open."""
    cancel_when: str = ""
    """A status of the execution (waiting), or a node that has ended (``b``, ``b@r1``), at which it is cancelled."""
    rerun: Rerun | None = None


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a case."""

    execution: dict[str, Any]
    results: list[dict[str, Any]]
    devices: dict[str, str]
    events: list[Event]
    journal: list[str]


def read_cases(path: Path, folder: Path) -> list[Case]:
    """Return the cases of a file, ``{tmp}`` replaced; raises msgspec.ValidationError for one that is badly written."""
    cases = []
    for index, raw in enumerate(yaml.safe_load(path.read_text(encoding="utf-8"))):
        own = folder / str(index)
        own.mkdir(parents=True, exist_ok=True)
        text = msgspec.json.encode(raw).decode().replace("{tmp}", str(own))
        cases.append(msgspec.json.decode(text, type=Case))
    return cases


def differences(case: Case, happened: Happened) -> Iterator[str]:
    """Yield where what happened is not what the case expects."""
    expected, execution = case.expected, happened.execution
    if execution["status"] != expected.execution:
        yield f"the execution is {execution['status']}, not {expected.execution}; its error is {execution['error']}"
    if expected.error and expected.error not in str(execution["error"]):
        yield f"the execution's error is {execution['error']}, without {expected.error!r}"
    yield from _status_differences(case, happened)
    for name, status in expected.devices.items():
        if happened.devices.get(name) != status:
            yield f"device {name} is {happened.devices.get(name)}, not {status}"
    yield from _detail_differences(expected, happened)
    yield from _count_differences(happened)
    yield from _course_differences(expected.course, happened.events)
    yield from _order_differences(expected.order, happened.events)
    if expected.journal is not None and happened.journal != expected.journal:
        yield f"the journal holds {happened.journal}, not {expected.journal}"


def _status_differences(case: Case, happened: Happened) -> Iterator[str]:
    expected = case.expected
    silent = set(case.node_ids()) - {*expected.nodes, *expected.rounds, "start"}
    foreign = {*expected.nodes, *expected.rounds} - set(case.node_ids())
    if silent or foreign:
        yield f"the case says nothing of {sorted(silent)}, and something of {sorted(foreign)}, which are not there"
    yield from _table_differences(_wanted(case, happened), _found(happened, ""), "")
    for iteration in sorted(
        {name for _, _, rounds in _leaves(expected.rounds) for name in rounds}
        | {row["iteration"] for row in happened.results if row["iteration"]}
    ):
        rounds = {
            (node_id, place): by_iteration[iteration]
            for node_id, place, by_iteration in _leaves(expected.rounds)
            if iteration in by_iteration
        }
        yield from _table_differences(rounds, _found(happened, iteration), f" in {iteration}")


def _wanted(case: Case, happened: Happened) -> Table:
    """Return what is expected outside of loops, by node and place."""
    scopes = {node["node_id"]: node["scope"] for node in happened.execution["nodes"]}
    wanted: Table = {("start", "-"): "success"} if "start" in case.node_ids() else {}
    for node_id, statuses in case.expected.nodes.items():
        by_place = {"*": statuses} if isinstance(statuses, str) else dict(statuses)
        everywhere = by_place.pop("*", "none")
        places = dict.fromkeys(case.devices if scopes.get(node_id) == "device" else ["-"], everywhere)
        wanted |= {(node_id, place): status for place, status in {**places, **by_place}.items()}
    return {place: status for place, status in wanted.items() if status != "none"}


def _table_differences(wanted: Table, found: Table, where: str) -> Iterator[str]:
    for node_id, place in sorted({*wanted, *found}):
        want, got = wanted.get((node_id, place)), found.get((node_id, place))
        if want is None:
            yield f"{node_id} on {place}{where} is {got}, and the case does not expect it"
        elif got is None:
            yield f"{node_id} on {place}{where} left no result, and should be {want}"
        elif got != want and ("/" in want or got.partition("/")[0] != want):
            yield f"{node_id} on {place}{where} is {got}, not {want}"


def _found(happened: Happened, iteration: str) -> Table:
    return {
        (row["node_id"], _place(row)): f"{row['status']}/{row['error']['class']}" if row["error"] else row["status"]
        for row in happened.results
        if row["iteration"] == iteration
    }


def _place(row: Mapping[str, Any]) -> str:
    return row["device"]["name"] if row["device"] else "-"


def _detail_differences(expected: Expected, happened: Happened) -> Iterator[str]:
    rows = {(row["node_id"], f"{_place(row)} {row['iteration']}".strip()): row for row in happened.results}
    for kind, wanted in (("branch", expected.branches), ("attempt", expected.attempts), ("diff", expected.diffs)):
        for node_id, place, value in _leaves(wanted):
            got = rows.get((node_id, place), {}).get(kind)
            if got != value:
                yield f"{node_id} on {place} has the {kind} {got!r}, not {value!r}"
    for node_id, place, part in _leaves(expected.messages):
        error = rows.get((node_id, place), {}).get("error") or {}
        if part not in error.get("message", ""):
            yield f"{node_id} on {place} says {error.get('message')!r}, without {part!r}"
    for node_id, place, outputs in _leaves(expected.outputs):
        given = rows.get((node_id, place), {}).get("outputs") or {}
        for name, value in outputs.items():
            if name not in given or given[name] != value or type(given[name]) is not type(value):
                yield f"{node_id}.{name} on {place} is {given.get(name)!r}, not {value!r}"


def _count_differences(happened: Happened) -> Iterator[str]:
    """Yield the nodes whose counters are not what their results add up to."""
    counted = Counter((row["node_id"], row["status"]) for row in happened.results)
    for node in happened.execution["nodes"]:
        for status, name in COUNTS.items():
            if node["counts"][name] != counted[node["node_id"], status]:
                results = counted[node["node_id"], status]
                yield f"{node['node_id']} counts {node['counts'][name]} {name}, and has {results} such results"


def _course_differences(course: Sequence[str] | None, told: Sequence[Event]) -> Iterator[str]:
    stood = [
        str(event.body["status"])
        for event in told
        if event.kind in {f"execution.{kind}" for kind in ("started", "waiting", "resumed", "finished")}
    ]
    if course is not None and stood != course:
        yield f"the execution stood {stood}, not {course}"


def _leaves(wanted: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, Any]]:
    for node_id, places in wanted.items():
        for place, value in places.items():
            yield node_id, str(place), value


def _order_differences(order: Sequence[str], told: Sequence[Event]) -> Iterator[str]:
    for constraint in order:
        left, sign, right = constraint.partition(" < ")
        before, after = _moments(left, "end", told), _moments(right, "start", told)
        if not sign or not before or not after:
            yield f"the order {constraint!r} is badly written, or one of its sides never happened"
        elif max(before) > min(after):
            yield f"the order {constraint!r} was not kept"


def _moments(text: str, default: str, told: Sequence[Event]) -> list[int]:
    found = PLACE.match(text.strip())
    if found is None:
        return []
    moment, node_id, place, iteration = found[1] or default, found[2], found[3], found[4]
    kind = {"start": ".started", "end": ".finished"}[moment]
    return [
        event.seq
        for event in told
        if event.kind.endswith(kind)
        and event.body.get("node_id") == node_id
        and (place is None or (event.body["device"] or "-") == place)
        and (iteration is None or event.body.get("iteration", "") == iteration)
    ]
