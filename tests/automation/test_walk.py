import pytest

from app.automation.executions.walk import Course, NodeState, Walk
from app.automation.workflows.definition import read_definition
from app.automation.workflows.graph import compile_plan
from tests.support.graphs import CATALOGUE, step, workflow

SUCCESS = NodeState("success")
FAILED = NodeState("failed")


def walk(*nodes: dict[str, object], edges: tuple[str, ...]) -> Walk:
    definition, faults = read_definition(workflow(*nodes, edges=edges))
    assert faults == []
    course = Course(definition, compile_plan(definition, CATALOGUE, "start"), CATALOGUE)
    return Walk(course, {"start": (SUCCESS,)})


def device(node_id: str, **options: object) -> dict[str, object]:
    return step(node_id, "test:device", command="x", options=options)


def test_success_takes_plain_success_and_data_edges_but_not_failure() -> None:
    found = walk(
        device("a"), device("p"), device("s"), device("d"), device("f"),
        edges=("start -> a", "a -> p", "a.success -> s", "a.text -> d.text", "a.failure -> f"),
    )  # fmt: skip
    found.settle("a", SUCCESS)
    assert [node for node in "psdf" if found.reaches(node)] == ["p", "s", "d"]


def test_failure_takes_its_edge_alone() -> None:
    found = walk(device("a"), device("p"), device("f"), edges=("start -> a", "a -> p", "a.failure -> f"))
    found.settle("a", FAILED)
    assert [node for node in "pf" if found.reaches(node)] == ["f"]
    assert found.course.handles_failure("a")


def test_an_unhandled_failure_leads_nowhere() -> None:
    found = walk(device("a"), device("p"), edges=("start -> a", "a -> p"))
    found.settle("a", FAILED)
    assert not found.reaches("p")
    assert not found.course.handles_failure("a")


def test_continue_goes_on_along_success() -> None:
    found = walk(
        device("a", on_error="continue"), device("p"), device("f"), edges=("start -> a", "a -> p", "a.failure -> f")
    )
    found.settle("a", FAILED)
    assert [node for node in "pf" if found.reaches(node)] == ["p"]


def test_fail_ignores_the_failure_edge() -> None:
    found = walk(device("a", on_error="fail"), device("f"), edges=("start -> a", "a.failure -> f"))
    found.settle("a", FAILED)
    assert not found.reaches("f")


@pytest.mark.parametrize("branch", ["true", "false"])
def test_a_branch_takes_its_own_edge(branch: str) -> None:
    found = walk(
        step("i", "test:if"), device("true"), device("false"),
        edges=("start -> i", "i.true -> true", "i.false -> false"),
    )  # fmt: skip
    found.settle("i", NodeState("success", branch))
    assert [node for node in ("true", "false") if found.reaches(node)] == [branch]


def test_skipping_propagates_but_a_merge_runs_when_one_branch_came() -> None:
    found = walk(
        step("i", "test:if"), device("t"), device("f"), device("end"),
        edges=("start -> i", "i.true -> t", "i.false -> f", "t -> end", "f -> end"),
    )  # fmt: skip
    found.settle("i", NodeState("success", "true"))
    found.settle("t", SUCCESS)
    found.settle("f", NodeState("skipped"))
    assert found.reaches("end")
    found.settle("t", NodeState("skipped"))
    assert not found.reaches("end")


def test_behind_a_once_node_only_hosts_go_on_that_came_to_it() -> None:
    edges = ("start -> a", "a -> o", "o -> b")
    passed, failed = (walk(device("a"), step("o", "test:once"), device("b"), edges=edges) for _ in range(2))
    passed.settle("a", SUCCESS)
    failed.settle("a", FAILED)
    for found in (passed, failed):
        found.settle("o", SUCCESS)
    assert passed.reaches("b")
    assert not failed.reaches("b")


def test_behind_a_chain_of_once_nodes_the_same_holds() -> None:
    edges = ("start -> a", "a -> o", "o -> o2", "o2 -> b")
    found = walk(device("a"), step("o", "test:once"), step("o2", "test:once"), device("b"), edges=edges)
    for node_id in ("o", "o2"):
        found.settle(node_id, SUCCESS)
    found.settle("a", FAILED)
    assert not found.reaches("b")
    found.settle("a", SUCCESS)
    assert found.reaches("b")


def test_a_once_node_behind_devices_runs_when_any_host_took_an_edge_to_it() -> None:
    found = walk(device("a"), step("o", "test:once"), edges=("start -> a", "a.success -> o"))
    found.states["a"] = {FAILED, SUCCESS}
    assert found.reaches("o")
    found.states["a"] = {FAILED}
    assert not found.reaches("o")
