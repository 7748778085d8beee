"""Waiting without a worker: what a node returns that cannot end yet, and how it finds out since when it waits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from nornir.core.task import Result

AWAITS_RESUME, RESUMED_WITH = "awaits_resume", "resumed_with"
"""In a parked node's body: that it waits to be resumed, and the data that it was resumed with."""


@dataclass(frozen=True, kw_only=True)
class Park:
    """A wish to be run again: at a time (or, without one, when somebody wakes the node), with what it knew."""

    due_at: datetime | None
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Parked:
    """What is known of a node that was parked: since when it waits, and what it knew then."""

    since: datetime
    body: Mapping[str, Any] = field(default_factory=dict)


def park(due_at: datetime | None, body: Mapping[str, Any] | None = None) -> Result:
    """Return what tells the engine to run the node again later; only a node type that ``parks`` may."""
    return Result(host=None, park=Park(due_at=due_at, body=dict(body or {})))


def await_resume(due_at: datetime | None) -> Result:
    """Return what parks a node until somebody resumes it, or until a time."""
    return park(due_at, {AWAITS_RESUME: True})


def resumed_with(parked: Parked | None) -> Mapping[str, Any] | None:
    """Return the data that a parked node was resumed with, or None while nobody has."""
    return None if parked is None else parked.body.get(RESUMED_WITH)


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)
