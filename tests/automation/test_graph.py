import msgspec
from hypothesis import given
from hypothesis import strategies as st

from app.automation.workflows.definition import Definition, read_definition
from app.automation.workflows.graph import Plan, compile_plan, topological_order
from tests.support.graphs import CATALOGUE, step, workflow


def compiled(raw: dict[str, object]) -> Plan:
    definition, faults = read_definition(raw)
    assert faults == []
    return compile_plan(definition, CATALOGUE, "start")


def stages(plan: Plan) -> list[tuple[str, tuple[str, ...], tuple[int, ...]]]:
    return [(stage.scope, stage.nodes, stage.predecessors) for stage in plan.stages]


def test_device_nodes_in_a_row_are_one_stage() -> None:
    raw = workflow(
        step("a", "test:device", command="x"),
        step("i", "test:if", expression="true"),
        step("b", "test:device", command="y"),
        edges=("start -> a", "a.success -> i", "i.true -> b"),
    )
    assert stages(compiled(raw)) == [("device", ("a", "i", "b"), ())]


def test_a_once_node_between_devices_makes_three_stages_in_a_row() -> None:
    raw = workflow(
        step("a", "test:device", command="x"),
        step("o", "test:once"),
        step("b", "test:device", command="y"),
        edges=("start -> a", "a -> o", "o -> b"),
    )
    assert stages(compiled(raw)) == [("device", ("a",), ()), ("once", ("o",), (0,)), ("device", ("b",), (1,))]


def test_siblings_that_nothing_waits_for_are_branches_of_one_stage() -> None:
    raw = workflow(
        step("a", "test:device", command="x"),
        step("b", "test:device", command="y"),
        step("o", "test:once"),
        edges=("start -> a", "start -> b", "start -> o"),
    )
    assert [nodes for _, nodes, _ in stages(compiled(raw))] == [("o",), ("a", "b")]


def test_siblings_of_which_one_is_waited_for_are_stages_of_their_own() -> None:
    raw = workflow(
        step("a", "test:device", command="x"),
        step("b", "test:device", command="y"),
        step("o", "test:once"),
        edges=("start -> a", "start -> b", "a -> o"),
    )
    assert [nodes for _, nodes, _ in stages(compiled(raw))] == [("a",), ("b",), ("o",)]


def test_a_node_behind_ranks_of_different_height_waits_for_the_highest() -> None:
    raw = workflow(
        step("a", "test:device", command="x"),
        step("o", "test:once"),
        step("b", "test:device", command="y"),
        edges=("start -> a", "a -> o", "o -> b", "a -> b"),
    )
    assert stages(compiled(raw))[-1] == ("device", ("b",), (0, 1))


def test_a_follow_node_runs_once_behind_a_trigger_and_per_device_behind_a_device_node() -> None:
    raw = workflow(
        step("first", "test:if", expression="true"),
        step("a", "test:device", command="x"),
        step("second", "test:if", expression="true"),
        step("forced", "test:if", expression="true", options={"scope": "once"}),
        edges=("start -> first", "first.true -> a", "a -> second", "a -> forced"),
    )
    plan = compiled(raw)
    assert plan.scopes == {"first": "once", "a": "device", "second": "device", "forced": "once"}


def test_nodes_that_nothing_leads_to_are_unreachable() -> None:
    raw = workflow(step("a", "test:device", command="x"), step("lost", "test:once"), edges=("start -> a",))
    assert compiled(raw).unreachable == ("lost",)


@st.composite
def graphs(draw: st.DrawFn) -> Definition:
    count = draw(st.integers(1, 12))
    kinds = draw(st.lists(st.sampled_from(["test:device", "test:once", "test:if"]), min_size=count, max_size=count))
    nodes = [
        step(f"n{index}", kind, **({"command": "x"} if kind == "test:device" else {}))
        for index, kind in enumerate(kinds)
    ]
    outs = [f"n{index}.true" if kind == "test:if" else f"n{index}" for index, kind in enumerate(kinds)]
    edges = [
        f"{outs[source] if source >= 0 else 'start'} -> n{target}"
        for target in range(count)
        for source in draw(st.sets(st.integers(-1, target - 1), min_size=1, max_size=3))
    ]
    definition, faults = read_definition(workflow(*nodes, edges=tuple(edges)))
    assert faults == []
    return definition


@given(graphs())
def test_every_edge_stays_in_its_stage_or_leads_to_a_later_one(definition: Definition) -> None:
    plan = compile_plan(definition, CATALOGUE, "start")
    stage_of = {node_id: stage for stage in plan.stages for node_id in stage.nodes}
    for edge in definition.edges:
        if edge.source == "start":
            continue
        source, target = stage_of[edge.source], stage_of[edge.target]
        assert source.index == target.index or source.rank < target.rank
        assert source.index == target.index or source.index in target.predecessors
        if source.index == target.index:
            assert source.nodes.index(edge.source) < source.nodes.index(edge.target)


@given(graphs())
def test_a_stage_has_one_scope_and_each_node_one_stage(definition: Definition) -> None:
    plan = compile_plan(definition, CATALOGUE, "start")
    assert sorted(node for stage in plan.stages for node in stage.nodes) == sorted(plan.scopes)
    for stage in plan.stages:
        assert {plan.scopes[node_id] for node_id in stage.nodes} == {stage.scope}


@given(graphs())
def test_compiling_then_writing_then_reading_is_the_same_plan(definition: Definition) -> None:
    plan = compile_plan(definition, CATALOGUE, "start")
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


@given(graphs())
def test_the_order_goes_along_every_edge(definition: Definition) -> None:
    order, cyclic = topological_order(definition)
    assert cyclic == []
    assert all(order.index(edge.source) < order.index(edge.target) for edge in definition.edges)
