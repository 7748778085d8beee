"""Entity tags: a revision as an ETag, and what If-Match and If-None-Match ask of it."""

import re
from typing import Annotated

from litestar.datastructures import ResponseHeader
from litestar.params import HeaderParameter

from app.core.errors import MalformedError

MAX_CHARS = 1000
_TAG = re.compile(r'\s*(?P<weak>W/)?"(?P<text>[^"]*)"\s*(?:,|$)')
IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        max_length=MAX_CHARS,
        description="The ETag that was read; where something changed since, the answer is 409, and nothing is done.",
    ),
]
IfNoneMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-None-Match", max_length=MAX_CHARS, description="An ETag; where it still holds, the answer is 304."
    ),
]
ETAG = ResponseHeader(
    name="ETag",
    documentation_only=True,
    value='"7"',
    description="Changes with every change; send it back as If-Match.",
)


def etag(revision: int) -> dict[str, str]:
    """Return the header that tells a revision."""
    return {"ETag": f'"{revision}"'}


def wanted_revisions(if_match: str | None) -> frozenset[int] | None:
    """Return the revisions that If-Match asks for, or None where any will do; raises MalformedError."""
    if if_match is None or if_match.strip() == "*":
        return None
    return frozenset(_revisions(if_match, "If-Match", weak=False))


def is_known(if_none_match: str | None, revision: int) -> bool:
    """Say whether the caller has a revision already, as If-None-Match tells; raises MalformedError."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or revision in _revisions(if_none_match, "If-None-Match", weak=True)


def _revisions(text: str, header: str, *, weak: bool) -> list[int]:
    """Return the tags that are revisions; others are tags too, and match nothing."""
    place, found = 0, []
    while place < len(text):
        tag = _TAG.match(text, place)
        if tag is None:
            raise MalformedError(f'{header} {text!r} is neither * nor one or more ETags, each in quotes: "7".')
        if tag["text"].isascii() and tag["text"].isdigit() and (weak or not tag["weak"]):
            found.append(int(tag["text"]))
        place = tag.end()
    return found
