"""Results as readers get them: found by filters, counted by counters, redacted for those who may not see secrets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from piccolo.columns.combination import WhereRaw
from piccolo.custom_types import Combinable

from app.automation.executions.records import ONCE
from app.automation.executions.redaction import redact
from app.automation.executions.schemas import DeviceRef, ErrorRead, ResultRead
from app.automation.executions.statuses import COUNTER
from app.automation.executions.tables import ExecutionHost, OutputBlob
from app.automation.executions.tables import Result as ResultRow
from app.core import database
from app.core.access import Principal
from app.core.errors import NotFoundError
from app.core.matching import every, every_given
from app.core.paging import Ordering, Page, PageRequest, read_page

ORDERING = Ordering(
    columns={"started_at": ResultRow.started_at, "duration_ms": ResultRow.duration_ms, "device": ResultRow.device_name},
    key=ResultRow.id,
    default="started_at",
)
REVEAL = "credentials.credential.reveal"
SAME_NAME = 100
"""How many hosts of an execution one device filter may name: ad-hoc hosts can share a name."""


@dataclass(frozen=True, kw_only=True)
class ResultFilter:
    """Which results are wanted; ``device`` is a name or an id, an empty ``iteration`` what ran outside of loops."""

    node: str | None = None
    status: str | None = None
    device: str | None = None
    error_class: str | None = None
    iteration: str | None = None


async def list_results(
    execution_id: UUID, filters: ResultFilter, request: PageRequest, reader: Principal
) -> Page[ResultRead]:
    """Return one page of results; what devices printed is redacted for readers who may not see secrets."""
    await require_execution(execution_id)
    where = await where_of(execution_id, filters)
    counted = await count_by_counters(execution_id, filters)
    page = await read_page(ResultRow, request, ORDERING, where, total=counted)
    sizes = await sizes_of({row["output_hash"] for row in page.items if row["output_hash"]})
    return page.map(lambda row: read_result(row, sizes, reader))


async def require_execution(execution_id: UUID) -> str:
    """Return how an execution stands; raises NotFoundError."""
    row = await database.fetch_one("SELECT status FROM executions WHERE id = $1", execution_id)
    if row is None:
        raise NotFoundError(f"There is no execution {execution_id}.", code="EXECUTION_NOT_FOUND")
    return str(row["status"])


async def where_of(execution_id: UUID, filters: ResultFilter) -> Combinable:
    """Return the condition that filters make, in a form that an index serves."""
    wanted = (
        (ResultRow.node_id, filters.node),
        (ResultRow.status, filters.status),
        (ResultRow.error_class, filters.error_class),
        (ResultRow.iteration, filters.iteration),
    )
    conditions: list[Combinable] = [ResultRow.execution == execution_id]
    conditions += [given for given in [every_given(wanted)] if given is not None]
    if filters.error_class is not None:
        conditions.append(WhereRaw("error_class <> ''"))  # what the partial index says, so that it is used
    if filters.device is not None:
        conditions.append(await _of_device(execution_id, filters.device))
    return every(conditions)


async def count_by_counters(execution_id: UUID, filters: ResultFilter) -> int | None:
    """Return how many results there are where the nodes' counters know it; None where they must be counted.

    Counters also hold what never began in a cancelled execution, which has no result.
    """
    if filters.device is not None or filters.error_class is not None or filters.iteration is not None:
        return None
    names = tuple(COUNTER.values()) if filters.status is None else (COUNTER[filters.status],)
    counts = await database.fetch_one(
        """
        SELECT coalesce(sum(succeeded), 0) AS succeeded, coalesce(sum(failed), 0) AS failed,
            coalesce(sum(unknown), 0) AS unknown, coalesce(sum(cancelled), 0) AS cancelled,
            coalesce(sum(skipped) FILTER (WHERE started_at IS NOT NULL), 0) AS skipped
        FROM node_executions WHERE execution = $1 AND ($2::text IS NULL OR node_id = $2)
        """,
        execution_id,
        filters.node,
    )
    if counts is None or ("cancelled" in names and counts["cancelled"]):
        return None
    return sum(int(counts[name]) for name in names)


def read_result(row: Mapping[str, Any], sizes: Mapping[str, int], reader: Principal) -> ResultRead:
    """Return a result as its reader may see it."""
    shown = row if reader.may(REVEAL) else {**row, **redact({key: row[key] for key in ("outputs", "diff")})}
    error = ErrorRead(class_=row["error_class"], message=row["error_message"]) if row["error_class"] else None
    return ResultRead.of(
        shown, device=device_of(row), outputs_size_bytes=sizes.get(row["output_hash"] or ""), error=error
    )


def device_of(row: Mapping[str, Any]) -> DeviceRef | None:
    """Return the device of a result, or None for what ran once."""
    if row["host_key"] == ONCE:
        return None
    return DeviceRef(id=row["device_id"], name=row["device_name"])


async def sizes_of(hashes: set[str]) -> dict[str, int]:
    """Return how large the outputs stored under some hashes are."""
    if not hashes:
        return {}
    rows = await OutputBlob.select(OutputBlob.hash, OutputBlob.size_bytes).where(OutputBlob.hash.is_in(list(hashes)))
    return {row["hash"]: row["size_bytes"] for row in rows}


async def _of_device(execution_id: UUID, device: str) -> Combinable:
    """Hold for the results of a device, which the execution's hosts know by name and by key."""
    named = await (
        ExecutionHost.select(ExecutionHost.host_key)
        .where((ExecutionHost.execution == execution_id) & (ExecutionHost.name == device))
        .limit(SAME_NAME)
    )
    keys = {device, *(row["host_key"] for row in named)}
    return ResultRow.host_key.is_in(sorted(keys))
