"""http:request against a real service on loopback: bodies, answers, redirects, tries, dry runs."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import exchange
from tasks.catalog import declared
from tasks.errors import NodeError
from tasks.http import http_request
from tests.support.http_asking import OK, SOON, ask
from tests.support.node_lab import error_class
from tests.support.node_values import ANYTHING
from tests.support.web_service import Reply, WebService, gone_after_one, web_service


@pytest.fixture
def service() -> Iterator[WebService]:
    with web_service() as running:
        yield running


def test_an_answer_is_taken_with_all_that_belongs_to_it(service: WebService) -> None:
    result = ask(service.tell("/x", OK))
    assert not result.failed
    assert result.result["body"] == {"a": [1]}
    assert result.result["status"] == 200
    assert result.result["headers"]["content-type"] == "application/json"
    assert result.result["url"] == service.url("/x")
    assert result.result["attempts"] == 1
    assert result.result["elapsed_ms"] >= 0
    assert result.result["request"] is None
    assert set(result.result) == {handle.name for handle in declared(http_request).outputs}


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_every_method_is_sent(service: WebService, method: str) -> None:
    assert not ask(service.tell("/x", Reply(204)), method=method).failed
    assert service.methods() == [f"{method} /x"]


@pytest.mark.parametrize(
    ("params", "content_type", "body"),
    [
        ({"body_type": "json", "body_json": {"a": [1, None]}}, "application/json", b'{"a":[1,null]}'),
        ({"body_type": "json"}, "application/json", b"null"),
        (
            {"body_type": "form", "body_form": {"a": "1 2", "b": [3, True], "c": None}},
            "application/x-www-form-urlencoded",
            b"a=1+2&b=3&b=true",
        ),
        ({"body_type": "raw", "body_raw": "ü"}, "text/plain", "ü".encode()),
        ({"body_type": "raw", "body_raw": "<a/>", "content_type": "application/xml"}, "application/xml", b"<a/>"),
        (
            {"body_type": "json", "body_json": 1, "headers": {"content-type": "application/vnd.api+json"}},
            "application/vnd.api+json",
            b"1",
        ),
        ({"body_json": {"never": "sent"}, "body_raw": "x"}, None, b""),
    ],
)
def test_bodies_are_written_as_their_type_says(
    service: WebService, params: dict[str, Any], content_type: str | None, body: bytes
) -> None:
    assert not ask(service.tell("/x", OK), method="POST", **params).failed
    (asked,) = service.asked
    assert (asked.headers.get("content-type"), asked.body) == (content_type, body)


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/x", {"a": "1 2", "b": [1, False], "c": None}, "/x?a=1+2&b=1&b=false"),
        ("/x?z=%20", {"a": "ü&"}, "/x?z=%20&a=%C3%BC%26"),
        ("/x?z=%20", {}, "/x?z=%20"),
        ("/x?z=1#part", {"a": 1}, "/x?z=1&a=1"),
    ],
)
def test_a_query_joins_the_one_of_the_url(service: WebService, path: str, query: dict[str, Any], expected: str) -> None:
    service.tell("/x", OK)
    assert not ask(service.url(path), query=query).failed
    assert service.asked[0].path == expected


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"query": {"a": {"b": 1}}}, "query: a holds {'b': 1}"),
        ({"query": {"a": [[1]]}}, "query: a holds [1]"),
        ({"body_type": "form", "body_form": {"a": {}}}, "body_form: a holds {}"),
        ({"body_type": "json", "body_json": "\ud800"}, "body_json cannot be written as JSON"),
        ({"headers": {"Host": "inside"}}, "Host is not yours to set"),
        ({"headers": {"X-A": "b\r\nX-B: c"}}, "headers"),
    ],
)
def test_what_cannot_be_sent_is_told(service: WebService, params: dict[str, Any], words: str) -> None:
    result = ask(service.url("/x"), method="POST", **params)
    assert error_class(result) == "validation"
    assert words in str(result.exception)
    assert service.asked == []


@pytest.mark.parametrize(
    "url", ["ftp://example.org/", "http://[::1/", "example.org/path", "http:///path", "http://user:secret@example.org/"]
)
@pytest.mark.parametrize("query", [{}, {"a": 1}])
def test_an_address_that_is_none_is_told(url: str, query: dict[str, Any]) -> None:
    result = ask(url, query=query)
    assert error_class(result) == "validation"
    assert "url" in str(result.exception)


@pytest.mark.parametrize(
    ("reply", "response_type", "body"),
    [
        (OK, "auto", {"a": [1]}),
        (OK, "json", {"a": [1]}),
        (OK, "text", '{"a": [1]}'),
        (Reply(200, b'"text"', {"Content-Type": "application/json"}), "json", "text"),
        (Reply(200, b"[1]", {"Content-Type": "text/plain"}), "auto", "[1]"),
        (Reply(200, b"[1]", {"Content-Type": "text/plain"}), "json", [1]),
        (Reply(200, b"[1]"), "text", "[1]"),
        (Reply(204), "json", None),
        (Reply(204), "auto", ""),
        (Reply(200, b"{not json", {"Content-Type": "application/json"}), "auto", "{not json"),
    ],
)
def test_an_answer_is_read_as_asked(service: WebService, reply: Reply, response_type: str, body: Any) -> None:
    result = ask(service.tell("/x", reply), response_type=response_type)
    assert not result.failed
    assert result.result["body"] == body


def test_an_answer_that_should_be_json_and_is_not_fails_and_is_kept(service: WebService) -> None:
    result = ask(service.tell("/x", Reply(200, b"<html>")), response_type="json")
    assert error_class(result) == "upstream"
    assert "what is no JSON" in str(result.exception)
    assert result.result["body"] == "<html>"


@pytest.mark.parametrize("fail_on_status", [True, False])
def test_an_unwelcome_status_fails_unless_it_may_not(service: WebService, fail_on_status: bool) -> None:
    url = service.tell("/x", Reply(404, b"no such port"))
    result = ask(url, fail_on_status=fail_on_status)
    assert (result.result["status"], result.result["body"]) == (404, "no such port")
    assert result.failed is fail_on_status
    if fail_on_status:
        assert error_class(result) == "upstream"
        assert "answered 404: 'no such port'" in str(result.exception)
    assert not ask(url, fail_on_status=False, response_type="text").failed


def test_an_unwelcome_status_matters_more_than_its_body(service: WebService) -> None:
    result = ask(service.tell("/x", Reply(500, b"oops")), response_type="json", max_retries=0)
    assert "answered 500: 'oops'" in str(result.exception)


def test_an_answer_that_is_too_long_always_fails(service: WebService) -> None:
    url = service.tell("/x", Reply(200, b"x" * (exchange.LONGEST_ANSWER_BYTES + 1)))
    for fail_on_status in (True, False):
        result = ask(url, fail_on_status=fail_on_status)
        assert error_class(result) == "upstream"
        assert "more than is taken" in str(result.exception)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_be_repeated_is_tried_again(service: WebService, method: str, status: int) -> None:
    url = service.tell("/x", Reply(status, b"", SOON), Reply(status, b"", SOON), Reply(204))
    result = ask(url, method=method)
    assert not result.failed
    assert result.result["attempts"] == 3
    assert service.methods() == [f"{method} /x"] * 3


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_what_may_not_be_repeated_is_sent_once(service: WebService, method: str) -> None:
    result = ask(service.tell("/x", Reply(503, b"busy", SOON)), method=method, max_retries=5)
    assert error_class(result) == "upstream"
    assert service.methods() == [f"{method} /x"]


@pytest.mark.parametrize("status", [400, 404, 501, 505])
def test_what_would_be_the_same_again_is_not_tried_again(service: WebService, status: int) -> None:
    assert error_class(ask(service.tell("/x", Reply(status, b"", SOON)))) == "upstream"
    assert len(service.asked) == 1


def test_tries_come_to_an_end(service: WebService) -> None:
    result = ask(service.tell("/x", Reply(503, b"busy", SOON)), max_retries=3)
    assert "answered 503 to the last of 4 tries: 'busy'" in str(result.exception)
    assert len(service.asked) == 4
    assert error_class(ask(service.url("/x"), max_retries=0)) == "upstream"
    assert len(service.asked) == 5


@pytest.mark.parametrize("header", ["", "soon", "-1", "٣", "Wed, 99 Foo 2026", "1.5"])
def test_without_a_time_that_can_be_read_the_waits_grow(
    service: WebService, header: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    monkeypatch.setattr(exchange, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(exchange, "SLICE_S", 0.0001)
    headers = {"Retry-After": header.encode().decode("latin-1")} if header else {}
    assert not ask(service.tell("/x", Reply(503, b"", headers), Reply(503, b"", headers), OK)).failed
    assert len(service.asked) == 3
    assert waits


@pytest.mark.parametrize("zone", [UTC, None])
def test_a_time_to_come_back_may_be_a_date(service: WebService, zone: Any) -> None:
    past = format_datetime(datetime.now(UTC).replace(tzinfo=zone) - timedelta(days=2))
    assert not ask(service.tell("/x", Reply(503, b"", {"Retry-After": past}), OK)).failed
    assert len(service.asked) == 2


@pytest.mark.parametrize("later", ["61", "99999999999999999999", "Fri, 31 Dec 2999 23:59:59 GMT"])
def test_what_would_take_too_long_is_not_waited_for(service: WebService, later: str) -> None:
    result = ask(service.tell("/x", Reply(429, b"", {"Retry-After": later}), OK))
    assert error_class(result) == "upstream"
    assert len(service.asked) == 1


def test_a_wait_ends_when_the_execution_is_cancelled(service: WebService) -> None:
    url = service.tell("/x", Reply(503, b"", {"Retry-After": "60"}))
    result = ask(url, cancelled=lambda: bool(service.asked))
    assert error_class(result) == "cancelled"
    assert error_class(ask(url, cancelled=lambda: True)) == "cancelled"
    assert len(service.asked) == 1


def test_a_service_that_is_gone_at_the_second_try_has_answered_the_first() -> None:
    with gone_after_one(b"HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n") as gone:
        result = ask(gone, method="PUT")
    assert error_class(result) == "upstream"
    assert "answered 503 before." in str(result.exception)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_change_is_told_once_before_it_is_sent(service: WebService, method: str) -> None:
    told: list[tuple[list[str], int]] = []
    url = service.tell("/x", Reply(503, b"", SOON), OK)
    ask(url, method=method, before_change=lambda lines: told.append((list(lines), len(service.asked))))
    assert told == [([f"{method} {url}"], 0)]


def test_a_change_that_is_not_ours_any_more_is_not_sent(service: WebService) -> None:
    def refuse(_: object) -> None:
        raise NodeError("cancelled", "not ours any more")

    assert error_class(ask(service.tell("/x", OK), method="POST", before_change=refuse)) == "cancelled"
    assert service.asked == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_what_changes_nothing_is_sent_without_a_word_and_in_a_dry_run(service: WebService, method: str) -> None:
    told: list[object] = []
    result = ask(service.tell("/x", OK), method=method, dry_run=True, before_change=told.append)
    assert result.result["status"] == 200
    assert (told, len(service.asked)) == ([], 1)


def test_a_dry_run_says_what_it_would_send(service: WebService) -> None:
    result = ask(service.url("/x"), method="POST", query={"q": 1}, body_type="json", body_json={"a": 1}, dry_run=True)
    url = service.url("/x?q=1")
    assert service.asked == []
    assert result.result["request"] == {
        "method": "POST",
        "url": url,
        "content_type": "application/json",
        "body": json.dumps({"a": 1}, separators=(",", ":")),
    }
    assert {name for name, value in result.result.items() if value is not None} == {"request"}
    assert set(result.result) == {handle.name for handle in declared(http_request).outputs}
    assert result.diff == f'POST {url}\n{{"a":1}}'
    assert ask(service.url("/x"), method="DELETE", dry_run=True).diff == f"DELETE {service.url('/x')}"


def test_a_dry_run_refuses_what_would_be_refused(service: WebService) -> None:
    assert error_class(ask(service.url("/x"), allow=(), method="POST", dry_run=True)) == "validation"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "localhost"])
def test_addresses_that_are_not_public_are_refused(method: str, host: str) -> None:
    sent: list[object] = []
    result = ask(f"http://{host}/", allow=(), method=method, before_change=sent.append)
    assert error_class(result) == "validation"
    assert "not a public address" in str(result.exception)
    assert sent == []


@pytest.mark.parametrize(
    "params",
    [
        {"method": "TRACE"},
        {"timeout": 0},
        {"timeout": 301},
        {"max_redirects": 11},
        {"max_retries": 6},
        {"body_type": "x"},
    ],
)
def test_parameters_keep_to_their_bounds(params: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        ask("http://1.1.1.1/", **params)


@given(
    st.dictionaries(st.text(max_size=5), ANYTHING, max_size=3),
    ANYTHING,
    st.sampled_from(["json", "form", "raw"]),
    st.text(),
)
def test_whatever_is_to_be_sent_is_written_or_refused(fields: Any, value: Any, kind: str, text: str) -> None:
    result = ask(
        "http://1.1.1.1/",
        method="POST",
        query=fields,
        body_type=kind,
        body_json=value,
        body_form=fields,
        body_raw=text,
        headers={"X-Any": text},
        dry_run=True,
    )
    assert result.failed is (result.exception is not None)
    assert not result.failed or error_class(result) == "validation"
