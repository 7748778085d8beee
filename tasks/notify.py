"""Nodes that tell somebody: a webhook, the log."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import msgspec
from msgspec import Meta
from nornir.core.task import Result

from tasks import outbound
from tasks.authentication import Authenticated, authenticated, refusal
from tasks.context import NodeContext
from tasks.errors import NodeError
from tasks.messages import Level, write
from tasks.node import Expression, Handle, Params, node, outcome
from tasks.outbound import Outgoing
from tasks.patterns import shown

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
TEXT = "text/plain"


class WebhookParams(Authenticated, frozen=True, kw_only=True):
    """What is sent where."""

    url: Annotated[str, Meta(min_length=8, max_length=4000, description="Where to send it: an http or https address.")]
    method: Annotated[Literal["POST", "GET", "PUT", "PATCH"], Meta(description="The HTTP method.")] = "POST"
    content_type: Annotated[
        Literal["application/json", "application/x-www-form-urlencoded", "text/plain"],
        Meta(description="How the body is written."),
    ] = "application/json"
    body_source: Annotated[
        Literal["from_input", "custom"],
        Meta(description="from_input: the value of body_expression; custom: the text of custom_body."),
    ] = "from_input"
    body_expression: Annotated[Expression, Meta(description="The value to send.")] = "{{ input.data | default(none) }}"
    custom_body: Annotated[str, Meta(max_length=1_000_000, description="The text to send as it is.")] = ""
    headers: Annotated[dict[str, str], Meta(max_length=50, description="Further headers.")] = msgspec.field(
        default_factory=dict
    )
    timeout: Annotated[int, Meta(ge=1, le=300, description="Seconds that it may take.")] = 30


class NotifyLogParams(Params, frozen=True, kw_only=True):
    """What to note."""

    level: Annotated[Level, Meta(description="How loud the message is.")] = "info"
    message: Annotated[str, Meta(max_length=10_000, description="What to write to the log.")] = (
        "Workflow checkpoint: {{ workflow.name }}"
    )
    value: Annotated[Expression, Meta(description="A value to note beside the message.")] = None


@node(
    "notify:webhook",
    name="Send Webhook",
    category="Notifications",
    package="notifications",
    scope="once",
    icon="webhook",
    color="#db2777",
    idempotent=False,
    fences_itself=True,
    dry_run=True,
    inputs=(Handle("data"),),
    outputs=(
        Handle("response", "object", "What came back: status, headers, body (parsed where it is JSON), truncated."),
        Handle("request", "object", "What would be sent, in a dry run: method, url, content_type, body."),
    ),
)
def notify_webhook(context: NodeContext, params: WebhookParams) -> Result:
    """Send an HTTP request; an answer other than 2xx fails the node with class ``upstream``.

    Addresses that are not public are refused unless they are allowed, and redirects are not followed.
    """
    body = _body(params)
    headers = {"Content-Type": params.content_type, **params.headers} if body else params.headers
    outgoing = outbound.prepare(params.method, params.url, headers=headers, content=body, allow=context.outbound_allow)
    if context.dry_run:
        return _foreseen(params, body)
    if params.authentication != "none":
        outgoing = replace(outgoing, headers=authenticated(context, params, headers, params.timeout))
    context.before_change([f"{params.method} {outgoing.url}"])
    answer = outbound.send(outgoing, params.timeout)
    error = None if 200 <= answer.status < 300 else _unwelcome(outgoing, answer, params)  # noqa: PLR2004 — HTTP's own figures
    return outcome({"response": msgspec.to_builtins(answer), "request": None}, exception=error)


@node(
    "notify:log",
    name="Log Message",
    category="Notifications",
    package="notifications",
    scope="once",
    icon="scroll-text",
    color="#db2777",
    inputs=(Handle("data"),),
    outputs=(Handle("message", "string", "The message."), Handle("value", "any", "The value beside it.")),
)
def notify_log(context: NodeContext, params: NotifyLogParams) -> Result:
    """Write a message to the service's log."""
    del context
    return outcome(write(params.level, params.message, params.value))


def _body(params: WebhookParams) -> bytes:
    if params.method == "GET":
        return b""
    if params.body_source == "custom":
        return params.custom_body.encode()
    value = params.body_expression
    if params.content_type == JSON:
        return msgspec.json.encode(value, enc_hook=str)
    if params.content_type == TEXT:
        return str("" if value is None else value).encode()
    if not isinstance(value, Mapping):
        message = f"body_expression gave {shown(value)}; {FORM} needs an object. Choose another content_type."
        raise NodeError("validation", message)
    return urlencode(value, doseq=True).encode()


def _foreseen(params: WebhookParams, body: bytes) -> Result:
    text = body.decode("utf-8", "replace")
    request: dict[str, Any] = {
        "method": params.method,
        "url": params.url,
        "content_type": params.content_type,
        "body": text,
    }
    return outcome({"response": None, "request": request}, diff=f"{params.method} {params.url}\n{text}")


def _unwelcome(outgoing: Outgoing, answer: outbound.Answer, params: WebhookParams) -> NodeError:
    host = outgoing.url.netloc.decode("ascii")
    refused = refusal(params, host, answer.status)
    if refused is not None:
        return refused
    if 300 <= answer.status < 400:  # noqa: PLR2004 — HTTP's own figures
        message = f"{host} answered {answer.status}, a redirect, which is not followed. Correct the url."
    else:
        message = f"{host} answered {answer.status}: {shown(answer.body)}"
    return NodeError("upstream", message)
