"""notify:webhook against a real HTTP server on loopback, and the guard that keeps it from where it may not go."""

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from nornir.core.task import Result

from tasks import outbound
from tasks.context import NodeContext
from tasks.dialing import interrupt_all
from tasks.errors import NodeError
from tasks.notify import WebhookParams, notify_webhook
from tests.support.node_lab import error_class
from tests.support.web_receiver import Receiver, Server

LOOPBACK = ("127.0.0.0/8",)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.receiver
    server.receiver.release.set()
    server.shutdown()
    server.server_close()
    thread.join()


def send(url: str, *, allow: tuple[str, ...] = LOOPBACK, dry_run: bool = False, **params: Any) -> Result:
    """Run the node as the engine does: what it raises is the result's exception."""
    surroundings = NodeContext(outbound_allow=allow, dry_run=dry_run, before_change=params.pop("before_change", list))
    try:
        result: Result = notify_webhook(surroundings, msgspec.convert({"url": url, **params}, WebhookParams))
    except NodeError as error:
        return Result(host=None, failed=True, exception=error)
    return result


def test_a_value_is_sent_as_json_and_the_answer_is_read(receiver: Receiver) -> None:
    result = send(receiver.url("/ok"), body_expression={"hosts": ["sw1"]})
    (request,) = receiver.requests
    assert (request.method, request.path, json.loads(request.body)) == ("POST", "/ok", {"hosts": ["sw1"]})
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Host"] == f"127.0.0.1:{receiver.port}"
    assert not result.failed
    assert result.result["response"]["status"] == 200
    assert result.result["response"]["body"] == {"accepted": True}
    assert result.result["response"]["truncated"] is False


@pytest.mark.parametrize(
    ("params", "content_type", "body"),
    [
        ({"content_type": "text/plain", "body_expression": "done"}, "text/plain", b"done"),
        ({"content_type": "text/plain", "body_expression": None}, None, b""),
        (
            {"content_type": "application/x-www-form-urlencoded", "body_expression": {"a": "1 2", "b": [3, 4]}},
            "application/x-www-form-urlencoded",
            b"a=1+2&b=3&b=4",
        ),
        ({"body_source": "custom", "custom_body": '{"raw": 1}'}, "application/json", b'{"raw": 1}'),
        ({"method": "PUT", "body_expression": 5}, "application/json", b"5"),
        ({"method": "PATCH", "body_expression": None}, "application/json", b"null"),
        ({"method": "GET", "body_expression": {"never": "sent"}}, None, b""),
    ],
)
def test_bodies_are_written_as_their_type_says(
    receiver: Receiver, params: dict[str, Any], content_type: str | None, body: bytes
) -> None:
    assert not send(receiver.url(), **params).failed
    (request,) = receiver.requests
    assert (request.headers.get("Content-Type"), request.body) == (content_type, body)


def test_headers_go_along(receiver: Receiver) -> None:
    send(receiver.url(), headers={"X-Token": "abc", "Content-Type": "application/vnd.api+json"}, body_expression={})
    assert receiver.requests[0].headers["X-Token"] == "abc"
    assert receiver.requests[0].headers["Content-Type"] == "application/vnd.api+json"


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"Host": "inside.example"}, "Host is not yours"),
        ({"content-length": "1"}, "content-length is not yours"),
        ({"X-A": "b\r\nX-B: c"}, "headers"),
        ({"X A": "b"}, "headers"),
        ({"X-A": "ünïcödé…"}, "headers"),
    ],
)
def test_headers_that_would_break_the_request_are_refused(
    receiver: Receiver, headers: dict[str, str], words: str
) -> None:
    result = send(receiver.url(), headers=headers)
    assert error_class(result) == "validation"
    assert words in str(result.exception)
    assert receiver.requests == []


def test_text_answers_are_read_in_their_own_encoding(receiver: Receiver) -> None:
    assert send(receiver.url("/text")).result["response"]["body"] == "gut so, Grüße"


def test_an_answer_that_claims_to_be_json_is_given_as_text(receiver: Receiver) -> None:
    assert send(receiver.url("/lie")).result["response"]["body"] == "{not json"


def test_an_answer_is_cut_off_at_its_limit(receiver: Receiver) -> None:
    response = send(receiver.url("/big")).result["response"]
    assert response["truncated"] is True
    assert len(response["body"]) == outbound.BODY_LIMIT_BYTES


def test_an_unwelcome_status_fails_the_node_and_is_kept(receiver: Receiver) -> None:
    result = send(receiver.url("/refuses"))
    assert error_class(result) == "upstream"
    assert "answered 503: 'come back later'" in str(result.exception)
    assert result.result["response"]["status"] == 503


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    result = send(receiver.url("/elsewhere"))
    assert error_class(result) == "upstream"
    assert "redirect" in str(result.exception)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("path", ["/slow", "/drip"])
def test_an_answer_that_takes_too_long_is_not_waited_for(receiver: Receiver, path: str) -> None:
    result = send(receiver.url(path), timeout=1)
    assert error_class(result) == "read_timeout"


def test_an_answer_is_not_waited_for_once_the_execution_is_cancelled(receiver: Receiver) -> None:
    results: list[Result] = []
    thread = threading.Thread(target=lambda: results.append(send(receiver.url("/slow"), timeout=300)))
    thread.start()
    while not receiver.requests:
        threading.Event().wait(0.01)
    interrupt_all()
    thread.join()
    assert error_class(results[0]) == "cancelled"


@pytest.mark.parametrize("path", ["/rude", "/silent"])
def test_a_server_that_speaks_no_http_is_a_protocol_error(receiver: Receiver, path: str) -> None:
    assert error_class(send(receiver.url(path))) == "protocol"


