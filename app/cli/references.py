"""From what people call a thing to its id: a name, or the id itself."""

from typing import Any
from uuid import UUID

from app.cli.client import Api
from app.core.errors import NotFoundError


def is_id(reference: str) -> bool:
    """Say whether a reference is an id rather than a name."""
    try:
        UUID(reference)
    except ValueError:
        return False
    return True


def find(api: Api, path: str, reference: str, *, what: str) -> dict[str, Any]:
    """Return the entry of a list that has this id or this exact name; raises NotFoundError."""
    if is_id(reference):
        found: dict[str, Any] = api.get(f"{path}/{reference}")
        return found
    for entry in api.entries(path, name=reference, at_most=1):
        return entry
    raise NotFoundError(f"There is no {what} named {reference!r} at {api.url}.")
