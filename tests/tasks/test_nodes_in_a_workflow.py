"""The data nodes as a workflow holds them: their handles connect, and their parameters are evaluated as they expect."""

from typing import Any

import pytest

from app.automation.workflows import parameters
from app.automation.workflows.definition import Node
from app.automation.workflows.validation import validate
from app.palette import build_catalog
from tasks.catalog import Catalog

PORTS = [{"name": "Gi0/1", "speed": 1000}, {"name": "Gi0/2", "speed": 100}]
SLOWER = {"field": "speed", "condition_type": "less_than", "compare_value": "{{ input.value.speed }}"}
SCOPE: dict[str, Any] = {
    "input": {"data": PORTS, "value": PORTS[0], "input1": PORTS, "input2": [{"name": "Gi0/1", "vlan": 5}]},
    "variables": {"site": "A"},
    "execution": {"id": "e1", "created_at": "2026-01-02T03:04:05Z"},
    "workflow": {"id": "w1", "name": "nightly"},
    "trigger": {},
    "host": {"platform": "cisco_ios"},
}


@pytest.fixture(scope="module")
def catalogue() -> Catalog:
    return build_catalog()


def perform(catalogue: Catalog, type_id: str, **given: Any) -> Any:
    """Evaluate a follow node's parameters as the engine does, and run it."""
    node_type = catalogue[type_id]
    ready = parameters.values(Node(id="n", type_id=type_id, parameters=given), node_type, SCOPE)
    return node_type.function(params=ready)


@pytest.mark.parametrize(
    ("type_id", "given", "handle", "expected"),
    [
        ("transform:limit", {"max_items": "{{ 1 }}"}, "total", 2),
        ("transform:set-fields", {"fields": {"site": "{{ variables.site }}", "n": "{{ 1 + 1 }}"}}, "items",
         [{**port, "site": "A", "n": 2} for port in PORTS]),
        ("transform:merge", {"mode": "keep_matches", "key_field_1": "name", "key_field_2": "name"}, "items",
         [{**PORTS[0], "vlan": 5}]),
        ("transform:filter", {"conditions": [SLOWER]}, "matched_items", PORTS[1:]),
        ("transform:aggregate", {}, "items", [{"count": 2}]),
        ("transform:sort", {"sort_fields": [{"field": "speed"}]}, "items", PORTS[::-1]),
        ("parse:json", {"operation": "stringify", "source": "{{ input.value }}"}, "text",
         '{"name":"Gi0/1","speed":1000}'),
        ("parse:regex", {"source": "input.value.name", "pattern": r"(\d)/(\d{1,2})"}, "result", {"1": "0", "2": "1"}),
        ("parse:template", {"template": "{% for port in input.data %}{{ port.name }};{% endfor %}"}, "result",
         "Gi0/1;Gi0/2;"),
        ("flow:noop", {}, "data", PORTS),
        ("data:debug", {}, "data", PORTS),
        ("debug:get-variable", {"variable_name": "site"}, "value", "A"),
        ("debug:execution-data", {"include": ["workflow_name"]}, "execution", {"workflow_name": "nightly"}),
    ],
)  # fmt: skip
def test_parameters_are_evaluated_as_the_nodes_expect(
    catalogue: Catalog, type_id: str, given: dict[str, Any], handle: str, expected: Any
) -> None:
    assert perform(catalogue, type_id, **given).result[handle] == expected


def step(node_id: str, type_id: str, **given: Any) -> dict[str, Any]:
    return {"id": node_id, "data": {"nodeType": type_id, "parameters": given}}


def edge(source: str, source_handle: str, target: str, target_handle: str = "") -> dict[str, str]:
    return {"source": source, "sourceHandle": source_handle, "target": target, "targetHandle": target_handle}


def test_their_handles_connect(catalogue: Catalog) -> None:
    nodes = [
        step("start", "trigger:manual"),
        step("ask", "http:request", url="https://example.org/", body_json={"a": "plain"}),
        step("known", "http:graphql", endpoint="https://example.org/", query="{{a} # {{ not a template }}\n}"),
        step("merge", "transform:merge"),
        step("filter", "transform:filter", conditions=[{"compare_value": 1}]),
        step("sort", "transform:sort", sort_fields=[{"field": "id"}]),
        step("switch", "flow:switch", cases=[{"field": "a"}, {"field": "b"}]),
        step("csv", "parse:csv", operation="generate"),
        step("stop", "flow:stop"),
        step("note", "debug:comment"),
    ]
    edges = [
        edge("start", "", "ask"),
        edge("start", "", "known"),
        edge("ask", "body", "merge", "input1"),
        edge("known", "data", "merge", "input2"),
        edge("merge", "items", "filter", "data"),
        edge("filter", "matched_items", "sort", "data"),
        edge("filter", "unmatched", "stop"),
        edge("sort", "items", "csv", "data"),
        edge("sort", "items", "switch", "value"),
        edge("switch", "output_1", "stop"),
        edge("switch", "default", "stop"),
    ]
    verdict = validate({"nodes": nodes, "edges": edges}, catalogue)
    assert verdict.errors == []
    assert [warning["node_id"] for warning in verdict.warnings] == ["note"]
    beyond = validate({"nodes": nodes, "edges": [*edges, edge("switch", "output_2", "stop")]}, catalogue)
    assert [fault["type"] for fault in beyond.errors] == ["unknown_handle"]
