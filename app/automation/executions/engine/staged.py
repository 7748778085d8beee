"""Staged rounds: a loop that runs once and holds device nodes is parked while the stages of each round run."""

from collections.abc import Sequence
from typing import Any

import msgspec
from nornir.core.task import Result

from app.automation.executions import records
from app.automation.executions.engine import rounds
from app.automation.executions.engine.walker import Walker
from app.automation.executions.progress import Round
from app.automation.executions.records import ROUND, NodeRecord, iteration_of
from app.core.database import patiently
from tasks.errors import NodeError
from tasks.parking import Park


def go(walker: Walker, loop_id: str, rules: rounds.Rules) -> Result | None:
    """Look how the round ended that was waited for, and end or wait for the next; None while there is one."""
    ended = _ended_round(walker, loop_id)
    if ended is not None and ended >= len(rules.rounds):
        message = f"There are {len(rules.rounds)} rounds by now, and round {ended} has run: the items must not change."
        raise NodeError("expression", message)
    if ended is None and not rules.rounds:
        return rounds.go_nowhere(walker, loop_id)
    if ended is not None:
        over = rounds.end_of(walker, loop_id, ended, _failures(walker, loop_id, ended), rules, [])
        if over is not None or ended == len(rules.rounds) - 1:
            branch = getattr(over, "branch", "done")
            told = {**(over.result if over else {}), "results": _account(walker, loop_id, rules.rounds[: ended + 1])}
            return Result(host=None, result=told, branch=branch)
    _wait_for(walker, loop_id, 0 if ended is None else ended + 1, rules)
    return None


def _wait_for(walker: Walker, loop_id: str, index: int, rules: rounds.Rules) -> None:
    opened = Round(
        loop=loop_id,
        index=index,
        item=rules.rounds[index],
        is_loop=walker.performance.course.is_loop(loop_id),
        forgiven=rounds.is_forgiven(walker, loop_id, index, rules),
    )
    walker.park(loop_id, Park(due_at=None, body={ROUND: msgspec.to_builtins(opened)}))


def _ended_round(walker: Walker, loop_id: str) -> int | None:
    parked = walker.performance.parked.get((loop_id, walker.place.key, walker.place.iteration))
    return None if parked is None else int(parked.body[ROUND]["index"])


def _failures(walker: Walker, loop_id: str, index: int) -> list[NodeRecord]:
    """Return the failures of a round that nothing in it handled."""
    course = walker.performance.course
    found = _failed_rows(walker, loop_id, iteration_of(walker.place.iteration, loop_id, index))
    counting = [row for row in found if row["status"] == "unknown" or not course.handles_failure(row["node_id"])]
    return [
        NodeRecord(
            node_id=row["node_id"],
            host_key=row["host_key"],
            host_name=row["device_name"],
            status=row["status"],
            started_at=row["started_at"],
            error_class=row["error_class"],
            message=f"{row['device_name']}: {row['error_message']}" if row["device_name"] else row["error_message"],
        )
        for row in counting
    ]


def _account(walker: Walker, loop_id: str, items: Sequence[Any]) -> list[dict[str, Any]]:
    """Say of each round how it ended, and which devices failed in it."""
    course = walker.performance.course
    failed: dict[str, list[dict[str, Any]]] = {}
    for row in _failed_rows(walker, loop_id, None):
        if row["status"] == "unknown" or not course.handles_failure(row["node_id"]):
            failed.setdefault(row["iteration"], []).append(row)
    told = []
    for index, item in enumerate(items):
        rows = failed.get(iteration_of(walker.place.iteration, loop_id, index), [])
        error = {"class": rows[0]["error_class"], "message": rows[0]["error_message"]} if rows else None
        names = sorted({row["device_name"] for row in rows if row["device_name"]})
        status = "failed" if rows else "success"
        told.append({"index": index, "item": item, "status": status, "error": error, "failed": names})
    return told


def _failed_rows(walker: Walker, loop_id: str, iteration: str | None) -> list[dict[str, Any]]:
    performance = walker.performance
    body, execution_id = performance.course.plan.loops[loop_id], performance.claim.execution_id
    return performance.db.run(patiently(lambda: records.load_failures(execution_id, body, iteration)))
