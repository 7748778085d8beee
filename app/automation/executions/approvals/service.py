"""What can be done with approvals: open one, list them, decide, and see what was decided."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from redis import Redis

from app.automation.executions import events
from app.automation.executions.approvals.schemas import ApprovalRead, DecisionRequest
from app.automation.executions.events import Event
from app.automation.executions.redaction import redact
from app.automation.executions.tables import Approval
from app.core import database
from app.core.access import Principal
from app.core.clock import now, uuid7
from app.core.errors import AuthorizationError, ConflictError, NotFoundError
from app.core.matching import every_given
from app.core.paging import Ordering, Page, PageRequest, read_page
from app.system import service as audit

ORDERING = Ordering(
    columns={"created_at": Approval.created_at, "expires_at": Approval.expires_at},
    key=Approval.id,
    default="-created_at",
)
REVEAL = "credentials.credential.reveal"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What an approval node asks: how many of whom, until when, and about what."""

    message: str
    permission: str
    approvers: list[str]
    needed: int
    expires_at: datetime
    subject: dict[str, Any]
    subject_hash: str


async def open_approval(execution_id: UUID, node_id: str, iteration: str, question: Question) -> bool:
    """Write down a question, inside the caller's transaction, once, and say whether it is open."""
    inserted = await database.fetch_one(
        """
        INSERT INTO approvals (id, execution, node_id, iteration, status, message, permission, approvers, needed,
            subject, subject_hash, decisions, requested_by, requested_by_name, expires_at, created_at)
        SELECT $1, executions.id, $3, $4, 'open', $5, $6, $7, $8, $9, $10, '[]', requested_by, requested_by_name,
            $11, now()
        FROM executions WHERE id = $2
        ON CONFLICT ON CONSTRAINT approvals_once_uq DO UPDATE SET status = approvals.status
        RETURNING status = 'open' AS is_open, xmax = 0 AS fresh
        """,
        uuid7(),
        execution_id,
        node_id,
        iteration,
        question.message,
        question.permission,
        msgspec.json.encode(question.approvers).decode(),
        question.needed,
        msgspec.json.encode(question.subject).decode(),
        question.subject_hash,
        question.expires_at,
    )
    if inserted is not None and inserted["fresh"]:
        told = {"node_id": node_id, "iteration": iteration, "message": question.message, "needed": question.needed}
        await events.append(execution_id, [Event("approval.requested", told)])
    return inserted is not None and bool(inserted["is_open"])


async def find_approval(execution_id: UUID, node_id: str, iteration: str) -> dict[str, Any] | None:
    """Return a question as it stands."""
    found: dict[str, Any] | None = (
        await Approval.select()
        .where((Approval.execution == execution_id) & (Approval.node_id == node_id) & (Approval.iteration == iteration))
        .first()
        .output(load_json=True)
    )
    return found


async def close_approval(approval: Mapping[str, Any], status: str) -> bool:
    """Close a question that nobody's answer decides any more; False when it was answered since it was looked at."""
    closed = await database.execute(
        "UPDATE approvals SET status = $3, decided_at = now() WHERE id = $1 AND status = $2",
        approval["id"],
        approval["status"],
        status,
    )
    return closed == 1


async def list_approvals(
    execution_id: UUID | None, status: str | None, request: PageRequest, reader: Principal
) -> Page[ApprovalRead]:
    """Return one page of questions, the newest first unless sorted otherwise."""
    where = every_given(((Approval.execution, execution_id), (Approval.status, status)))
    page = await read_page(Approval, request, ORDERING, where)
    return page.map(lambda row: _read(row, reader))


async def decide(
    execution_id: UUID, node_id: str, given: DecisionRequest, actor: Principal, redis: Redis
) -> ApprovalRead:
    """Answer a question; the last answer needed lets the execution go on, one rejection ends the matter.

    Raises ConflictError when it is decided, expired or answered by the same person already, and AuthorizationError
    for the one who started the execution and for whoever is not among those asked.
    """
    async with database.transaction():
        await database.execute("SELECT 1 FROM executions WHERE id = $1 FOR UPDATE", execution_id)
        approval = await find_approval(execution_id, node_id, given.iteration)
        if approval is None:
            raise NotFoundError(f"Nothing waits for approval at {node_id!r} here.", code="APPROVAL_NOT_FOUND")
        _refuse(approval, actor)
        said = {
            "user_id": str(actor.user_id),
            "username": actor.username,
            "decision": given.decision,
            "comment": given.comment,
            "at": now().isoformat(),
        }
        decisions = [*approval["decisions"], said]
        status = _status(decisions, approval["needed"])
        await database.execute(
            "UPDATE approvals SET decisions = $2, status = $3::text, "
            "decided_at = CASE WHEN $3::text <> 'open' THEN now() END WHERE id = $1",
            approval["id"],
            msgspec.json.encode(decisions).decode(),
            status,
        )
        if status != "open":
            await _wake(execution_id, node_id, given.iteration)
        told = {"node_id": node_id, "decision": given.decision, "by": actor.username, "status": status}
        await events.append(execution_id, [Event("approval.decided", told)])
        await audit.record(
            "approval.decided",
            actor,
            subject_type="execution",
            subject_id=execution_id,
            details={**told, "comment": given.comment, "subject_hash": approval["subject_hash"]},
        )
    events.wake(redis, execution_id)
    decided = await find_approval(execution_id, node_id, given.iteration)
    return _read(decided or approval, actor)


def _refuse(approval: Mapping[str, Any], actor: Principal) -> None:
    if approval["status"] != "open" or approval["expires_at"] <= now():
        status = "expired" if approval["status"] == "open" else approval["status"]
        raise ConflictError(f"It is decided already: {status}.", code="APPROVAL_CLOSED")
    actor.require(approval["permission"])
    if approval["requested_by"] == actor.user_id:
        raise AuthorizationError("You started this execution, so somebody else has to approve it.")
    if approval["approvers"] and actor.username not in approval["approvers"]:
        raise AuthorizationError(f"Only {', '.join(approval['approvers'])} may answer this.")
    if any(said["user_id"] == str(actor.user_id) for said in approval["decisions"]):
        raise ConflictError("You have answered already; it takes another person.", code="APPROVAL_ANSWERED")


def _status(decisions: list[dict[str, Any]], needed: int) -> str:
    if any(said["decision"] == "reject" for said in decisions):
        return "rejected"
    return "approved" if len(decisions) >= needed else "open"


async def _wake(execution_id: UUID, node_id: str, iteration: str) -> None:
    await database.execute(
        "UPDATE parkings SET due_at = now() "
        "WHERE execution = $1 AND node_id = $2 AND iteration = $3 AND status = 'parked'",
        execution_id,
        node_id,
        iteration,
    )


def _read(row: Mapping[str, Any], reader: Principal) -> ApprovalRead:
    subject = row["subject"] if reader.may(REVEAL) else redact({"subject": row["subject"]})["subject"]
    return ApprovalRead.of(row, execution_id=row["execution"], requested_by=row["requested_by_name"], subject=subject)
