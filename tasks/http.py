"""Nodes that ask web services, or tell them: plain HTTP requests and GraphQL."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import httpx
import msgspec
import regex
from msgspec import Meta
from nornir.core.task import Result

from tasks.authentication import Authenticated, authenticated, refusal
from tasks.context import NodeContext
from tasks.errors import NodeError
from tasks.exchange import IDEMPOTENT, SAFE, Exchange, Message, Terms, carry_out, prepared
from tasks.families import http_node
from tasks.items import LONGEST_TEXT, bounded
from tasks.node import Handle, Verbatim, outcome
from tasks.patterns import shown

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
GRAPHQL = f"application/graphql-response+json, {JSON}"
_UNREAD = regex.compile(r'#[^\n\r]*|"""(?:\\"""|.)*?"""|"(?:\\.|[^"\\\n\r])*"', regex.DOTALL)
_WORDS = regex.compile(r"(?P<open>[{(\[])|(?P<close>[})\]])|(?P<word>[_A-Za-z][_0-9A-Za-z]*)")
_OPERATIONS = frozenset({"query", "mutation", "subscription"})

Headers = Annotated[dict[str, str], Meta(max_length=50, description="Further headers.")]
TimeoutS = Annotated[int, Meta(ge=1, le=300, description="Seconds that each try may take.")]
Retries = Annotated[
    int,
    Meta(
        ge=0, le=5, description="How often to try again after an answer of 429 or 5xx, where that can do no harm twice."
    ),
]


class HttpRequestParams(Authenticated, frozen=True, kw_only=True):
    """What is asked of whom."""

    method: Annotated[
        Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"], Meta(description="The HTTP method.")
    ] = "GET"
    url: Annotated[str, Meta(min_length=8, max_length=4000, description="Where to: an http or https address.")]
    query: Annotated[
        dict[str, Any],
        Meta(max_length=100, description="Parameters to add to the url; an array repeats one, null leaves it out."),
    ] = msgspec.field(default_factory=dict)
    headers: Headers = msgspec.field(default_factory=dict)
    body_type: Annotated[
        Literal["none", "json", "form", "raw"],
        Meta(description="json: the value of body_json; form: the fields of body_form; raw: the text of body_raw."),
    ] = "none"
    body_json: Annotated[Any, Meta(description="json: the value to send; texts in it may hold {{ … }}.")] = None
    body_form: Annotated[
        dict[str, Any], Meta(max_length=200, description="form: the fields to send; an array repeats one.")
    ] = msgspec.field(default_factory=dict)
    body_raw: Annotated[str, Meta(max_length=LONGEST_TEXT, description="raw: the text to send.")] = ""
    content_type: Annotated[str, Meta(max_length=200, description="raw: what kind of text it is.")] = "text/plain"
    timeout: TimeoutS = 30
    max_redirects: Annotated[
        int, Meta(ge=0, le=10, description="How many redirects to follow; one that would repeat a change never is.")
    ] = 5
    max_retries: Retries = 2
    response_type: Annotated[
        Literal["auto", "json", "text"],
        Meta(description="auto: JSON where the answer says that it is; json: fail where it is none; text: as text."),
    ] = "auto"
    fail_on_status: Annotated[bool, Meta(description="Fail where the status is not 2xx.")] = True


class GraphqlParams(Authenticated, frozen=True, kw_only=True):
    """What is asked of whom."""

    endpoint: Annotated[str, Meta(min_length=8, max_length=4000, description="Where to: an http or https address.")]
    operation: Annotated[
        Literal["query", "mutation"], Meta(description="query: it reads; mutation: it changes something.")
    ] = "query"
    query: Annotated[
        Verbatim,
        Meta(min_length=1, max_length=100_000, description="The GraphQL text, sent as it is; values go to variables."),
    ]
    variables: Annotated[dict[str, Any], Meta(max_length=200, description="The values of its variables.")] = (
        msgspec.field(default_factory=dict)
    )
    operation_name: Annotated[str, Meta(max_length=200, description="Which operation, where there are several.")] = ""
    headers: Headers = msgspec.field(default_factory=dict)
    timeout: TimeoutS = 30
    max_retries: Retries = 2
    fail_on_errors: Annotated[bool, Meta(description="Fail where the answer holds errors.")] = True


COMMON = (
    Handle("status", "number", "The answer's status."),
    Handle("elapsed_ms", "number", "How long it took, in milliseconds, all tries together."),
    Handle("attempts", "number", "How often it was sent."),
    Handle("request", "object", "What would be sent, in a dry run: method, url, content_type, body."),
)


