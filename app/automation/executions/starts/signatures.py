"""Whether a webhook's sender knows its secret: pure checks of a request that came in, in constant time."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tasks.trigger import WebhookTriggerParams

GITHUB_HEADER = "X-Hub-Signature-256"
PREFIX = "sha256="
BEARER = "bearer "
MOST_DIGITS = 11
SECRET_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token", "x-hub-signature"}
)
"""Headers that never reach a workflow, whatever its trigger looks for."""


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """A request as it came in; ``headers`` by lower-case name."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, str | list[str]]
    body: bytes
    at: datetime


def is_genuine(params: WebhookTriggerParams, incoming: Incoming, secret: str) -> bool:
    """Say whether the request bears the secret, or a signature made with it."""
    if params.authentication == "token":
        given = _header(incoming, params.token_header)
        given = given[len(BEARER) :].strip() if given.lower().startswith(BEARER) else given
        return hmac.compare_digest(given.encode(), secret.encode())
    message = incoming.body
    if params.authentication == "hmac":
        message = _header(incoming, params.timestamp_header).encode() + b"." + incoming.body
    expected = hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
    return hmac.compare_digest(_signature(params, incoming).encode(), expected.encode())


def is_timely(params: WebhookTriggerParams, incoming: Incoming) -> bool:
    """Say whether a genuine request's timestamp, where it bears one, lies within the window."""
    if params.authentication != "hmac":
        return True
    text = _header(incoming, params.timestamp_header)
    if not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS):
        return False
    return abs(incoming.at.timestamp() - int(text)) <= params.replay_window_s


def replay_hash(params: WebhookTriggerParams, incoming: Incoming) -> str | None:
    """Return what a repetition of the request would share with it; a token is the same each time and tells nothing."""
    if params.authentication == "token":
        return None
    return hashlib.sha256(f"{params.path}\n{_signature(params, incoming)}".encode()).hexdigest()


def public_headers(params: WebhookTriggerParams, incoming: Incoming) -> dict[str, str]:
    """Return the headers that a workflow may see: those without secrets and signatures."""
    hidden = {name.lower() for name in (GITHUB_HEADER, params.signature_header, params.token_header)} | SECRET_HEADERS
    return {name: value for name, value in incoming.headers.items() if name not in hidden}


def _signature(params: WebhookTriggerParams, incoming: Incoming) -> str:
    name = GITHUB_HEADER if params.authentication == "github" else params.signature_header
    return _header(incoming, name).removeprefix(PREFIX).lower()


def _header(incoming: Incoming, name: str) -> str:
    return incoming.headers.get(name.lower(), "")
