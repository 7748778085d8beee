from collections.abc import Iterator

import pytest

from tasks import outbound
from tests.support.http_asking import OK, ask
from tests.support.node_lab import error_class
from tests.support.web_service import Reply, WebService, gone_after_one, web_service


@pytest.fixture
def service() -> Iterator[WebService]:
    with web_service() as running:
        yield running


@pytest.fixture
def other() -> Iterator[WebService]:
    with web_service() as running:
        yield running


def hops(service: WebService, *statuses: int, last: Reply = OK) -> str:
    for number, status in enumerate(statuses):
        service.tell(f"/{number}", Reply(status, b"", {"Location": f"/{number + 1}"}))
    service.tell(f"/{len(statuses)}", last)
    return service.url("/0")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_changes_nothing_is_sent_on(service: WebService, status: int, method: str) -> None:
    result = ask(hops(service, status), method=method, headers={"X-Token": "abc"})
    assert not result.failed
    assert result.result["url"] == service.url("/1")
    assert service.methods() == [f"{method} /0", f"{method} /1"]
    assert service.asked[1].headers["x-token"] == "abc"


@pytest.mark.parametrize(
    ("method", "status", "follows"),
    [
        ("POST", 301, True), ("POST", 302, True), ("POST", 303, True), ("POST", 307, False), ("POST", 308, False),
        ("PUT", 301, False), ("PUT", 303, True), ("DELETE", 302, False), ("PATCH", 308, False),
    ],
)  # fmt: skip
def test_a_change_is_never_sent_on(service: WebService, method: str, status: int, follows: bool) -> None:
    result = ask(hops(service, status), method=method, body_type="json", body_json={"a": 1}, headers={"X-A": "b"})
    assert service.methods() == [f"{method} /0", *(["GET /1"] if follows else [])]
    assert result.failed is not follows
    if follows:
        assert service.asked[1].body == b""
        assert "content-type" not in service.asked[1].headers
        assert service.asked[1].headers["x-a"] == "b"
    else:
        assert f"answered {status}, a redirect that is not followed" in str(result.exception)


def test_redirects_are_followed_as_often_as_allowed(service: WebService) -> None:
    url = hops(service, 302, 302, 302)
    assert not ask(url, max_redirects=3).failed
    result = ask(url, max_redirects=2)
    assert error_class(result) == "upstream"
    assert "redirects once more, after 2 times" in str(result.exception)


def test_redirects_need_not_be_followed(service: WebService) -> None:
    url = hops(service, 302)
    assert error_class(ask(url, max_redirects=0)) == "upstream"
    result = ask(url, max_redirects=0, fail_on_status=False)
    assert (result.result["status"], result.result["headers"]["location"]) == (302, "/1")
    assert service.methods() == ["GET /0"] * 2


def test_a_redirect_to_nowhere_is_an_answer(service: WebService) -> None:
    assert "a redirect that is not followed" in str(ask(service.tell("/x", Reply(302))).exception)


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("http://127.0.0.2:1/", "127.0.0.2 is 127.0.0.2, which is not a public address"),
        ("http://169.254.169.254/latest/meta-data", "not a public address"),
        ("http://[::1]/", "not a public address"),
        ("//10.0.0.1/", "not a public address"),
        ("file:///etc/passwd", "must begin with http"),
        ("gopher://127.0.0.1/", "must begin with http"),
        ("http://user:hunter2@127.0.0.1/", "username or password"),
        ("http://no-such-host.invalid/", "has no address"),
    ],
)
def test_a_redirect_goes_past_the_guard_too(service: WebService, location: str, words: str) -> None:
    result = ask(service.tell("/x", Reply(302, b"", {"Location": location})))
    assert error_class(result) == "upstream"
    assert words in str(result.exception)
    assert service.methods() == ["GET /x"]


def test_secrets_do_not_follow_to_another_host(service: WebService, other: WebService) -> None:
    service.tell("/x", Reply(302, b"", {"Location": other.tell("/y", OK)}))
    headers = {"Authorization": "Bearer abc", "X-API-Key": "abc", "Accept": "application/json"}
    assert not ask(service.url("/x"), headers=headers).failed
    assert "abc" in str(service.asked[0].headers)
    assert "abc" not in str(other.asked[0].headers)
    assert other.asked[0].headers["accept"] == "application/json"


@pytest.mark.parametrize(
    ("location", "words"),
    [("http://1.1.1.1/", "from https to http"), ("https://[::1/", "redirects to what is no address")],
)
def test_a_redirect_out_of_https_or_to_no_address_is_not_followed(
    location: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = outbound.Answer(status=302, headers={"location": location}, body="", truncated=False)
    monkeypatch.setattr(outbound, "send", lambda *_, **__: answer)
    result = ask("https://1.1.1.1/")
    assert error_class(result) == "upstream"
    assert words in str(result.exception)


def test_after_a_redirect_nothing_claims_that_nothing_was_sent(service: WebService) -> None:
    with gone_after_one(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as gone:
        assert not ask(gone).failed
        service.tell("/x", Reply(303, b"", {"Location": gone}))
        result = ask(service.url("/x"), method="POST")
    assert error_class(result) == "upstream"
    assert "127.0.0.1 redirects to" in str(result.exception)
    assert "refused the connection" in str(result.exception)
