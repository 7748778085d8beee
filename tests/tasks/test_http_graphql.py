"""http:graphql against a real service on loopback."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nornir.core.task import Result

from tasks.catalog import declared
from tasks.context import NodeContext
from tasks.errors import NodeError
from tasks.http import GraphqlParams, http_graphql
from tests.support.node_lab import error_class
from tests.support.node_values import attempt
from tests.support.web_service import Reply, WebService, web_service

QUERY = "query Devices($site: String) {{devices(site: $site) {name}}}"
HOME = ("127.0.0.1/32",)


def reply(body: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(body).encode(), {"Content-Type": "application/json", "Retry-After": "0"})


DEVICES = reply({"data": {"devices": [{"name": "sw1"}]}})


@pytest.fixture
def service() -> Iterator[WebService]:
    with web_service() as running:
        yield running


def ask(endpoint: str, query: str = QUERY, *, allow: tuple[str, ...] = HOME, **params: Any) -> Result:
    """Run the node as the engine does: what it raises is the result's exception."""
    names = {"dry_run", "before_change"}
    surroundings = NodeContext(outbound_allow=allow, **{name: params.pop(name) for name in names & params.keys()})
    ready = msgspec.convert({"endpoint": endpoint, "query": query, **params}, GraphqlParams, strict=False)
    result = attempt(lambda: http_graphql(surroundings, ready))
    return Result(host=None, failed=True, exception=result) if isinstance(result, NodeError) else result


def test_a_query_is_sent_as_it_was_written_and_its_data_is_taken(service: WebService) -> None:
    result = ask(
        service.tell("/g", DEVICES), variables={"site": "A"}, operation_name="Devices", headers={"X-Token": "abc"}
    )
    assert not result.failed
    assert result.result["data"] == {"devices": [{"name": "sw1"}]}
    assert (result.result["errors"], result.result["status"], result.result["attempts"]) == ([], 200, 1)
    assert set(result.result) == {handle.name for handle in declared(http_graphql).outputs}
    (asked,) = service.asked
    assert json.loads(asked.body) == {"query": QUERY, "variables": {"site": "A"}, "operationName": "Devices"}
    assert asked.method == "POST"
    assert asked.headers["x-token"] == "abc"
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["accept"].startswith("application/graphql-response+json")


@pytest.mark.parametrize("fail_on_errors", [True, False])
def test_errors_fail_the_node_unless_they_may_not(service: WebService, fail_on_errors: bool) -> None:
    errors = [{"message": "no such site"}]
    url = service.tell("/g", reply({"data": None, "errors": errors}))
    result = ask(url, fail_on_errors=fail_on_errors)
    assert (result.result["data"], result.result["errors"]) == (None, errors)
    assert result.failed is fail_on_errors
    if fail_on_errors:
        assert error_class(result) == "upstream"
        assert "no such site" in str(result.exception)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Reply(200, b"<html>"), "does not speak GraphQL: '<html>'"),
        (reply([1]), "does not speak GraphQL"),
        (reply({"hello": 1}), "does not speak GraphQL"),
        (Reply(401, b"who are you"), "answered 401: 'who are you'"),
        (Reply(302, b"", {"Location": "/elsewhere"}), "a redirect that is not followed"),
        (reply({"data": "x" * 10_000_000}), "more than is taken"),
    ],
)
def test_what_is_no_answer_is_told(service: WebService, answer: Reply, words: str) -> None:
    for fail_on_errors in (True, False):
        result = ask(service.tell("/g", answer), fail_on_errors=fail_on_errors)
        assert error_class(result) == "upstream"
        assert words in str(result.exception)
    assert service.methods() == ["POST /g"] * 2


def test_a_query_is_tried_again_and_a_mutation_is_not(service: WebService) -> None:
    service.tell("/g", reply({}, 503), DEVICES)
    assert ask(service.url("/g")).result["attempts"] == 2
    service.tell("/m", reply({}, 503), DEVICES)
    result = ask(service.url("/m"), "mutation {a}", operation="mutation")
    assert error_class(result) == "upstream"
    assert service.methods() == ["POST /g", "POST /g", "POST /m"]


def test_a_mutation_is_told_before_it_is_sent_and_a_query_is_not(service: WebService) -> None:
    told: list[tuple[list[str], int]] = []
    url = service.tell("/g", DEVICES)

    def tell(lines: Any) -> None:
        told.append((list(lines), len(service.asked)))

    assert not ask(url, before_change=tell).failed
    assert not ask(url, "mutation {a}", operation="mutation", before_change=tell).failed
    assert told == [([f"POST {url}"], 1)]


def test_in_a_dry_run_a_query_is_sent_and_a_mutation_is_not(service: WebService) -> None:
    url = service.tell("/g", DEVICES)
    assert ask(url, dry_run=True).result["data"] == {"devices": [{"name": "sw1"}]}
    result = ask(url, "mutation {a}", operation="mutation", dry_run=True)
    assert len(service.asked) == 1
    assert json.loads(result.result["request"]["body"])["query"] == "mutation {a}"
    assert {name for name, value in result.result.items() if value is not None} == {"request"}


@pytest.mark.parametrize(
    "query",
    [
        "mutation { reboot }",
        "subscription { events }",
        "query A { a } mutation B { b }",
        "{ a }\nmutation { b }",
        '{ a(text: "}") } mutation { b }',
        '{ a(text: """ \\""" { """) } mutation { b }',
        "{ a # {\n } mutation { b }",
        "fragment f on T { a } mutation { ...f }",
        "} mutation { b }",
    ],
)
def test_what_calls_itself_a_query_and_is_more_is_refused(service: WebService, query: str) -> None:
    result = ask(service.url("/g"), query)
    assert error_class(result) == "validation"
    assert "Set operation to mutation" in str(result.exception)
    assert service.asked == []


@pytest.mark.parametrize(
    "query",
    [
        "{ mutation }",
        "query ($mutation: String) { a(mutation: $mutation) }",
        '{ a(text: "mutation { b }") }',
        "# mutation\n{ a }",
        '{ a(text: """mutation { b } " \\""" """) }',
        "fragment f on T { a } query { ...f }",
    ],
)
def test_a_query_may_speak_of_mutations(service: WebService, query: str) -> None:
    assert not ask(service.tell("/g", DEVICES), query).failed


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"variables": {"a": "\ud800"}}, "variables cannot be written as JSON"),
        ({"headers": {"Host": "x"}}, "Host is not yours"),
        ({"allow": ()}, "not a public address"),
    ],
)
def test_what_cannot_be_asked_is_told(service: WebService, params: dict[str, Any], words: str) -> None:
    result = ask(service.url("/g"), **params)
    assert error_class(result) == "validation"
    assert words in str(result.exception)
    assert service.asked == []


@pytest.mark.parametrize("params", [{"query": ""}, {"operation": "subscription"}, {"endpoint": "short"}])
def test_a_question_that_is_none_is_refused(params: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        ask(**{"endpoint": "http://1.1.1.1/", **params})


@given(st.text(min_size=1) | st.text('{}()[]"\\#\n mutationquery', min_size=1, max_size=60))
def test_whatever_is_asked_is_written_or_refused(query: str) -> None:
    result = ask("http://1.1.1.1/", query, operation="mutation", dry_run=True)
    assert not result.failed
    told = attempt(lambda: ask("http://127.0.0.1/", query, allow=()))
    assert error_class(told) == "validation"
