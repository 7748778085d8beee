"""The envelope that every answer of the API wears: replies with data, and errors."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, Literal, TypeVar

import msgspec

from app.core.paging import Page
from app.web.cursors import Cursor

T = TypeVar("T")


class Reply(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """An answer that went well."""

    success: Literal[True] = True
    data: T
    message: str | None = None
    meta: dict[str, Any] = {}


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong: a code for programs, a sentence for people, and the id under which it was logged."""

    code: str
    message: str
    details: Any
    request_id: str


class ErrorReply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that did not go well."""

    success: Literal[False] = False
    error: ErrorBody


def reply(data: T, message: str | None = None, **meta: Any) -> Reply[T]:
    """Wrap an answer."""
    return Reply(data=data, message=message, meta=meta)


def page_reply(page: Page[Any], convert: Callable[[Mapping[str, Any]], T], **meta: Any) -> Reply[list[T]]:
    """Wrap one page of a list, each row converted; the cursor leads to the next page, or is null on the last."""
    return Reply(
        data=[convert(item) for item in page.items],
        meta={
            "total": page.total,
            "total_is_estimate": page.total_is_estimate,
            "limit": page.limit,
            "next_cursor": None if page.next is None else Cursor(page.next),
            **meta,
        },
    )
