"""Cursors: the position a page ended at, signed, so that a client can hand it back but not make one up."""

import msgspec

from app.core.crypto import sign, unsign
from app.core.errors import MalformedError
from app.core.paging import Position

PURPOSE = "cursor"


class Cursor:
    """A position on its way out; the application's encoder signs it."""

    __slots__ = ("position",)

    def __init__(self, position: Position) -> None:
        self.position = position


def write_cursor(secret_key: str, cursor: Cursor) -> str:
    """Return a cursor as the client sees it."""
    return sign(secret_key, PURPOSE, msgspec.json.encode(cursor.position))


def read_cursor(secret_key: str, text: str) -> Position:
    """Return the position that a cursor of ours holds; raises MalformedError for any other text."""
    payload = unsign(secret_key, PURPOSE, text)
    if payload is None:
        raise MalformedError("The cursor is not one of ours. Use meta.next_cursor of the page before, as it is.")
    return msgspec.json.decode(payload, type=Position)
