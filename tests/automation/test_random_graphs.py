"""Random workflows through the real engine, against an oracle that knows the rules and nothing of the engine."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import httpx
import msgspec
import pytest
from hypothesis import given, settings

from app.automation.executions import events
from app.automation.executions.events import Event
from app.automation.workflows.definition import read_definition
from app.automation.workflows.graph import Plan, compile_plan
from app.automation.workflows.service import check_definition
from app.palette import build_catalog
from tests.support.random_graphs import BLOCKS, WAYS, Graph, Step, examples, graphs
from tests.support.working import NODES

EXAMPLES, AT_ONCE, MOST_EVENTS = 30, 10, 5000
CATALOGUE = build_catalog(NODES)
Ends = dict[tuple[str, str, str], str]
"""Status by node, place and iteration."""


class Oracle:
    """How a random graph must end, worked out node by node in the order it was drawn."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.steps = {step.id: step for step in graph.steps}
        self.failure_edges = {source for step in graph.steps for source, handle in step.sources if handle == "failure"}
        self.catching = {
            step.id
            for step in graph.steps
            if step.kind == "catch" and any((step.id, "caught") in other.sources for other in graph.steps)
        }
        self.taken: dict[tuple[str, str], set[str]] = {("start", "-"): {""}}
        self.ends: Ends = {("start", "-", ""): "success"}
        self.unhandled: set[str] = set()
        for step in graph.steps:
            for place in graph.hosts if step.scope == "device" else ("-",):
                self._end(step, place)

    def _end(self, step: Step, place: str) -> None:
        reached = any(self._arrives(source, handle, step, place) for source, handle in step.sources)
        handled = step.on_error == "continue" or (step.on_error == "failure_edge" and step.id in self.failure_edges)
        end = "skipped"
        if reached and not step.disabled:
            end = "failed" if self._fails(step, place) else "success"
        self.ends[step.id, place, ""] = end
        if step.kind in BLOCKS:
            self._rounds(step, place, end, handled=handled)
        if end == "failed" and not handled:
            self.unhandled.add(place)
        self.taken[step.id, place] = self._ways(step, place, end, reached=reached)

    def _is_broken(self, step: Step, place: str) -> bool:
        """Say whether a node, or what is in a block, fails: where that is on devices, on any that comes there."""
        if step.staged:
            return any(step.ends[host] == "failure" and self._passed(step.id, host) for host in self.graph.hosts)
        return step.ends[place] == "failure"

    def _fails(self, step: Step, place: str) -> bool:
        if not self._is_broken(step, place):
            return False
        return step.id not in self.catching and not (step.kind == "loop" and (step.forgiving or not step.rounds))

    def _rounds(self, block: Step, place: str, end: str, *, handled: bool) -> None:
        if end == "skipped" or not block.rounds:
            self.ends[block.body, place, ""] = "skipped"
            return
        count = self._count(block, broken=self._is_broken(block, place))
        for body_place in self.graph.hosts if block.staged else (place,):
            comes = not block.staged or self._passed(block.id, body_place)
            broken = block.ends[body_place] == "failure"
            for number in range(count):
                status = ("failed" if broken else "success") if comes else "skipped"
                self.ends[block.body, body_place, f"{block.id}:{number}"] = status
            if comes and broken and end == "failed" and not handled:
                self.unhandled.add(body_place)

    def _count(self, block: Step, *, broken: bool) -> int:
        """Return how many rounds a block comes to."""
        if block.kind == "loop":
            return 1 if broken and not block.forgiving else block.rounds
        return block.rounds if broken and block.kind == "retry" else 1

    def _ways(self, step: Step, place: str, end: str, *, reached: bool) -> set[str]:
        first = WAYS[step.kind][0]
        if end == "skipped":
            return {"", first} if reached else set()
        if end == "failed":
            return {"", first} if step.on_error == "continue" else {"failure"} if step.on_error != "fail" else set()
        if step.kind == "catch" and self._is_broken(step, place):
            return {"caught"}
        way = step.ends[place] if step.kind == "branch" else first
        return {way, ""} if way == first else {way}

    def _arrives(self, source: str, handle: str, target: Step, place: str) -> bool:
        once = source == "start" or self.steps[source].scope == "once"
        if target.scope == "once":
            places = ("-",) if once else self.graph.hosts
            return any(handle in self.taken[source, one] for one in places)
        if not once:
            return handle in self.taken[source, place]
        return handle in self.taken[source, "-"] and self._passed(source, place)

    def _passed(self, node: str, host: str) -> bool:
        """Say whether a device itself came to a once node."""
        if node == "start":
            return True
        return any(
            self._passed(source, host) and handle in self.taken[source, "-"]
            if source == "start" or self.steps[source].scope == "once"
            else handle in self.taken[source, host]
            for source, handle in self.steps[node].sources
        )

    def execution(self) -> str:
        """Return how the execution ends."""
        bad = self.unhandled & set(self.graph.hosts)
        good = {
            host
            for host in self.graph.hosts
            if host not in bad and any(at == host and end != "skipped" for (_, at, _), end in self.ends.items())
        }
        if "-" in self.unhandled:
            return "failed"
        return ("partial" if good else "failed") if bad else "success"