@http_node(
    "http:request",
    name="HTTP Request",
    icon="globe",
    outputs=(
        Handle("body", "any", "The answer's body, as response_type says."),
        Handle("headers", "object", "The answer's headers, their names in lower case."),
        Handle("url", "string", "Where the answer came from, after redirects."),
        *COMMON,
    ),
)
def http_request(context: NodeContext, params: HttpRequestParams) -> Result:
    """Send an HTTP request and take its answer; a status other than 2xx fails the node with class ``upstream``.

    Addresses that are not public are refused unless they are allowed, also behind a redirect. In a dry run GET, HEAD
    and OPTIONS are sent, and what the others would send is told.
    """
    message = _message(params)
    if context.dry_run and params.method not in SAFE:
        return _foreseen(context, message, ("body", "headers", "url"))
    terms = Terms(
        timeout_s=params.timeout,
        max_redirects=params.max_redirects,
        max_retries=params.max_retries,
        safe=params.method in SAFE,
        repeatable=params.method in IDEMPOTENT,
    )
    exchange = carry_out(context, _signed(context, message, params), terms)
    body, error = _read(exchange, params)
    outputs = {"body": body, "headers": exchange.answer.headers, "url": str(exchange.url), **_common(exchange)}
    return outcome(outputs, exception=error)


@http_node(
    "http:graphql",
    name="GraphQL",
    icon="workflow",
    outputs=(
        Handle("data", "any", "What was asked for."),
        Handle("errors", "array", "What the service found wrong; empty where nothing is."),
        *COMMON,
    ),
)
def http_graphql(context: NodeContext, params: GraphqlParams) -> Result:
    """Ask a GraphQL service; errors in its answer fail the node with class ``upstream``.

    Addresses that are not public are refused unless they are allowed, and redirects are not followed. In a dry run a
    query is sent, and what a mutation would send is told.
    """
    safe = params.operation == "query"
    if safe and not set(_operations(params.query)) <= {"query"}:
        message_text = "query holds something other than queries. Set operation to mutation, so that it is sent once."
        raise NodeError("validation", message_text)
    message = _graphql_message(params)
    if context.dry_run and not safe:
        return _foreseen(context, message, ("data", "errors"))
    terms = Terms(timeout_s=params.timeout, max_retries=params.max_retries, safe=safe, repeatable=safe)
    exchange = carry_out(context, _signed(context, message, params), terms)
    body, _ = _as_json(exchange)
    known = body if isinstance(body, Mapping) and ("data" in body or "errors" in body) else {}
    outputs = {"data": known.get("data"), "errors": known.get("errors") or [], **_common(exchange)}
    return outcome(outputs, exception=_graphql_error(exchange, known, params))


def _message(params: HttpRequestParams) -> Message:
    content, content_type = _content(params)
    headers = dict(params.headers)
    if content_type and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = content_type
    return Message(method=params.method, url=_with_query(params.url, params.query), headers=headers, content=content)


def _signed(context: NodeContext, message: Message, params: HttpRequestParams | GraphqlParams) -> Message:
    """Return a message that says who asks."""
    return replace(message, headers=authenticated(context, params, message.headers, params.timeout))


def _content(params: HttpRequestParams) -> tuple[bytes, str]:
    match params.body_type:
        case "json":
            return _json(bounded(params.body_json, "body_json"), "body_json"), JSON
        case "form":
            return urlencode(list(_pairs(params.body_form, "body_form"))).encode(), FORM
        case "raw":
            return params.body_raw.encode("utf-8", "replace"), params.content_type
        case _:
            return b"", ""


def _json(value: Any, parameter: str) -> bytes:
    try:
        return msgspec.json.encode(value, enc_hook=str)
    except (TypeError, ValueError) as error:
        raise NodeError("validation", f"{parameter} cannot be written as JSON: {error}.") from error


def _pairs(values: Mapping[str, Any], parameter: str) -> Iterator[tuple[str, str]]:
    """Yield the names and values of a form, an array's items one by one."""
    for name, value in values.items():
        for item in value if isinstance(value, list | tuple) else [value]:
            if isinstance(item, Mapping | list | tuple):
                message = f"{parameter}: {name} holds {shown(item)}. Give a text, a number, or an array of them."
                raise NodeError("validation", message)
            if item is not None:
                yield name, str(item).lower() if isinstance(item, bool) else str(item)


