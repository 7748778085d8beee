"""The query parameters that every list takes: limit, cursor and sort."""

from typing import Annotated, Any

from litestar import Request
from litestar.params import QueryParameter

from app.core.paging import DEFAULT_LIMIT, MAX_LIMIT, PageRequest
from app.web.cursors import read_cursor

Limit = Annotated[int, QueryParameter(ge=1, le=MAX_LIMIT, description="How many entries a page holds at most.")]
CursorText = Annotated[
    str | None,
    QueryParameter(max_length=2048, description="meta.next_cursor of the page before; absent: the first page."),
]
Sort = Annotated[
    str | None, QueryParameter(max_length=64, description="The field to sort by, with - before it for descending.")
]


async def provide_paging(
    request: Request[Any, Any, Any], limit: Limit = DEFAULT_LIMIT, cursor: CursorText = None, sort: Sort = None
) -> PageRequest:
    """Read which page is wanted; raises MalformedError for a cursor that is not ours."""
    secret_key = request.app.state.settings.require_secret_key()
    after = None if cursor is None else read_cursor(secret_key, cursor)
    return PageRequest(limit=limit, sort=sort, after=after)
