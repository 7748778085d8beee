"""The audit trail: what was done, by whom, from where and with what outcome."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import and_
from typing import Any

import msgspec
from piccolo.custom_types import Combinable

from app.core import context
from app.core.access import Principal
from app.core.paging import Ordering, Page, PageRequest, read_page
from app.system.tables import AuditEntry

ORDERING = Ordering(columns={"at": AuditEntry.at}, key=AuditEntry.id, default="-at")


@dataclass(frozen=True, kw_only=True)
class Act:
    """Something that somebody did."""

    action: str
    actor: Principal
    subject_type: str = ""
    subject_id: object = ""
    outcome: str = "success"
    details: Mapping[str, Any] | None = None


async def record(action: str, actor: Principal, **more: Any) -> None:
    """Append one act to the audit trail, inside the caller's transaction when there is one."""
    await record_all([Act(action=action, actor=actor, **more)])


async def record_all(acts: Iterable[Act]) -> None:
    """Append acts to the audit trail in one go, as ``record`` does one."""
    request = context.current()
    entries = [
        AuditEntry(
            action=act.action,
            actor_id=act.actor.user_id if act.actor.user_id.int else None,
            actor_name=act.actor.username,
            address=request.address,
            request_id=request.request_id,
            subject_type=act.subject_type,
            subject_id=str(act.subject_id),
            outcome=act.outcome,
            details=msgspec.json.encode(act.details or {}).decode(),
        )
        for act in acts
    ]
    if entries:
        await AuditEntry.insert(*entries)


async def list_audit(
    request: PageRequest,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    **equal: str | None,
) -> Page[dict[str, Any]]:
    """Return one page of the audit trail, newest first; ``equal`` names columns and the values they must have."""
    conditions: list[Any] = [
        getattr(AuditEntry, column) == value for column, value in equal.items() if value is not None
    ]
    if since is not None:
        conditions.append(AuditEntry.at >= since)
    if until is not None:
        conditions.append(AuditEntry.at < until)
    where: Combinable | None = reduce(and_, conditions) if conditions else None
    return await read_page(AuditEntry, request, ORDERING, where)
