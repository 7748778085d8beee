"""Two executions compared: device by device, what came out otherwise than before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import anyio
import msgspec

from app.automation.executions import reading
from app.automation.executions.diffing import Comparison, compare
from app.automation.executions.records import ONCE
from app.automation.executions.redaction import redact
from app.automation.executions.results import REVEAL
from app.automation.executions.schemas import (
    ChangeRead,
    DeviceDifference,
    DeviceRef,
    ErrorRead,
    NodeDifference,
    SideRead,
)
from app.automation.executions.statuses import ENDED
from app.core import database
from app.core.access import Principal
from app.core.errors import ConflictError, MalformedError, NotFoundError, ValidationError
from app.core.paging import Page, PageRequest, Position

ORDER = "host_key"
BATCH_HOSTS = 50
MAX_BATCHES = 20
"""A page ends after so many batches even where few devices differ; its cursor leads on."""
MAX_OUTPUT_BYTES = 2 * 1024 * 1024
"""Larger outputs are said to differ, not compared."""
FIELDS = "id, status, branch, changed, error_class, error_message, outputs, output_hash, diff"
PAIRS = """
    SELECT host_key, node_id, iteration, coalesce(after.device_id, before.device_id) AS device_id,
        coalesce(after.device_name, before.device_name) AS device_name, {fields},
        (SELECT max(size_bytes) FROM output_blobs WHERE hash IN (before.output_hash, after.output_hash)) AS largest
    FROM (SELECT * FROM device_results WHERE execution = $1 AND host_key = ANY($3) AND node_id = ANY($4)) AS before
    FULL JOIN (SELECT * FROM device_results WHERE execution = $2 AND host_key = ANY($3) AND node_id = ANY($4)) AS after
        USING (host_key, node_id, iteration)
    WHERE $5 OR ({before}) IS DISTINCT FROM ({after})
    ORDER BY host_key, coalesce(after.started_at, before.started_at), node_id, iteration
"""
HOSTS = "SELECT host_key FROM execution_hosts WHERE execution = ANY($1)"


@dataclass(frozen=True, kw_only=True)
class Question:
    """Which executions are compared, and what of them: a device (name or id), a node, also what is the same."""

    before: UUID
    after: UUID
    device: str | None = None
    node: str | None = None
    same_too: bool = False


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What two executions have in common to be compared by."""

    same_workflow: bool
    nodes: list[str]
    only_before: list[str]
    only_after: list[str]

    def meta(self) -> dict[str, Any]:
        """Return it as a page's meta tells it."""
        return {
            "same_workflow": self.same_workflow,
            "nodes": self.nodes,
            "nodes_only_before": self.only_before,
            "nodes_only_after": self.only_after,
        }


async def compare_executions(
    question: Question, request: PageRequest, reader: Principal
) -> tuple[Page[DeviceDifference], Ground]:
    """Return one page of devices whose results differ (or of all), and what was compared.

    Raises ValidationError when the two have nothing in common, ConflictError while one of them runs.
    """
    ground = await _ground(question)
    keys = await _keys(question)
    position = _start(request)
    wanted = [key for key in keys if key > position]
    found: list[DeviceDifference] = []
    nodes = ground.nodes if question.node is None else [question.node]
    for start in range(0, min(len(wanted), BATCH_HOSTS * MAX_BATCHES), BATCH_HOSTS):
        if len(found) >= request.limit:
            break
        batch = wanted[start : start + BATCH_HOSTS]
        rows = await _pairs(question, batch, nodes)
        for key in batch:
            of_host = [row for row in rows if row["host_key"] == key]
            found += await _device(of_host, reader, same_too=question.same_too)
            position = key
            if len(found) >= request.limit:
                break
    more = bool(wanted) and position != wanted[-1]
    after = Position(sort=ORDER, value=position, id=position) if more else None
    return Page(items=found, total=len(keys), limit=request.limit, next=after), ground


async def _ground(question: Question) -> Ground:
    if question.before == question.after:
        raise ValidationError.of("other", "it is the same execution; name another one to compare it with")
    before, after = await _execution(question.before), await _execution(question.after)
    shared = [node_id for node_id in before["nodes"] if node_id in after["nodes"]]
    if not set(shared) - {before["trigger_node"], after["trigger_node"]}:
        raise ValidationError.of(
            "other",
            f"the executions have no node in common ({before['workflow_name']} has {', '.join(before['nodes'])}; "
            f"{after['workflow_name']} has {', '.join(after['nodes'])}), so there is nothing to compare",
        )
    if question.node is not None and question.node not in shared:
        raise ValidationError.of("node", f"{question.node!r} is not in both executions; these are: {', '.join(shared)}")
    return Ground(
        same_workflow=before["workflow_id"] == after["workflow_id"] and before["workflow_id"] is not None,
        nodes=shared,
        only_before=[node_id for node_id in before["nodes"] if node_id not in shared],
        only_after=[node_id for node_id in after["nodes"] if node_id not in shared],
    )


