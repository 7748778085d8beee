"""The words for how a node, a host and an execution stand, and how one follows from the other."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from tasks.errors import NOTHING_SENT, NodeError

ResultStatus = Literal["success", "failed", "skipped", "unknown", "cancelled"]
NodeStatus = Literal["pending", "running", "waiting", "success", "failed", "skipped", "cancelled", "unknown"]
ExecutionStatus = Literal["queued", "running", "waiting", "success", "partial", "failed", "cancelled", "timeout"]

TriggerKind = Literal["manual", "node", "webhook", "event", "schedule", "workflow", "rerun"]

ENDED: frozenset[str] = frozenset({"success", "partial", "failed", "cancelled", "timeout"})
CERTAIN: frozenset[str] = NOTHING_SENT | {"config_rejected", "upstream", "parse"}
"""Error classes after which it is known whether a change took effect: it did not, or the other side said so."""
COUNTED = ("succeeded", "failed", "skipped", "unknown", "cancelled")
COUNTER = {
    "success": "succeeded",
    "failed": "failed",
    "skipped": "skipped",
    "unknown": "unknown",
    "cancelled": "cancelled",
}

STOPPED: dict[str, ExecutionStatus] = {
    "cancelled": "cancelled",
    "timeout": "timeout",
    "max_failed": "failed",
    "broken": "failed",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a node on a host."""

    status: ResultStatus
    error_class: str = ""
    message: str = ""


def judge(error: BaseException | None, *, intended: bool, cancelled: bool) -> Verdict:
    """Judge a node's end: an error after a change was begun leaves its effect unknown, unless the error settles it."""
    if error is None:
        return Verdict("success")
    error_class = error.error_class if isinstance(error, NodeError) else "internal"
    message = error.message if isinstance(error, NodeError) else f"{type(error).__name__}: {error}"
    if intended and error_class not in CERTAIN:
        return Verdict("unknown", error_class, f"{message} The change may have taken effect: look at the device.")
    if cancelled:
        return Verdict("cancelled", "cancelled", f"Cancelled. {message}" if message else "Cancelled.")
    return Verdict("failed", error_class, message)


def node_status(
    counts: Mapping[str, int], *, expected: int, started: bool, execution_ended: bool, waiting: bool = False
) -> NodeStatus:
    """Say how a node stands over all its hosts; it waits where every host that is in it is parked there."""
    done = sum(counts[name] for name in COUNTED)
    if done < expected and not execution_ended:
        if waiting:
            return "waiting"
        return "running" if started else "pending"
    for name, status in (("unknown", "unknown"), ("failed", "failed"), ("cancelled", "cancelled")):
        if counts[name]:
            return status  # type: ignore[return-value]
    return "success" if counts["succeeded"] else "skipped"


def execution_status(hosts: Mapping[str, int], once: Collection[str], *, stop_reason: str = "") -> ExecutionStatus:
    """Say how an execution ended, from its hosts' statuses (counted) and those of its unhandled once nodes.

    ``stop_reason`` says why it was stopped, if it was: that counts where something was left undone for it.
    """
    bad = hosts.get("failed", 0) + hosts.get("unknown", 0)
    if stop_reason and (hosts.get("cancelled", 0) or "cancelled" in once):
        return STOPPED[stop_reason]
    if "failed" in once or "unknown" in once:
        return "failed"
    if bad and hosts.get("success", 0):
        return "partial"
    return "failed" if bad else "success"
