"""Carries an HTTP request to its answer, over redirects and further tries, each of them past the outbound guard."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from tasks import outbound
from tasks.context import NodeContext
from tasks.errors import NOTHING_SENT, NodeError
from tasks.outbound import Answer, Outgoing

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, 9.2.1)."""
IDEMPOTENT = SAFE | {"PUT", "DELETE"}
"""Methods that may be sent again (RFC 9110, 9.2.2)."""
MOVED = frozenset({301, 302, 303, 307, 308})
SEE_OTHER = 303
TO_GET = frozenset({301, 302, SEE_OTHER})
"""Redirects that turn a POST into a GET."""
TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500
HOPELESS = frozenset({501, 505})
"""Server errors that another try would only repeat."""
CARRIED_ABROAD = frozenset({"accept", "accept-language"})
"""Headers that follow a redirect to another host; all others may hold a secret."""
LONGEST_ANSWER_BYTES = 10_000_000
LONGEST_WAIT_S = 60.0
FIRST_WAIT_S = 1.0
SLICE_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Message:
    """What is to be sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How it may be carried: for how long, how often, and whether it changes anything where it arrives."""

    timeout_s: float
    max_redirects: int = 0
    max_retries: int = 0
    safe: bool = True
    repeatable: bool = True


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """What came back, from where, and what it took."""

    answer: Answer
    url: httpx.URL
    attempts: int
    elapsed_ms: int

    @property
    def host(self) -> str:
        """Return where the answer came from, as messages name it."""
        return self.url.netloc.decode("ascii")


def carry_out(context: NodeContext, message: Message, terms: Terms) -> Exchange:
    """Send a message and return the answer, whatever its status; raises NodeError where there is none.

    The intent is told once, before the first byte of a message that may change something. An answer of 429 or 5xx to
    a message that may be repeated is waited out, as long as Retry-After says, at most a minute.
    """
    outgoing = prepared(context, message)
    if not terms.safe:
        context.before_change([f"{message.method} {outgoing.url}"])
    begun_at = time.monotonic()
    attempt = 1
    answer, url = _followed(context, message, outgoing, terms)
    while attempt <= terms.max_retries and terms.repeatable and _may_pass(answer.status):
        delay_s = _delay_s(answer, attempt)
        if delay_s > LONGEST_WAIT_S:
            break
        _wait(context, delay_s)
        attempt += 1
        try:
            answer, url = _followed(context, message, outgoing, terms)
        except NodeError as error:
            raise _after_an_answer(error, f"{url.netloc.decode('ascii')} answered {answer.status} before.") from error
    elapsed_ms = round((time.monotonic() - begun_at) * 1000)
    return Exchange(answer=answer, url=url, attempts=attempt, elapsed_ms=elapsed_ms)


def prepared(context: NodeContext, message: Message) -> Outgoing:
    """Check a message and resolve where it goes; raises NodeError of class validation or dns."""
    return outbound.prepare(
        message.method, message.url, headers=message.headers, content=message.content, allow=context.outbound_allow
    )


def _followed(context: NodeContext, message: Message, outgoing: Outgoing, terms: Terms) -> tuple[Answer, httpx.URL]:
    """Send a message, and follow where its answer redirects to."""
    answer = _sent(context, outgoing, terms)
    followed = 0
    while terms.max_redirects:
        redirected = _redirected(message, outgoing.url, answer)
        if redirected is None:
            break
        if followed == terms.max_redirects:
            raise NodeError("upstream", f"{outgoing.url.host} redirects once more, after {followed} times. Stopped.")
        followed += 1
        origin, message = outgoing.url.host, redirected
        try:
            outgoing = prepared(context, message)
            answer = _sent(context, outgoing, terms)
        except NodeError as error:
            raise _after_an_answer(error, f"{origin} redirects to {message.url}.") from error
    return answer, outgoing.url


def _sent(context: NodeContext, outgoing: Outgoing, terms: Terms) -> Answer:
    if context.cancelled():
        raise NodeError("cancelled", f"Stopped before {outgoing.method} {outgoing.url}.")
    return outbound.send(outgoing, terms.timeout_s, limit_bytes=LONGEST_ANSWER_BYTES, parse=False)


def _after_an_answer(error: NodeError, story: str) -> NodeError:
    """Return an error that does not claim that nothing was sent, since an earlier message was."""
    error_class = "upstream" if error.error_class in NOTHING_SENT else error.error_class
    return NodeError(error_class, f"{story} {error.message}")


def _redirected(message: Message, url: httpx.URL, answer: Answer) -> Message | None:
    """Return the message that an answer asks for, or None where it asks for none that may be sent.

    A message that changes something is never sent on: it may only turn into a GET.
    """
    location = answer.headers.get("location")
    if answer.status not in MOVED or not location:
        return None
    safe = message.method in SAFE
    if not safe and answer.status not in ({SEE_OTHER} if message.method != "POST" else TO_GET):
        return None
    target = _target(url, location)
    headers = message.headers
    if (target.scheme, target.host, target.port) != (url.scheme, url.host, url.port):
        headers = {name: value for name, value in headers.items() if name.lower() in CARRIED_ABROAD}
    if safe:
        return replace(message, url=str(target), headers=headers)
    kept = {name: value for name, value in headers.items() if not name.lower().startswith("content-")}
    return Message(method="GET", url=str(target), headers=kept)


def _target(url: httpx.URL, location: str) -> httpx.URL:
    try:
        target = url.join(location)
    except (httpx.InvalidURL, ValueError) as error:
        raise NodeError("upstream", f"{url.host} redirects to what is no address: {error}. Correct the url.") from error
    if url.scheme == "https" and target.scheme == "http":
        message = f"{url.host} redirects from https to http, where all could read it; that is not followed."
        raise NodeError("upstream", message)
    return target


def _may_pass(status: int) -> bool:
    """Say whether a status may be another one later."""
    return status == TOO_MANY_REQUESTS or (status >= SERVER_ERROR and status not in HOPELESS)


def _delay_s(answer: Answer, attempt: int) -> float:
    """Return how long to wait: what Retry-After says (RFC 9110, 10.2.3), else a second, then twice as long each."""
    asked = answer.headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdigit():
        return float(asked[:9])
    try:
        moment = parsedate_to_datetime(asked)
    except ValueError:
        return FIRST_WAIT_S * 2.0 ** (attempt - 1)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())


def _wait(context: NodeContext, delay_s: float) -> None:
    until = time.monotonic() + delay_s
    while (left_s := until - time.monotonic()) > 0:
        if context.cancelled():
            raise NodeError("cancelled", "Stopped while waiting to try again.")
        time.sleep(min(SLICE_S, left_s))
