"""Random workflows of mocked nodes, as hypothesis draws them, and as the API takes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.graphs import line, step

TYPES = {
    "device": "lab:read",
    "once": "lab:once",
    "branch": "lab:branch",
    "loop": "logic:loop",
    "retry": "logic:retry",
    "catch": "logic:catch",
    "wait": "logic:wait",
    "first": "logic:merge",
}
WAYS = {kind: ["success"] for kind in TYPES} | {
    "branch": ["left", "right"],
    "loop": ["done"],
    "retry": ["done"],
    "catch": ["done", "caught"],
}
BLOCKS = frozenset({"loop", "retry", "catch"})
STEERING = frozenset({"wait", "first"})
"""What is not mocked, and always succeeds."""
KINDS = ["device", "device", "device", "once", "once", "branch", "loop", "retry", "catch", "wait", "first"]
WAIT_S = 0.1
POOL = 500
ON_ERROR = ("failure_edge", "failure_edge", "continue", "fail")


@dataclass(frozen=True, kw_only=True)
class Step:
    """A node of a random graph: what it is, what leads to it, and how it behaves on each device, or (``-``) once."""

    id: str
    kind: str
    scope: str
    sources: tuple[tuple[str, str], ...]
    """The nodes before it, each with the handle the edge begins at."""
    on_error: str
    disabled: bool
    ends: Mapping[str, str] = field(hash=False)
    """By place: a way out, or failure."""
    rounds: int = 0
    """Of a loop; of a block that is tried again, the tries."""
    forgiving: bool = True
    staged: bool = False
    """Whether a block that runs once has its body on devices."""

    @property
    def body(self) -> str:
        """The node in a block's body."""
        return f"{self.id}x"

    @property
    def body_scope(self) -> str:
        """Where a block's body runs."""
        return "device" if self.staged else self.scope

    def parameters(self) -> dict[str, Any]:
        """Return what the node is given."""
        by_kind: dict[str, dict[str, Any]] = {
            "loop": {"items_expression": f"range({self.rounds})", "continue_on_error": self.forgiving},
            "retry": {"max_retries": self.rounds - 1, "retry_delay": 0},
            "wait": {"seconds": WAIT_S},
            "first": {"mode": "first", "data": "{{ 1 }}"},
        }
        return by_kind.get(self.kind, {})


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A random workflow, its devices, and the order its nodes are listed in."""

    steps: tuple[Step, ...]
    hosts: tuple[str, ...]
    listing: tuple[int, ...] = field(default=())

    def definition(self) -> dict[str, Any]:
        """Return the workflow."""
        nodes, edges = [step("start", "trigger:manual")], []
        for index in self.listing or range(len(self.steps)):
            one = self.steps[index]
            options = {"on_error": one.on_error, "disabled": one.disabled}
            if one.kind in BLOCKS:
                nodes.append(step(one.body, TYPES[one.body_scope]))
                edges.append(f"{one.id}.{'each' if one.kind == 'loop' else 'try'} -> {one.body}")
            nodes.append(step(one.id, TYPES[one.kind], options=options, **one.parameters()))
            edges += [f"{source}{handle and '.'}{handle} -> {one.id}" for source, handle in one.sources]
        return {"nodes": nodes, "edges": [line(edge) for edge in edges]}

    def test(self) -> dict[str, Any]:
        """Return the body of a test in which every node behaves as drawn."""
        mocks = dict(_mock(one) for one in self.steps if one.kind not in STEERING)
        return {"definition": self.definition(), "devices": list(self.hosts), "mocks": mocks}


def _mock(one: Step) -> tuple[str, dict[str, Any]]:
    told = {place: _behaviour(one.kind, end) for place, end in one.ends.items()}
    name = one.body if one.kind in BLOCKS else one.id
    if one.body_scope == "once":
        return name, told["-"]
    return name, {**_behaviour(one.kind, WAYS[one.kind][0]), "hosts": told}


def _behaviour(kind: str, end: str) -> dict[str, Any]:
    if end == "failure":
        return {"status": "failed", "error": {"class": "upstream"}}
    return {"status": "success", **({"branch": end} if kind == "branch" else {})}


@st.composite
def graphs(draw: st.DrawFn, most: int = 8) -> Graph:
    """Draw a workflow in which every node can be reached from the trigger."""
    hosts = tuple(f"r{number}" for number in range(1, draw(st.integers(2, 3)) + 1))
    steps: list[Step] = []
    for index in range(draw(st.integers(min(3, most), most))):
        steps.append(_step(draw, index, steps, hosts))
    return Graph(steps=tuple(steps), hosts=hosts, listing=tuple(draw(st.permutations(range(len(steps))))))


def _step(draw: st.DrawFn, index: int, before: list[Step], hosts: tuple[str, ...]) -> Step:
    kind = draw(st.sampled_from(KINDS if before else ["device", "once"]))
    named = _named(draw, len(before))
    sources = tuple(("start", "") if at < 0 else (before[at].id, _handle(draw, before[at])) for at in sorted(named))
    feeds = {before[at].scope for at in named if at >= 0}
    scope = kind if kind in {"device", "once"} else "device" if "device" in feeds else "once"
    staged = kind in BLOCKS and scope == "once" and draw(st.booleans())
    places = hosts if scope == "device" or staged else ("-",)
    own = ["left", "right"] if kind == "branch" else [WAYS[kind][0]]
    ways = own if kind in STEERING else [*own, *own, *own, "failure"]
    return Step(
        id=f"n{index}",
        kind=kind,
        scope=scope,
        sources=sources,
        on_error=draw(st.sampled_from(ON_ERROR)),
        disabled=draw(st.integers(0, 9)) == 0,
        ends={place: draw(st.sampled_from(ways)) for place in places},
        rounds=draw(st.integers(0 if kind == "loop" else 2, 3)) if kind in BLOCKS else 0,
        forgiving=draw(st.booleans()) if kind == "loop" else True,
        staged=staged,
    )


def _named(draw: st.DrawFn, count: int) -> set[int]:
    """Choose what leads to a node: mostly what was drawn last, seldom the trigger (-1)."""
    last = count - 1
    near = draw(st.sampled_from([last, last, max(last - 1, -1)]))
    more = draw(st.sampled_from([*range(count), *range(count), -1]))
    return {near, more} if draw(st.booleans()) else {near}


def _handle(draw: st.DrawFn, source: Step) -> str:
    ways = WAYS[source.kind]
    return draw(st.sampled_from([*ways, *ways, *ways, "", "failure"]))


def examples(count: int) -> list[Graph]:
    """Return some different random graphs, the same ones every time; half of them the most varied of many."""
    drawn: list[Graph] = []

    @settings(
        max_examples=POOL,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(graphs())
    def draw(graph: Graph) -> None:
        drawn.append(graph)

    draw()
    different = list(dict.fromkeys(drawn))
    varied = sorted(different, key=_variety, reverse=True)[: count // 2]
    return [*varied, *(graph for graph in different if graph not in varied)][:count]


def _variety(graph: Graph) -> int:
    """Count where devices part, and where they come back from a node that runs once."""
    steps = {one.id: one for one in graph.steps}
    parting = {one.id for one in graph.steps if len(set(one.ends.values())) > 1}
    returns = [
        one.id
        for one in graph.steps
        for source, _ in one.sources
        if one.scope == "device" and source in steps and steps[source].scope == "once"
        if parting & {before for before, _ in steps[source].sources}
    ]
    kinds = {one.kind for one in graph.steps} | {"staged" for one in graph.steps if one.staged}
    return len(parting) + 3 * len(returns) + 2 * len(kinds)