@pytest.mark.usefixtures("work")
async def test_random_graphs_end_as_the_rules_say(admin: httpx.AsyncClient) -> None:
    room = asyncio.Semaphore(AT_ONCE)

    async def run(number: int, graph: Graph) -> list[str]:
        async with room:
            return [f"graph {number}: {fault}" async for fault in _faults(admin, graph)]

    told = await asyncio.gather(*(run(number, graph) for number, graph in enumerate(examples(EXAMPLES))))
    faults = [fault for found in told for fault in found]
    assert not faults, "\n".join(["", *faults])


async def _faults(admin: httpx.AsyncClient, graph: Graph) -> AsyncIterator[str]:
    answer = await admin.post("/automation/v1/workflows/test", json=graph.test(), params={"wait": 90})
    assert answer.status_code == 200, f"{answer.text}: {graph}"
    execution, oracle = answer.json()["data"]["execution"], Oracle(graph)
    path = f"/automation/v1/executions/{execution['id']}/results"
    rows = (await admin.get(path, params={"limit": 500})).json()["data"]
    found: Ends = {
        (row["node_id"], row["device"]["name"] if row["device"] else "-", row["iteration"]): row["status"]
        for row in rows
    }
    for place in sorted({*found, *oracle.ends}):
        if found.get(place) != oracle.ends.get(place):
            yield f"{place} is {found.get(place)}, not {oracle.ends.get(place)}, in {graph}"
    if execution["status"] != oracle.execution():
        yield f"the execution is {execution['status']}, not {oracle.execution()}, in {graph}"
    for fault in _order_faults(graph, await events.read(execution["id"], 0, MOST_EVENTS)):
        yield f"{fault}, in {graph}"


def _order_faults(graph: Graph, told: list[Event]) -> Iterator[str]:
    """List what ran twice, and what ran before something it waits for."""
    moments: dict[str, dict[tuple[str, str], list[int]]] = {".started": {}, ".finished": {}}
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for event in told:
        for kind, seen in moments.items():
            if event.kind.endswith(kind) and "node_id" in event.body:
                node, place, iteration = (
                    event.body["node_id"],
                    event.body["device"] or "-",
                    event.body.get("iteration", ""),
                )
                counts[kind, node, place, iteration] += 1
                seen.setdefault((node, place), []).append(event.seq)
    yield from (f"{key} happened {count} times" for key, count in counts.items() if count > 1)
    scopes = {step.id: step.scope for step in graph.steps}
    for step in graph.steps:
        for (node, place), starts in moments[".started"].items():
            if node not in {step.id, step.body} or step.kind == "first":
                continue
            for source, _ in step.sources:
                same = place == "-" or scopes.get(source) != "device"
                for (other, at), ends in moments[".finished"].items():
                    if other == source and (same or at == place) and max(ends) > min(starts):
                        yield f"{node} on {place} began before {source} on {at} had ended"


def plan_of(graph: Graph) -> Plan:
    definition, faults = read_definition(graph.definition())
    assert faults == []
    return compile_plan(definition, CATALOGUE, "start")


@settings(max_examples=150, deadline=None)
@given(graphs(most=14))
def test_every_random_graph_is_valid_and_its_scopes_are_those_drawn(graph: Graph) -> None:
    verdict, plan = check_definition(graph.definition(), CATALOGUE)
    assert verdict.errors == []
    assert {fault["type"] for fault in verdict.warnings} <= {"dead_edge"}
    assert plan is not None
    assert {step.id: plan.scopes[step.id] for step in graph.steps} == {step.id: step.scope for step in graph.steps}
    assert plan.unreachable == ()


@settings(max_examples=150, deadline=None)
@given(graphs(most=14))
def test_compiling_writing_reading_and_compiling_again_is_the_same(graph: Graph) -> None:
    plan = plan_of(graph)
    stored = msgspec.json.decode(msgspec.json.encode(graph.definition()))
    definition, _ = read_definition(stored)
    assert compile_plan(definition, CATALOGUE, "start") == plan
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


@settings(max_examples=150, deadline=None)
@given(graphs(most=14))
def test_the_order_nodes_are_written_in_changes_no_stage(graph: Graph) -> None:
    def parts(plan: Plan) -> set[tuple[str, int, frozenset[str]]]:
        return {(stage.scope, stage.rank, frozenset(stage.nodes)) for stage in plan.stages}

    assert parts(plan_of(graph)) == parts(plan_of(Graph(steps=graph.steps, hosts=graph.hosts)))


@settings(max_examples=150, deadline=None)
@given(graphs(most=14))
def test_stages_follow_each_other_both_ways_and_never_in_a_circle(graph: Graph) -> None:
    stages = plan_of(graph).stages
    for stage in stages:
        assert all(before < stage.index and stage.index in stages[before].successors for before in stage.predecessors)
        assert all(after > stage.index and stage.index in stages[after].predecessors for after in stage.successors)


@settings(max_examples=150, deadline=None)
@given(graphs(most=14))
def test_a_loops_body_is_in_its_stage_and_behind_it(graph: Graph) -> None:
    plan = plan_of(graph)
    for step in graph.steps:
        if step.kind in BLOCKS:
            (stage,) = [stage for stage in plan.stages if step.id in stage.nodes]
            assert plan.loops[step.id] == (step.body,)
            if step.staged:
                assert [inner.nodes for inner in plan.stages_of(step.id)] == [(step.body,)]
            else:
                assert stage.nodes.index(step.id) < stage.nodes.index(step.body)
