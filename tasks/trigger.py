"""Nodes that start a workflow."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from nornir.core.task import Result

from tasks.context import NodeContext
from tasks.node import Handle, Params, Verbatim, node, outcome

Method = Literal["GET", "POST", "PUT", "DELETE"]
EventName = Literal["device.created", "device.changed", "device.deleted", "execution.finished"]
NEVER = {"evaluate": "never"}
"""For parameters that are read when nothing has been evaluated yet: a trigger has not run when it decides."""
HEADER = "^[A-Za-z0-9-]{1,64}$"
MAX_PATH_CHARS = 200
PATH = "^/?[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*/?$"


class ManualTriggerParams(Params, frozen=True, kw_only=True):
    """What the start is called."""

    name: Annotated[str, Meta(max_length=200, description="A name for this way of starting.")] = "Manual Start"


class WebhookTriggerParams(Params, frozen=True, kw_only=True):
    """Where the webhook is, how its sender proves himself, and what he is answered."""

    path: Annotated[
        Verbatim,
        Meta(
            pattern=PATH,
            max_length=MAX_PATH_CHARS,
            description="Behind /automation/v1/webhooks/; one workflow's alone.",
        ),
    ]
    methods: Annotated[
        list[Method], Meta(min_length=1, max_length=4, extra=NEVER, description="HTTP methods it takes, else POST.")
    ] = msgspec.field(default_factory=lambda: ["POST"])
    authentication: Annotated[
        Literal["hmac", "github", "token"],
        Meta(
            description="hmac: an HMAC-SHA-256 over the timestamp, a dot and the body; github: one over the body alone "
            "in X-Hub-Signature-256; token: the secret itself in a header."
        ),
    ] = "hmac"
    credential: Annotated[
        Verbatim,
        Meta(
            min_length=1,
            max_length=150,
            description="Name or id of the api_key credential whose token (or else api_key) is the secret.",
        ),
    ]
    signature_header: Annotated[Verbatim, Meta(pattern=HEADER, description="Where hmac finds the signature.")] = (
        "X-Signature"
    )
    timestamp_header: Annotated[
        Verbatim, Meta(pattern=HEADER, description="Where hmac finds the time, in seconds since 1970.")
    ] = "X-Timestamp"
    token_header: Annotated[Verbatim, Meta(pattern=HEADER, description="Where token finds the secret.")] = (
        "X-Webhook-Token"  # noqa: S105 — a header's name
    )
    replay_window_s: Annotated[
        int,
        Meta(
            ge=10, le=3600, description="How old or early a timestamp may be, and how long no signature counts twice."
        ),
    ] = 300
    targets: Annotated[
        dict[str, Any] | None, Meta(extra=NEVER, description="The devices it runs on, as for a start by the API.")
    ] = None
    response_mode: Annotated[
        Literal["immediately", "last_node", "respond_node"],
        Meta(
            description="Answer once it has started, with the outputs of the last once node, or with what an "
            "http:respond-webhook says."
        ),
    ] = "immediately"


class EventTriggerParams(Params, frozen=True, kw_only=True):
    """Which events start it, under which condition, and on which devices."""

    events: Annotated[
        list[EventName], Meta(min_length=1, max_length=4, extra=NEVER, description="The events it listens for.")
    ]
    filter: Annotated[
        Verbatim,
        Meta(max_length=2000, description="An expression over `event`; where it is false nothing starts."),
    ] = ""
    targets: Annotated[
        Literal["event"] | dict[str, Any] | None,
        Meta(extra=NEVER, description='"event": the device it is about; or targets as for a start by the API.'),
    ] = None


@node(
    "trigger:manual",
    name="Manual Start",
    category="Triggers",
    scope="once",
    icon="play",
    color="#16a34a",
    is_trigger=True,
)
def trigger_manual(context: NodeContext, params: ManualTriggerParams) -> Result:
    """Start a workflow by hand, by the API or by the command line."""
    del context, params
    return outcome()


@node(
    "trigger:webhook",
    name="Webhook",
    category="Triggers",
    scope="once",
    icon="webhook",
    color="#16a34a",
    aliases=("http:webhook-trigger",),
    outputs=(
        Handle("body", "any", "What was sent: JSON and forms are read, other text is text."),
        Handle("headers", "object", "The request's headers by lower-case name, without those that bear secrets."),
        Handle("query", "object", "The query's parameters; one that came twice is an array."),
        Handle("method", "string", "The HTTP method."),
    ),
    prerequisites=("credential:api_key",),
    is_trigger=True,
)
def trigger_webhook(context: NodeContext, params: WebhookTriggerParams) -> Result:
    """Start a workflow by an HTTP request whose sender proves that he knows a secret."""
    del context, params
    return outcome()


@node(
    "trigger:event",
    name="Event",
    category="Triggers",
    scope="once",
    icon="zap",
    color="#16a34a",
    outputs=(Handle("event", "object", "What happened: name, at, and the device or the execution it is about."),),
    is_trigger=True,
)
def trigger_event(context: NodeContext, params: EventTriggerParams) -> Result:
    """Start a workflow when something has happened: a device changed, an execution finished."""
    del context, params
    return outcome()
