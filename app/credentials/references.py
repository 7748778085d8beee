"""What refers to a credential: areas above the vault say how to find out, so that none is deleted from under them."""

from collections.abc import Awaitable, Callable
from typing import TypedDict
from uuid import UUID


class Reference(TypedDict):
    """Something that would miss a credential: its kind, its id and its name."""

    type: str
    id: str
    name: str


Finder = Callable[[UUID], Awaitable[list[Reference]]]

_finders: list[Finder] = []


def finds_references(finder: Finder) -> Finder:
    """Declare a function as one that finds references to a credential; each is asked before a deletion."""
    if finder not in _finders:
        _finders.append(finder)
    return finder


async def references_to(credential_id: UUID) -> list[Reference]:
    """Return everything that refers to a credential."""
    return [reference for finder in _finders for reference in await finder(credential_id)]