async def _execution(execution_id: UUID) -> dict[str, Any]:
    row = await database.fetch_one(
        """
        SELECT workflow_id, workflow_name, status,
            (SELECT coalesce(array_agg(node_id ORDER BY position), '{}') FROM node_executions
                WHERE execution = $1) AS nodes
        FROM executions WHERE id = $1
        """,
        execution_id,
    )
    if row is None:
        raise NotFoundError(f"There is no execution {execution_id}.", code="EXECUTION_NOT_FOUND")
    if row["status"] not in ENDED:
        raise ConflictError(
            f"The execution {execution_id} is {row['status']}: its results are not complete. Compare it when it ended.",
            code="EXECUTION_RUNNING",
        )
    return {**row, "trigger_node": row["nodes"][0] if row["nodes"] else None}


async def _keys(question: Question) -> list[str]:
    """Return the keys of the hosts to compare, and of what runs once; raises where the executions share no device."""
    both = [question.before, question.after]
    if question.device is not None:
        rows = await database.fetch(f"{HOSTS} AND (name = $2 OR host_key = $2)", both, question.device)
        if not rows:
            raise ValidationError.of("device", f"neither execution has a device {question.device!r}")
        return sorted({row["host_key"] for row in rows})
    before, after = [{row["host_key"] for row in await database.fetch(HOSTS, [one])} for one in both]
    if before and after and not before & after:
        raise ValidationError.of("other", "the executions have no device in common, so there is nothing to compare")
    return sorted(before | after | {ONCE})


def _start(request: PageRequest) -> str:
    if request.sort is not None:
        raise ValidationError.of("sort", "a comparison has one order, that of its devices' ids; leave sort out")
    if request.after is None:
        return ""
    if request.after.sort != ORDER:
        raise MalformedError("The cursor belongs to another list.")
    return str(request.after.value)


async def _pairs(question: Question, keys: Sequence[str], nodes: Sequence[str]) -> list[dict[str, Any]]:
    names = FIELDS.split(", ")
    sides = {side: [f"{side}.{name}" for name in names] for side in ("before", "after")}
    sql = PAIRS.format(
        fields=", ".join(f"{side}.{name} AS {side}_{name}" for side in sides for name in names),
        **{
            side: ", ".join(column for column in columns if not column.endswith(".id"))
            for side, columns in sides.items()
        },
    )
    return await database.fetch(sql, question.before, question.after, list(keys), list(nodes), question.same_too)


async def _device(rows: Sequence[Mapping[str, Any]], reader: Principal, *, same_too: bool) -> list[DeviceDifference]:
    nodes = [await _node(row, reader) for row in rows]
    shown = [node for node in nodes if same_too or _differs(node)]
    if not shown:
        return []
    first = rows[0]
    once = first["host_key"] == ONCE
    device = None if once else DeviceRef(id=first["device_id"], name=first["device_name"])
    return [DeviceDifference(device=device, nodes=shown)]


async def _node(row: Mapping[str, Any], reader: Principal) -> NodeDifference:
    before, after = _side(row, "before"), _side(row, "after")
    outputs, diff, too_large = Comparison(changes=()), Comparison(changes=()), False
    if before is not None and after is not None:
        values = [await _outputs(row, side, reader) for side in ("before", "after")]
        too_large = row["before_output_hash"] != row["after_output_hash"] and None in values
        texts = [_visible(row[f"{side}_diff"], reader) for side in ("before", "after")]
        if not too_large:
            outputs = await anyio.to_thread.run_sync(partial(compare, *values))
        diff = await anyio.to_thread.run_sync(partial(compare, *texts))
    return NodeDifference(
        node_id=row["node_id"],
        iteration=row["iteration"],
        before=before,
        after=after,
        outputs=_changes(outputs),
        diff=_changes(diff),
        truncated=outputs.truncated or diff.truncated or too_large,
    )


def _differs(node: NodeDifference) -> bool:
    """Say whether the reader can see a difference: masked secrets look the same."""
    if node.before is None or node.after is None or node.outputs or node.diff or node.truncated:
        return True
    before, after = (msgspec.structs.replace(side, result_id=UUID(int=0)) for side in (node.before, node.after))
    return before != after


def _side(row: Mapping[str, Any], side: str) -> SideRead | None:
    if row[f"{side}_id"] is None:
        return None
    error_class, message = row[f"{side}_error_class"], row[f"{side}_error_message"]
    return SideRead(
        result_id=row[f"{side}_id"],
        status=row[f"{side}_status"],
        branch=row[f"{side}_branch"],
        changed=row[f"{side}_changed"],
        error=ErrorRead(class_=error_class, message=message) if error_class else None,
    )


async def _outputs(row: Mapping[str, Any], side: str, reader: Principal) -> Any:
    """Return a side's outputs as the reader may see them; None where they are the same blob, or too large."""
    output_hash = row[f"{side}_output_hash"]
    if output_hash is None:
        return _visible(msgspec.json.decode(row[f"{side}_outputs"] or reading.EMPTY), reader)
    if row["before_output_hash"] == row["after_output_hash"] or row["largest"] > MAX_OUTPUT_BYTES:
        return None
    stored = await reading.load({"output_hash": output_hash})
    pieces = reading.pieces(stored, reveals=reader.may(REVEAL))
    return msgspec.json.decode(b"".join([piece async for piece in pieces]))


def _visible(value: Any, reader: Principal) -> Any:
    return value if reader.may(REVEAL) else redact(value)


def _changes(comparison: Comparison) -> list[ChangeRead]:
    return [
        ChangeRead(
            path=list(change.path),
            change=change.kind,
            before=change.before,
            after=change.after,
            text_diff=change.text_diff,
        )
        for change in comparison.changes
    ]
