"""What users are told of workflows: definitions that are valid, expressions that give their values, closed lists."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import httpx
import msgspec
import pytest

from app.automation.executions import batches, events, parking, progress, settlement, standing, starting
from app.automation.executions.approvals import service as approvals
from app.automation.executions.mocks import Mock
from app.automation.executions.resuming import service as resuming
from app.automation.executions.statuses import ENDED, execution_status
from app.automation.executions.testing import WorkflowTestRequest
from app.automation.workflows.definition import NodeOptions
from app.automation.workflows.expressions import ExpressionError, evaluate
from app.automation.workflows.folders import MAX_DEPTH
from app.automation.workflows.service import check_definition
from app.automation.workflows.settings import WorkflowSettings
from app.automation.workflows.templates import shipped
from app.cli.workflow_cases import read_cases
from app.palette import build_catalog
from inventory.records import HostRecord
from tasks.errors import ERROR_CLASSES
from tests.support.pages import PAGES, blocks, name_of, read, rows, section
from tests.support.working import make_devices

PAGE = read("docs/first-workflow.md")
SCOPE = {
    "version": {"records": [{"version": "15.2(7)E8"}]},
    "nodes": {"version": {"outputs": {"records": [{"version": "15.2(7)E8"}]}}},
    "host": {"site": "ber1", "groups": ["core"], "custom": {}},
    "variables": {"vlan": 120},
}


def definitions() -> Iterator[tuple[str, Any]]:
    """Yield every definition that a page shows, with the page's name."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        shown = [block.text for block in blocks(text, "json")]
        shown += re.findall(
            r"<<'END'\n(.*?)^END$", "".join(block.text for block in blocks(text)), re.MULTILINE | re.DOTALL
        )
        for one in shown:
            content = json.loads(one)
            found = content.get("definition", content)
            if "nodes" in found:
                yield name_of(page), found


def first_words(heading: str) -> list[str]:
    """Return what the first cells of the tables below a heading name."""
    return [word for row in rows(section(PAGE, heading)) for word in re.findall(r"`([^`]+)`", row[0])]


def test_every_definition_shown_is_valid() -> None:
    catalogue, found = build_catalog(), list(definitions())
    assert {name for name, _ in found} == {"README.md", "docs/first-workflow.md"}
    for name, definition in found:
        verdict, plan = check_definition(definition, catalogue)
        assert (verdict.errors, verdict.warnings) == ([], []), name
        assert plan is not None


def test_the_table_of_node_types_is_the_catalogue() -> None:
    told = {row[0].strip("`"): row[1] for row in rows(section(PAGE, "## The definition"))}
    assert told == {node_id: node_type.scope for node_id, node_type in build_catalog().items()}


@pytest.mark.parametrize("row", list(rows(section(PAGE.replace("\\|", "¦"), "## Expressions"))), ids=lambda row: row[0])
def test_an_expression_gives_the_value_told(row: list[str]) -> None:
    if "{{" not in row[0]:
        return
    text, value = (cell.strip("`").replace("¦", "|") for cell in row)
    assert evaluate(text, SCOPE) == json.loads(value)


@pytest.mark.parametrize(
    "text", ["{{ host.nowhere }}", "{{ host.__class__ }}", '{{ "%s" % 1 }}', '{{ "a" * 2000000 }}']
)
def test_what_the_page_calls_an_error_is_one(text: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(text, SCOPE)


def test_the_fields_of_a_host_are_those_of_its_record() -> None:
    (row,) = [row for row in rows(section(PAGE, "## Expressions")) if row[0] == "`host`"]
    told = set(re.findall(r"`(\w+)`", row[1])) - {"data"}
    assert told == set(HostRecord.__struct_fields__) - {"key", "id", "max_sessions"}


def test_the_error_classes_told_are_all_there_are() -> None:
    told = [row[0].strip("`") for row in rows(section(PAGE, "## How it ended"))]
    assert set(told[:5]) == ENDED
    assert sorted(told[5:]) == sorted(ERROR_CLASSES)


def test_the_ends_told_are_those_that_executions_come_to() -> None:
    ends = {
        execution_status({"success": 1}, ()),
        execution_status({"success": 1, "unknown": 1}, ()),
        execution_status({"failed": 1}, ()),
        execution_status({"success": 1}, ("failed",)),
        execution_status({"cancelled": 1}, (), stop_reason="cancelled"),
        execution_status({"cancelled": 1}, (), stop_reason="timeout"),
    }
    assert ends == ENDED


def test_the_options_told_are_those_of_nodes() -> None:
    kinds = {field.name: field.type for field in msgspec.structs.fields(NodeOptions)}
    told = first_words("## Options of a node")
    assert sorted(told) == sorted([*kinds, *get_args(kinds["on_error"])])
    assert NodeOptions().retry_delay_s == 1


def test_the_settings_told_are_those_of_workflows() -> None:
    kinds = {field.name: field.type for field in msgspec.structs.fields(WorkflowSettings)}
    assert [row[0].strip("`") for row in rows(section(PAGE, "## Settings of a workflow"))] == list(kinds)


def test_the_templates_told_are_those_of_the_product() -> None:
    assert set(first_words("## Versions, folders, templates")) == set(shipped())
    assert MAX_DEPTH == 8


def test_the_events_told_are_those_the_code_appends() -> None:
    modules = (approvals, batches, events, parking, progress, resuming, settlement, standing, starting)
    source = "".join(Path(module.__file__ or "").read_text(encoding="utf-8") for module in modules)
    written = {*re.findall(r'Event\("([\w.]+)"', source), *standing.TELLS.values()}
    assert 'kind = "execution.waiting" if status == "waiting" else "execution.resumed"' in source
    assert 'Event(f"{scope}.waiting"' in source
    written |= {"execution.waiting", "execution.resumed", "node.waiting", "device.waiting"}
    assert 'Event(f"{scope}.started"' in source
    assert 'Event(f"{scope}.retrying"' in source
    assert "{scope}.{'skipped' if item.status == 'skipped' else 'finished'}" in source
    written |= {
        f"{scope}.{verb}" for scope in ("node", "device") for verb in ("started", "retrying", "finished", "skipped")
    }
    assert set(first_words("## Results and events")) == written


def test_the_test_file_shown_is_read_and_its_mocks_are_all_there_are(tmp_path: Path) -> None:
    text = section(PAGE, "## Testing a workflow")
    (tmp_path / "releases.yaml").write_text("{name: x, definition: {nodes: [], edges: []}}")
    (shown,) = blocks(text, "yaml")
    path = tmp_path / "releases.test.yaml"
    path.write_text(shown.text)
    (case,) = read_cases(path).cases.values()
    msgspec.convert({**case, "definition": {}}, WorkflowTestRequest)
    assert set(first_words("## Testing a workflow")) - {"success", "failed", "unknown"} == set(Mock.__struct_fields__)


async def test_the_targets_shown_are_understood(admin: httpx.AsyncClient) -> None:
    first, second = await make_devices(admin, ["ber1-core-1", "ham1-acc-1"])
    await admin.post("/inventory/v1/groups", json={"name": "core", "members": [first]})
    shown = [json.loads(block.text) for block in blocks(section(PAGE, "## Which devices"), "json")]
    counts = []
    for targets in shown:
        known = json.loads(json.dumps(targets).replace("0190f1e0-0000-7000-8000-000000000000", second))
        answer = await admin.post("/inventory/v1/targets/preview", json={"targets": known})
        assert answer.status_code == 200, answer.text
        counts.append(answer.json()["data"]["count"])
    assert counts == [2, 1, 2, 0]
