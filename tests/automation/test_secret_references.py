"""Where a workflow may name a secret, and what validation says of credentials that are not there."""

from typing import Any

import httpx
import pytest

from app.automation.workflows.validation import validate
from app.palette import build_catalog
from tests.support.graphs import step, workflow

CATALOGUE = build_catalog()
SECRETS = {"token": {"credential": "vault", "field": "token"}}
URL = "https://example.org/"


def faults(*nodes: dict[str, Any]) -> list[tuple[str | None, str, str]]:
    edges = tuple(f"start -> {node['id']}" for node in nodes)
    verdict = validate(workflow(*nodes, edges=edges), CATALOGUE)
    return [(fault["node_id"], fault["field"], fault["message"]) for fault in verdict.errors]


@pytest.mark.parametrize(
    ("node_type", "parameters"),
    [
        ("http:request", {"url": URL, "headers": {"X-Token": "Token {{ secret.token }}"}}),
        ("http:request", {"url": URL, "body_type": "json", "body_json": {"a": ["{{ secret['token'] }}"]}}),
        ("http:graphql", {"endpoint": URL, "query": "{ a }", "variables": {"t": "{{ secret.token }}"}}),
        ("notify:webhook", {"url": URL, "body_source": "custom", "custom_body": "a={{ secret.token }}"}),
        ("config:push", {"lines": "{% if host.site %}community {{ secret.token }}{% else %}x{% endif %}"}),
        ("ssh:command", {"command": "login {{ secret.token }}"}),
    ],
)
def test_a_secret_may_stand_by_itself_in_text(node_type: str, parameters: dict[str, Any]) -> None:
    assert faults(step("a", node_type, secrets=SECRETS, **parameters)) == []


@pytest.mark.parametrize(
    "text",
    [
        "{{ secret.token | upper }}",
        "{{ secret.token[:2] }}",
        "{{ secret }}",
        "{{ 'x' ~ secret.token }}",
        "{{ [secret][0].token }}",
        "{{ secret.token.upper() }}",
        "{% set a = secret.token %}{{ a | reverse }}",
        "{% set a %}{{ secret.token }}{% endset %}{{ a | reverse }}",
        "{% if secret.token == 'a' %}x{% endif %}",
        "{% filter upper %}{{ secret.token }}{% endfilter %}",
        "{% for x in [1] recursive %}{{ secret.token }}{% endfor %}",
        "{% macro m() %}{{ secret.token }}{% endmacro %}",
        "{{ secret[variables.name] }}",
        "{{ secret.token }}{{ secret.token | upper }}",
    ],
)
def test_nothing_is_made_of_a_secret(text: str) -> None:
    ((node_id, field, message),) = faults(step("a", "ssh:command", command=text, secrets=SECRETS))
    assert (node_id, field) == ("a", "parameters.command")
    assert "by itself" in message or "not available in expressions" in message


@pytest.mark.parametrize(
    ("node", "field", "words"),
    [
        (step("a", "ssh:command", command="{{ secret.key }}", secrets=SECRETS), "parameters.command", "there is token"),
        (step("a", "ssh:command", command="{{ secret.key }}"), "parameters.command", "there is none"),
        (step("a", "debug:log", message="{{ secret.token }}"), "parameters.message", "debug:log takes no secrets"),
        (
            step("a", "notify:webhook", url=URL, secrets=SECRETS, body_expression="{{ secret.token }}"),
            "parameters.body_expression",
            "not in an expression",
        ),
        (
            step("a", "ssh:command", command="x", secrets=SECRETS, options={"run_if": "secret.token == 'a'"}),
            "options.run_if",
            "not in an expression",
        ),
        (step("a", "ssh:command", command="x", secrets={"t": {"credential": "v"}}), "parameters.secrets", "field"),
        (step("a", "ssh:command", command="x", secrets={"a b": SECRETS["token"]}), "parameters.secrets", "match"),
        (step("a", "debug:log", message="x", secrets=SECRETS), "parameters.secrets", "no parameter 'secrets'"),
    ],
)
def test_a_secret_elsewhere_is_a_fault(node: dict[str, Any], field: str, words: str) -> None:
    ((node_id, found, message),) = faults(node)
    assert (node_id, found) == ("a", field)
    assert words in message


async def test_a_credential_that_is_not_there_is_a_warning(admin: httpx.AsyncClient) -> None:
    body = {"name": "vault", "credential_type": "api_key", "data": {"token": "abcdef"}}
    created = await admin.post("/credentials/v1/credentials", json=body)
    assert created.status_code == 201, created.text
    by_id = {"credential": created.json()["data"]["id"], "field": "token"}
    definition = workflow(
        step("good", "ssh:command", command="{{ secret.t }}", secrets={"t": SECRETS["token"], "i": by_id}),
        step("gone", "ssh:command", command="x", credential="gone"),
        step("later", "ssh:command", command="x", credential="{{ variables.name }}"),
        step("field", "ssh:command", command="x", secrets={"t": {"credential": "vault", "field": "colour"}}),
        step("lost", "ssh:command", command="x", secrets={"t": {"credential": "lost", "field": "token"}}),
        edges=tuple(f"start -> {name}" for name in ("good", "gone", "later", "field", "lost")),
    )
    answer = await admin.post("/automation/v1/workflows/validate", json={"definition": definition})
    told = answer.json()["data"]
    assert told["valid"] is True
    assert [(fault["type"], fault["node_id"], fault["field"]) for fault in told["warnings"]] == [
        ("missing_prerequisite", "gone", "parameters.credential"),
        ("missing_prerequisite", "field", "parameters.secrets.t"),
        ("missing_prerequisite", "lost", "parameters.secrets.t"),
    ]
    assert "There is no credential 'gone'" in told["warnings"][0]["message"]
    assert "without a field 'colour'" in told["warnings"][1]["message"]
