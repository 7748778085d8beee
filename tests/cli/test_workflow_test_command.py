import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.cli.workflow_cases import read_cases
from app.core.errors import NotFoundError, ValidationError
from tests.cli.conftest import Call
from tests.support.graphs import step, workflow

DEFINITION = workflow(
    step("ask", "ssh:command", command="show version"),
    step("new", "logic:if", expression="{{ ask.stdout == variables.release }}"),
    step("push", "config:push", lines="mtu 9000"),
    edges=("start -> ask", "ask -> new", "new.false -> push"),
)
CONTENT: dict[str, Any] = {
    "workflow": "releases.yaml",
    "devices": ["r1", {"name": "r2", "platform": "ciena_saos"}],
    "variables": {"release": "2"},
    "mocks": {"ask": {"outputs": {"stdout": "1"}}, "push": {}},
    "cases": [
        {"name": "all old", "expect": {"execution": "success", "nodes": {"push": "success"}}},
        {
            "name": "one refuses",
            "mocks": {
                "ask": {"outputs": {"stdout": "2"}, "hosts": {"r2": {"error": {"class": "auth", "message": "no"}}}}
            },
            "expect": {"execution": "partial", "nodes": {"ask": {"r1": "success", "r2": "failed"}, "push": "skipped"}},
        },
    ],
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "releases.yaml").write_text(yaml.safe_dump({"name": "Releases", "definition": DEFINITION}))
    return write(tmp_path / "releases.test.yaml", CONTENT)


def write(path: Path, content: Any) -> Path:
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def test_cases_that_end_as_expected_are_exit_code_0(served: Call, work: None, file: Path) -> None:
    result = served("workflow", "test", str(file))
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == ["case", "test", "execution", "differences", "id"]
    assert lines[1][:5] == ["all", "old", "ok", "success", "0"]
    assert lines[2][:5] == ["one", "refuses", "ok", "partial", "0"]
    assert result.stdout.splitlines()[-1] == "2 passed, 0 failed."
    assert json.loads(served("workflow", "list", "--json").stdout) == []
    assert json.loads(served("executions", "list", "--json").stdout) == []


def test_a_difference_is_exit_code_1_and_names_case_node_and_device(served: Call, work: None, file: Path) -> None:
    cases = [{"name": "wrong", "expect": {"nodes": {"push": {"*": "success", "r2": "skipped"}}}}]
    write(file, {**CONTENT, "cases": cases})
    result = served("workflow", "test", str(file))
    assert result.exit_code == 1
    assert "wrong: push on r2: expected skipped, found success" in result.stdout.splitlines()
    told = json.loads(served("workflow", "test", str(file), "--json").stdout)
    assert [(case["case"], case["passed"], len(case["differences"])) for case in told] == [("wrong", False, 1)]


def test_a_file_without_cases_is_one_and_expects_success(served: Call, work: None, file: Path) -> None:
    whole = {**CONTENT, "devices": ["r1"]}
    del whole["cases"]
    write(file, whole)
    assert "releases.test  ok" in served("workflow", "test", str(file)).stdout
    write(file, {**whole, "mocks": {**whole["mocks"], "ask": {"status": "failed"}}})
    result = served("workflow", "test", str(file))
    assert (result.exit_code, "expected success, found failed" in result.stdout) == (1, True)


def test_a_saved_workflow_and_a_single_case_are_named(served: Call, work: None, file: Path) -> None:
    assert served("workflow", "import", str(file.parent / "releases.yaml")).exit_code == 0
    write(file, {**CONTENT, "workflow": "Releases"})
    result = served("workflow", "test", str(file), "--case", "all old")
    assert result.stdout.splitlines()[-1] == "1 passed, 0 failed."
    refused = served("workflow", "test", str(file), "--case", "none such")
    assert (refused.exit_code, "there is all old, one refuses" in refused.stderr) == (2, True)


def test_a_node_that_is_not_mocked_is_exit_code_4(served: Call, file: Path) -> None:
    write(file, {**CONTENT, "mocks": {"ask": {}}})
    result = served("workflow", "test", str(file), "--case", "all old")
    assert (result.exit_code, result.stdout) == (4, "")
    assert "push, mocks.push: config:push touches what is outside" in result.stderr


def changed(without: str = "", **more: Any) -> Any:
    return {**{name: value for name, value in CONTENT.items() if name != without}, **more}


WRONG: dict[str, tuple[Any, str, str]] = {
    "no object": ([1], "", "must be an object"),
    "unknown field": (changed(device=[]), "device", "is not part of a test file"),
    "wrong kind": (changed(mocks=[]), "mocks", "must be an object"),
    "no workflow": (changed(without="workflow"), "workflow", "one of them"),
    "two workflows": (changed(definition={}), "workflow", "one of them"),
    "case no object": (changed(cases=["x"]), "cases[0]", "must be an object"),
    "case without a name": (changed(cases=[{}]), "cases[0].name", "is missing"),
    "unknown field of a case": (changed(cases=[{"name": "x", "mock": {}}]), "cases[0].mock", "is not part of"),
    "wrong kind in a case": (changed(cases=[{"name": "x", "dry_run": 1}]), "cases[0].dry_run", "must be true or false"),
    "same name twice": (changed(cases=[{"name": "x"}, {"name": "x"}]), "cases", "the same name"),
    "no cases": (changed(cases=[]), "cases", "has no case"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_file_that_is_wrong_is_refused_and_says_where(tmp_path: Path, case: str) -> None:
    content, field, part = WRONG[case]
    with pytest.raises(ValidationError) as refusal:
        read_cases(write(tmp_path / "x.yaml", content))
    told = {fault["field"]: fault["message"] for fault in refusal.value.details} or {"": refusal.value.message}
    assert part in told[field]


def test_a_workflow_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"There is no file .*releases\.yaml"):
        read_cases(write(tmp_path / "x.yaml", CONTENT))