def _with_query(written: str, query: Mapping[str, Any]) -> str:
    added = urlencode(list(_pairs(query, "query")), errors="replace")
    if not added:
        return written
    try:
        url = httpx.URL(written.strip())
        return str(url.copy_with(query=b"&".join(part for part in (url.query, added.encode()) if part)))
    except (httpx.InvalidURL, ValueError) as error:
        raise NodeError(
            "validation", f"url is no address: {error}. Write one like https://example.org/path."
        ) from error


def _foreseen(context: NodeContext, message: Message, names: tuple[str, ...]) -> Result:
    """Return what would be sent, once it is known that it might be."""
    prepared(context, message)
    text = message.content.decode("utf-8", "replace")
    content_type = next((value for name, value in message.headers.items() if name.lower() == "content-type"), "")
    request = {"method": message.method, "url": message.url, "content_type": content_type, "body": text}
    nothing = dict.fromkeys((*names, *(handle.name for handle in COMMON)))
    return outcome({**nothing, "request": request}, diff=f"{message.method} {message.url}\n{text}".strip())


def _common(exchange: Exchange) -> dict[str, Any]:
    return {
        "status": exchange.answer.status,
        "elapsed_ms": exchange.elapsed_ms,
        "attempts": exchange.attempts,
        "request": None,
    }


def _read(exchange: Exchange, params: HttpRequestParams) -> tuple[Any, NodeError | None]:
    """Return the body as it is asked for, and what is wrong with the answer."""
    body: str = exchange.answer.body
    error = _too_long(exchange) or (_unwelcome(exchange, params) if params.fail_on_status else None)
    is_json = "json" in exchange.answer.headers.get("content-type", "")
    if params.response_type == "text" or (params.response_type == "auto" and not (is_json and body)):
        return body, error
    if not body:
        return None, error
    parsed, fault = _as_json(exchange)
    return parsed, error or (fault if params.response_type == "json" else None)


def _as_json(exchange: Exchange) -> tuple[Any, NodeError | None]:
    """Return what a body holds, or the body itself and why it is no JSON."""
    body = exchange.answer.body
    try:
        return bounded(msgspec.json.decode(body), "body"), None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as fault:
        message = f"{exchange.host} answered {exchange.answer.status} with what is no JSON ({fault}): {shown(body)}"
        return body, NodeError("upstream", message)


def _too_long(exchange: Exchange) -> NodeError | None:
    if not exchange.answer.truncated:
        return None
    return NodeError("upstream", f"{exchange.host} answered more than is taken. Ask for less, page by page.")


def _unwelcome(exchange: Exchange, params: Authenticated) -> NodeError | None:
    status = exchange.answer.status
    if 200 <= status < 300:  # noqa: PLR2004 — HTTP's own figures
        return None
    if 300 <= status < 400:  # noqa: PLR2004 — HTTP's own figures
        message = f"{exchange.host} answered {status}, a redirect that is not followed. Correct the url."
        return NodeError("upstream", message)
    refused = refusal(params, exchange.host, status)
    if refused is not None:
        return refused
    tries = f" to the last of {exchange.attempts} tries" if exchange.attempts > 1 else ""
    return NodeError("upstream", f"{exchange.host} answered {status}{tries}: {shown(exchange.answer.body)}")


def _operations(query: str) -> Iterator[str]:
    """Yield the kinds of operation that a GraphQL text declares, by the words that stand outside of all brackets."""
    depth = 0
    for token in _WORDS.finditer(_UNREAD.sub(" ", query)):
        if token.lastgroup == "word":
            if depth <= 0 and token.group() in _OPERATIONS:
                yield token.group()
        else:
            depth += 1 if token.lastgroup == "open" else -1


def _graphql_message(params: GraphqlParams) -> Message:
    body = {"query": params.query, "variables": bounded(params.variables, "variables")}
    named = {**body, "operationName": params.operation_name} if params.operation_name else body
    headers = {"Accept": GRAPHQL, "Content-Type": JSON, **params.headers}
    return Message(method="POST", url=params.endpoint, headers=headers, content=_json(named, "variables"))


def _graphql_error(exchange: Exchange, known: Mapping[str, Any], params: GraphqlParams) -> NodeError | None:
    """Say what is wrong: the errors of the answer, else its status, else that it is no answer of GraphQL's."""
    if known.get("errors"):
        message = f"{exchange.host} answered with errors: {shown(known['errors'])}"
        return NodeError("upstream", message) if params.fail_on_errors else None
    unwelcome = _too_long(exchange) or _unwelcome(exchange, params)
    if unwelcome is None and not known:
        message = f"{exchange.host} does not speak GraphQL: {shown(exchange.answer.body)}. Check the endpoint."
        return NodeError("upstream", message)
    return unwelcome
