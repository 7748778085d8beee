"""What a request carries along: its id and the address it came from."""

from contextvars import ContextVar
from dataclasses import dataclass

from app.core.clock import uuid7


@dataclass(frozen=True)
class RequestContext:
    """The request (or queue job, or command) in hand: every log line, audit row and queue job carries its id."""

    request_id: str
    address: str = ""


_context: ContextVar[RequestContext | None] = ContextVar("request_context", default=None)


def current() -> RequestContext:
    """Return the context in hand, or a new one where nobody set any."""
    context = _context.get()
    if context is None:
        context = RequestContext(str(uuid7()))
        _context.set(context)
    return context


def enter(context: RequestContext) -> None:
    """Make a context the current one for this task or thread."""
    _context.set(context)
