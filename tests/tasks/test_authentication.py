"""How HTTP nodes say who asks, against real HTTP services on loopback."""

import base64
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
import pytest
from nornir.core.task import Result

from tasks.context import NodeContext
from tasks.errors import NodeError
from tasks.http import GraphqlParams, HttpRequestParams, http_graphql, http_request
from tasks.node import Params
from tasks.notify import WebhookParams, notify_webhook
from tests.support.node_lab import error_class
from tests.support.web_service import Reply, WebService, web_service

OK = Reply(200, b'{"data": {}}', {"Content-Type": "application/json"})
LOGIN = {"username": "netops", "password": "pass:wörd"}
BASIC = f"Basic {base64.b64encode('netops:pass:wörd'.encode()).decode()}"
CASES: dict[str, tuple[str, str, dict[str, Any], dict[str, Any], tuple[str, str]]] = {
    "basic": ("basic", "basic", LOGIN, {}, ("authorization", BASIC)),
    "bearer": ("bearer", "api_key", {"token": "t0ken"}, {}, ("authorization", "Bearer t0ken")),
    "bearer of a key": ("bearer", "api_key", {"api_key": "k3y"}, {}, ("authorization", "Bearer k3y")),
    "key": ("api_key", "api_key", {"api_key": "k3y"}, {}, ("x-api-key", "k3y")),
    "key in a header of the node's": (
        "api_key", "api_key", {"api_key": "k3y"}, {"api_key_header": "X-Key"}, ("x-key", "k3y")
    ),
    "key in a header of the credential's": (
        "api_key",
        "api_key",
        {"token": "t", "header_name": "Authorization", "header_prefix": "Token"},
        {},
        ("authorization", "Token t"),
    ),
}  # fmt: skip
NODES: dict[str, tuple[Callable[..., Any], type[Params], str]] = {
    "http:request": (http_request, HttpRequestParams, "url"),
    "http:graphql": (http_graphql, GraphqlParams, "endpoint"),
    "notify:webhook": (notify_webhook, WebhookParams, "url"),
}


class Surroundings:
    """A node's context with a vault of one credential, and what the node did with it."""

    def __init__(self, credential_type: str = "", fields: Mapping[str, Any] | None = None, **more: Any) -> None:
        self.kept_secret: list[str] = []
        self.opened: list[str] = []
        self.credential_type, self.fields = credential_type, fields or {}
        given = {"outbound_allow": ("127.0.0.0/8",), **more}
        self.context = NodeContext(credential=self.open, keep_secret=self.kept_secret.append, **given)

    def open(self, reference: str, *types: str) -> Mapping[str, Any]:
        """Open the only credential."""
        assert types == (self.credential_type,)
        self.opened.append(reference)
        return self.fields

    def ask(self, url: str, node: str = "http:request", **params: Any) -> Result:
        """Run a node as the engine does."""
        function, params_type, where = NODES[node]
        extra = {"query": "{ a }"} if node == "http:graphql" else {}
        ready = msgspec.convert({where: url, **extra, **params}, params_type)
        try:
            result: Result = function(self.context, params=ready)
        except NodeError as error:
            return Result(host=None, failed=True, exception=error)
        return result


@pytest.fixture
def service() -> Iterator[WebService]:
    with web_service() as running:
        yield running


@pytest.fixture
def other() -> Iterator[WebService]:
    with web_service() as running:
        yield running


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("case", CASES)
def test_each_way_sets_its_header(service: WebService, node: str, case: str) -> None:
    way, credential_type, fields, more, (header, value) = CASES[case]
    surroundings = Surroundings(credential_type, fields)
    url = service.tell("/x", OK)
    assert not surroundings.ask(url, node, authentication=way, credential="c", **more).failed
    assert service.asked[0].headers[header] == value
    assert value.rpartition(" ")[2] in surroundings.kept_secret


def test_nothing_is_opened_where_nothing_is_asked_for(service: WebService) -> None:
    surroundings = Surroundings("basic", LOGIN)
    assert not surroundings.ask(service.tell("/x", OK), credential="c").failed
    assert surroundings.opened == []
    assert "authorization" not in service.asked[0].headers


@pytest.mark.parametrize(
    ("params", "fields", "class_", "words"),
    [
        ({"authentication": "bearer"}, {}, "credential", "no credential is named"),
        ({"authentication": "bearer", "credential": "c"}, {"token": "a\nb"}, "credential", "no HTTP header can carry"),
        ({"authentication": "bearer", "credential": "c"}, {"token": "schlüssel"}, "credential", "no HTTP header"),
        (
            {"authentication": "bearer", "credential": "c", "headers": {"authorization": "x"}},
            {"token": "t0ken"},
            "validation",
            "Authorization is what authentication sets",
        ),
    ],
)
def test_what_cannot_be_sent_is_refused_before_anything_is(
    service: WebService, params: dict[str, Any], fields: dict[str, str], class_: str, words: str
) -> None:
    result = Surroundings("api_key", fields).ask(service.tell("/x", OK), **params)
    assert error_class(result) == class_
    assert words in str(result.exception)
    assert service.asked == []


