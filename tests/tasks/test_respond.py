"""What a workflow may answer to a webhook, and what it may not."""

from typing import Any

import pytest

from tasks.context import NodeContext
from tasks.errors import NodeError
from tasks.respond import LARGEST_BODY_BYTES, RespondParams, http_respond_webhook


def respond(**parameters: Any) -> dict[str, Any]:
    answer: dict[str, Any] = http_respond_webhook(NodeContext(), RespondParams(**parameters)).result
    return answer


@pytest.mark.parametrize(
    ("kind", "given", "body"),
    [
        ("json", {"a": [1, None]}, '{"a":[1,null]}'),
        ("json", '{ "a": 1 }', '{ "a": 1 }'),
        ("json", "just text", '"just text"'),
        ("json", None, "null"),
        ("text", "as it is", "as it is"),
        ("text", None, ""),
        ("text", [1], "[1]"),
        ("html", "<p>ä</p>", "<p>ä</p>"),
    ],
)
def test_the_body_is_written_as_its_type_says(kind: str, given: Any, body: str) -> None:
    answer = respond(response_type=kind, response_body=given)
    assert (answer["status"], answer["body"]) == (200, body)
    content_type = {"json": "application/json", "text": "text/plain", "html": "text/html"}[kind]
    assert answer["headers"]["content-type"] == content_type


@pytest.mark.parametrize(
    ("code", "status", "url"), [(200, 302, "https://example.net/?a=b"), (308, 308, "/schema"), (404, 302, "/x")]
)
def test_a_redirect_has_a_status_of_redirects(code: int, status: int, url: str) -> None:
    answer = respond(response_type="redirect", response_code=code, redirect_url=url, response_body="ignored")
    assert (answer["status"], answer["headers"]["location"], answer["body"]) == (status, url, "")


@pytest.mark.parametrize("url", ["", "//evil.example", "javascript:alert(1)", "/a b", "/ä", "/x\r\nSet-Cookie: a=b"])
def test_a_redirect_to_nowhere_fails(url: str) -> None:
    with pytest.raises(NodeError, match="redirect_url") as raised:
        respond(response_type="redirect", redirect_url=url)
    assert raised.value.error_class == "validation"


def test_headers_are_added() -> None:
    assert respond(headers={"X-Answer": "42"})["headers"] == {"x-answer": "42", "content-type": "application/json"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Set-Cookie", "opsconductor_session=x"),
        ("content-security-policy", "default-src *"),
        ("Content-Length", "1"),
        ("X Y", "1"),
        ("X-Split", "a\r\nSet-Cookie: b"),
        ("X-Text", "ä"),
    ],
)
def test_headers_that_are_not_a_workflows_to_set_fail(name: str, value: str) -> None:
    with pytest.raises(NodeError, match="headers") as raised:
        respond(headers={name: value})
    assert raised.value.error_class == "validation"


def test_a_body_has_a_bound() -> None:
    assert len(respond(response_type="text", response_body="x" * LARGEST_BODY_BYTES)["body"]) == LARGEST_BODY_BYTES
    with pytest.raises(NodeError, match="at most"):
        respond(response_type="text", response_body="ä" * (LARGEST_BODY_BYTES // 2 + 1))
