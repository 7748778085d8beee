"""The tags that workflows bear, counted."""

from app.core import database
from app.core.errors import ValidationError
from app.core.paging import COUNT_EXACT_TO, Page, PageRequest, Position

ORDER = "name"
_PAGE = """
    SELECT tag.name, count(DISTINCT id) AS count FROM workflows, jsonb_array_elements_text(tags) AS tag (name)
    WHERE $1::text IS NULL OR tag.name > $1 GROUP BY tag.name ORDER BY tag.name LIMIT $2
"""
_TOTAL = """
    SELECT count(*) AS total FROM (
        SELECT DISTINCT tag.name FROM workflows, jsonb_array_elements_text(tags) AS tag (name) LIMIT $1
    ) AS bounded
"""


async def list_tags(request: PageRequest) -> Page[dict[str, object]]:
    """Return one page of tags, by name, each with how many workflows bear it."""
    if request.sort not in {None, ORDER}:
        raise ValidationError.of("sort", f"tags are sorted by {ORDER}")
    after = None if request.after is None else str(request.after.value)
    rows = await database.fetch(_PAGE, after, request.limit + 1)
    counted = await database.fetch(_TOTAL, COUNT_EXACT_TO + 1)
    total, items = counted[0]["total"], rows[: request.limit]
    more = len(rows) > request.limit
    return Page(
        items=items,
        total=min(total, COUNT_EXACT_TO),
        total_is_estimate=total > COUNT_EXACT_TO,
        limit=request.limit,
        next=Position(sort=ORDER, value=items[-1]["name"], id="") if more else None,
    )
