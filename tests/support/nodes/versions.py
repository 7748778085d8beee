"""Node types that have changed since they were first used."""

from typing import Any

from nornir.core.task import Result

from tasks.node import Handle, Params, node, outcome


class PauseParams(Params, frozen=True, kw_only=True):
    """How long; minutes in version 1, seconds in version 2."""

    length_s: int = 0


class RenamedParams(Params, frozen=True, kw_only=True):
    """What was called old in version 1."""

    new: str


def to_seconds(parameters: dict[str, Any]) -> dict[str, Any]:
    """Count in seconds what was counted in minutes."""
    return {"seconds": abs(parameters["minutes"]) * 60} if "minutes" in parameters else parameters


def to_length(parameters: dict[str, Any]) -> dict[str, Any]:
    """Rename seconds."""
    return {"length_s": parameters["seconds"]} if "seconds" in parameters else parameters


@node(
    "lab:pause",
    name="Pause",
    category="lab",
    scope="follow",
    version=3,
    migrations={1: to_seconds, 2: to_length},
    outputs=(Handle("length_s", "number"),),
)
def pause(params: PauseParams) -> Result:
    """Tell how long it would pause."""
    return outcome({"length_s": params.length_s})


@node("lab:renamed", name="Renamed", category="lab", scope="follow", version=2, outdated="Its old is called new now.")
def renamed(params: RenamedParams) -> Result:
    """Tell what is new."""
    return outcome({"new": params.new})