def test_tls_where_there_is_none_is_no_trust(receiver: Receiver) -> None:
    result = send(receiver.url().replace("http:", "https:"))
    assert error_class(result) == "host_key"
    assert "TLS" in str(result.exception)
    assert receiver.requests == []


def test_a_closed_port_is_refused() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        result = send(f"http://127.0.0.1:{held.getsockname()[1]}/")
    assert error_class(result) == "tcp_refused"


def test_a_port_that_answers_nothing_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            result = send(f"http://127.0.0.1:{port}/", timeout=1)
    assert error_class(result) == "tcp_timeout"


def test_a_name_without_an_address_is_a_dns_error() -> None:
    assert error_class(send("http://no-such-host.invalid/")) == "dns"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "0.0.0.0",  # noqa: S104 — an address to be refused
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "239.1.2.3",
        "255.255.255.255",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fc00::1]",
        "[ff02::1]",
    ],
)
def test_addresses_that_are_not_public_are_refused(host: str) -> None:
    sent: list[object] = []
    result = send(f"http://{host}/", allow=(), before_change=sent.append)
    assert error_class(result) == "validation"
    assert "not a public address" in str(result.exception)
    assert sent == []


@pytest.mark.parametrize("host", ["1.1.1.1", "[2606:4700:4700::1111]", "[64:ff9b::101:101]"])
def test_public_addresses_may_be_reached(host: str) -> None:
    outgoing = outbound.prepare("POST", f"https://{host}/", headers={}, content=b"", allow=())
    assert outgoing.addresses == [host.strip("[]")]


@pytest.mark.parametrize("allow", [("127.0.0.1",), ("127.0.0.0/8",), ("localhost",), ("10.0.0.0/8", "LOCALHOST")])
def test_what_is_allowed_may_be_reached(receiver: Receiver, allow: tuple[str, ...]) -> None:
    assert not send(receiver.url(host="localhost"), allow=allow).failed


@pytest.mark.parametrize("allow", [("127.0.0.2",), ("10.0.0.0/8",), ("example.org",)])
def test_allowing_something_else_does_not_help(receiver: Receiver, allow: tuple[str, ...]) -> None:
    assert error_class(send(receiver.url(), allow=allow)) == "validation"
    assert receiver.requests == []


def resolve(monkeypatch: pytest.MonkeyPatch, name: str, *addresses: str) -> list[str]:
    """Let a name have some addresses, and keep account of who asks."""
    real, asked = socket.getaddrinfo, []

    def answer(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        if host != name:
            return real(host, port, *args, **options)
        asked.append(name)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return asked


def test_a_name_is_asked_once_and_the_checked_address_is_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = resolve(monkeypatch, "hooks.example", "127.0.0.1")
    assert not send(receiver.url(host="hooks.example")).failed
    assert asked == ["hooks.example"]
    assert receiver.requests[0].headers["Host"] == f"hooks.example:{receiver.port}"


def test_the_next_address_is_tried_where_one_refuses(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve(monkeypatch, "hooks.example", "127.0.0.2", "127.0.0.1")
    assert not send(receiver.url(host="hooks.example")).failed
    assert len(receiver.requests) == 1


def test_only_the_permitted_addresses_of_a_name_are_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve(monkeypatch, "hooks.example", "10.0.0.1", "127.0.0.1")
    outgoing = outbound.prepare("POST", receiver.url(host="hooks.example"), headers={}, content=b"", allow=LOOPBACK)
    assert outgoing.addresses == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://example.org/", "must begin with http"),
        ("file:///etc/passwd", "must begin with http"),
        ("example.org/hook", "must begin with http"),
        ("http://", "Expected"),
        ("http:///path", "must begin with http"),
        ("http://user:hunter2@example.org/", "username or password"),
        ("http://[::1/", "is no address"),
        ("http://a\x00b.example/", "is no address"),
    ],
)
def test_an_address_that_is_none_is_told(url: str, words: str) -> None:
    try:
        result = send(url)
    except msgspec.ValidationError as error:
        assert words in str(error)  # noqa: PT017 — the parameter's own bound refuses it first
        return
    assert error_class(result) == "validation"
    assert words in str(result.exception)
    assert "hunter2" not in str(result.exception)


def test_a_dry_run_says_what_it_would_send(receiver: Receiver) -> None:
    result = send(receiver.url("/hook"), dry_run=True, body_expression={"a": 1})
    assert receiver.requests == []
    assert result.result == {
        "response": None,
        "request": {
            "method": "POST",
            "url": receiver.url("/hook"),
            "content_type": "application/json",
            "body": '{"a":1}',
        },
    }
    assert result.diff == f'POST {receiver.url("/hook")}\n{{"a":1}}'


def test_a_dry_run_refuses_what_would_be_refused(receiver: Receiver) -> None:
    assert error_class(send(receiver.url(), allow=(), dry_run=True)) == "validation"


def test_the_intent_is_told_right_before_the_request_and_can_stop_it(receiver: Receiver) -> None:
    told: list[tuple[list[str], int]] = []
    send(receiver.url("/ok"), before_change=lambda lines: told.append((list(lines), len(receiver.requests))))
    assert told == [([f"POST {receiver.url('/ok')}"], 0)]

    def refuse(_: object) -> None:
        raise NodeError("cancelled", "not ours any more")

    assert error_class(send(receiver.url("/ok"), before_change=refuse)) == "cancelled"
    assert len(receiver.requests) == 1


def test_a_form_needs_an_object(receiver: Receiver) -> None:
    result = send(receiver.url(), content_type="application/x-www-form-urlencoded", body_expression=[1])
    assert error_class(result) == "validation"
    assert "needs an object" in str(result.exception)