def test_a_plain_script_has_no_vault(service: WebService) -> None:
    params = HttpRequestParams(url=service.tell("/x", OK), authentication="basic", credential="c")
    with pytest.raises(NodeError, match="'c' is asked for, and this inventory has no vault") as raised:
        http_request(NodeContext(outbound_allow=("127.0.0.1",)), params=params)
    assert raised.value.error_class == "credential"


@pytest.mark.parametrize("node", NODES)
def test_an_answer_that_refuses_the_credential_is_of_class_auth(service: WebService, node: str) -> None:
    url = service.tell("/x", Reply(401, b"no"))
    result = Surroundings("basic", LOGIN).ask(url, node, authentication="basic", credential="c")
    assert error_class(result) == "auth"
    assert "refuses the credential c" in str(result.exception)
    assert error_class(Surroundings().ask(url, node)) == "upstream"


@pytest.mark.parametrize("case", CASES)
def test_a_redirect_elsewhere_loses_the_authentication(service: WebService, other: WebService, case: str) -> None:
    way, credential_type, fields, more, (header, value) = CASES[case]
    service.tell("/x", Reply(302, b"", {"Location": "/here"}))
    service.tell("/here", Reply(302, b"", {"Location": other.tell("/there", OK)}))
    surroundings = Surroundings(credential_type, fields)
    assert not surroundings.ask(service.url("/x"), authentication=way, credential="c", **more).failed
    assert [asked.headers.get(header) for asked in (*service.asked, *other.asked)] == [value, value, None]


GRANT = Reply(200, b'{"access_token": "gr4nted", "token_type": "Bearer", "expires_in": 600}')


def client(token_url: str, **more: str) -> dict[str, str]:
    return {"token_url": token_url, "client_id": "ops", "client_secret": "s3cret:", **more}


def test_a_token_is_fetched_once_and_used_again(service: WebService) -> None:
    surroundings = Surroundings("oauth2", client(service.tell("/token", GRANT), scope="read write", audience="net"))
    url = service.tell("/x", OK)
    for _ in range(2):
        assert not surroundings.ask(url, authentication="oauth2", credential="c").failed
    assert service.methods() == ["POST /token", "GET /x", "GET /x"]
    asked, *used = service.asked
    assert asked.body == b"grant_type=client_credentials&scope=read+write&audience=net"
    assert asked.headers["authorization"] == f"Basic {base64.b64encode(b'ops:s3cret%3A').decode()}"
    assert {request.headers["authorization"] for request in used} == {"Bearer gr4nted"}
    assert "gr4nted" in surroundings.kept_secret


def test_a_token_that_is_about_to_run_out_is_fetched_anew(service: WebService) -> None:
    url = service.tell("/token", Reply(200, b'{"access_token": "gr4nted", "expires_in": "5"}'))
    surroundings = Surroundings("oauth2", client(url, client_authentication="body"))
    for _ in range(2):
        assert not surroundings.ask(service.tell("/x", OK), authentication="oauth2", credential="c").failed
    assert service.methods() == ["POST /token", "GET /x"] * 2
    assert b"client_id=ops&client_secret=s3cret%3A" in service.asked[0].body
    assert "authorization" not in service.asked[0].headers


@pytest.mark.parametrize(
    ("reply", "class_", "words"),
    [
        (Reply(401, b'{"error": "invalid_client"}'), "auth", 'grants no token to the credential c: \'{"error"'),
        (Reply(400, b'{"error": "invalid_scope"}'), "auth", "invalid_scope"),
        (Reply(503, b"later"), "auth", "answered 503 where a token was asked for"),
        (Reply(302, b"", {"Location": "/y"}), "auth", "answered 302"),
        (Reply(200, b"<html>"), "auth", "what is no token"),
        (Reply(200, b'{"token": "x"}'), "auth", "what is no token"),
    ],
)
def test_without_a_token_nothing_is_sent(service: WebService, reply: Reply, class_: str, words: str) -> None:
    surroundings = Surroundings("oauth2", client(service.tell("/token", reply)))
    result = surroundings.ask(service.tell("/x", OK), method="POST", authentication="oauth2", credential="c")
    assert error_class(result) == class_
    assert words in str(result.exception)
    assert service.methods() == ["POST /token"]


def test_a_token_is_not_fetched_from_where_nodes_may_not_send(service: WebService) -> None:
    surroundings = Surroundings("oauth2", client(service.tell("/token", GRANT)), outbound_allow=())
    result = surroundings.ask("http://1.1.1.1/", authentication="oauth2", credential="c")
    assert error_class(result) == "validation"
    assert "not a public address" in str(result.exception)
    assert service.asked == []


def test_a_dry_run_opens_nothing_for_what_it_does_not_send(service: WebService) -> None:
    surroundings = Surroundings("basic", LOGIN, dry_run=True)
    url = service.tell("/x", OK)
    for node in ("http:request", "notify:webhook"):
        assert not surroundings.ask(url, node, method="POST", authentication="basic", credential="c").failed
    assert (surroundings.opened, service.asked) == ([], [])
