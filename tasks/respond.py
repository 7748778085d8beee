"""The node that answers the request which started its workflow."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from nornir.core.task import Result

from tasks.context import NodeContext
from tasks.errors import NodeError
from tasks.node import Handle, Params, node, outcome

LARGEST_BODY_BYTES = 1024 * 1024
HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
OWN_HEADERS = frozenset(
    {"content-length", "content-type", "transfer-encoding", "connection", "set-cookie", "location", "x-request-id",
     "content-security-policy", "x-frame-options", "x-content-type-options", "date", "server"}
)  # fmt: skip
"""Headers that the service sets itself: they frame the answer, or protect whoever reads it in a browser."""
CONTENT_TYPES = {
    "json": "application/json",
    "text": "text/plain",
    "html": "text/html",
    "redirect": "text/plain",
}
FOUND = 302
REDIRECTS = frozenset({301, 302, 303, 307, 308})


class RespondParams(Params, frozen=True, kw_only=True):
    """What is answered."""

    response_code: Annotated[
        int, Meta(ge=200, le=599, description="The status; a redirect is 302 unless it is 3xx.")
    ] = 200
    response_type: Annotated[
        Literal["json", "text", "html", "redirect"], Meta(description="What the body is, or where to look instead.")
    ] = "json"
    response_body: Annotated[
        Any, Meta(description="The body. For json any value, and a text that is JSON is sent as it stands.")
    ] = None
    redirect_url: Annotated[str, Meta(max_length=2000, description="Where a redirect leads: http(s)://… or /….")] = ""
    headers: Annotated[dict[str, str], Meta(max_length=50, description="Further headers of the answer.")] = {}


@node(
    "http:respond-webhook",
    name="Respond to Webhook",
    category="HTTP",
    scope="once",
    icon="corner-up-left",
    color="#0ea5e9",
    inputs=(Handle("data"),),
    outputs=(
        Handle("status", "number", "The status of the answer."),
        Handle("headers", "object", "Its headers."),
        Handle("body", "string", "Its body."),
    ),
)
def http_respond_webhook(context: NodeContext, params: RespondParams) -> Result:
    """Answer the webhook that started the workflow, where its trigger's response_mode is respond_node."""
    del context
    body = _body(params)
    if len(body.encode()) > LARGEST_BODY_BYTES:
        raise NodeError("validation", f"response_body: an answer holds at most {LARGEST_BODY_BYTES} bytes.")
    headers = {**_headers(params.headers), "content-type": CONTENT_TYPES[params.response_type]}
    status = params.response_code
    if params.response_type == "redirect":
        headers["location"] = _location(params.redirect_url)
        status = status if status in REDIRECTS else FOUND
    return outcome({"status": status, "headers": headers, "body": body})


def _body(params: RespondParams) -> str:
    given = params.response_body
    if params.response_type == "redirect":
        return ""
    if params.response_type != "json":
        return "" if given is None else given if isinstance(given, str) else msgspec.json.encode(given).decode()
    if isinstance(given, str):
        try:
            msgspec.json.decode(given)
        except msgspec.DecodeError:
            return msgspec.json.encode(given).decode()
        return given
    return msgspec.json.encode(given, enc_hook=str).decode()


def _headers(given: Mapping[str, str]) -> dict[str, str]:
    for name, value in given.items():
        if not HEADER_NAME.fullmatch(name):
            raise NodeError("validation", f"headers: {name!r} is no name of a header.")
        if name.lower() in OWN_HEADERS:
            raise NodeError("validation", f"headers: {name} is the service's own to set. Leave it out.")
        if not value.isprintable() or not value.isascii():
            raise NodeError("validation", f"headers: the value of {name} holds what a header cannot.")
    return {name.lower(): value for name, value in given.items()}


def _location(url: str) -> str:
    if not url.isascii() or not url.isprintable() or " " in url:
        raise NodeError("validation", "redirect_url: percent-encode what is not plain ASCII in it.")
    if not (url.startswith(("http://", "https://")) or (url.startswith("/") and not url.startswith("//"))):
        raise NodeError("validation", f"redirect_url: {url!r} begins neither with http(s):// nor with /.")
    return url
