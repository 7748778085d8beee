"""Staged rounds: a loop that runs once and holds device nodes is parked while the stages of each round run."""

from collections.abc import Sequence
from dataclasses import replace
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


def _failures(walker: Walker, loop_id: str, index: int | None) -> list[NodeRecord]:
    """Return the failures of a round (or of all) that nothing in it handled."""
    performance = walker.performance
    body, execution_id = performance.course.plan.loops[loop_id], performance.claim.execution_id
    iteration = None if index is None else iteration_of(walker.place.iteration, loop_id, index)
    found = performance.db.run(patiently(lambda: records.load_failures(execution_id, body, iteration)))
    handles = performance.course.handles_failure
    return [_naming_its_host(record) for record in found if record.status == "unknown" or not handles(record.node_id)]


def _naming_its_host(record: NodeRecord) -> NodeRecord:
    return replace(record, message=f"{record.host_name}: {record.message}") if record.host_name else record


def _account(walker: Walker, loop_id: str, items: Sequence[Any]) -> list[dict[str, Any]]:
    """Say of each round how it ended, and which devices failed in it."""
    failed: dict[str, list[NodeRecord]] = {}
    for record in _failures(walker, loop_id, None):
        failed.setdefault(record.iteration, []).append(record)
    told = []
    for index, item in enumerate(items):
        here = failed.get(iteration_of(walker.place.iteration, loop_id, index), [])
        error = here[0].error() if here else None
        names = sorted({record.host_name for record in here if record.host_name})
        status = "failed" if here else "success"
        told.append({"index": index, "item": item, "status": status, "error": error, "failed": names})
    return told
