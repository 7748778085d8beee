"""Approvals as they cross the API."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from app.core.wire import Input, Output

ApprovalStatus = Literal["open", "approved", "rejected", "expired", "void", "cancelled"]


class DecisionRequest(Input, frozen=True, kw_only=True):
    """An answer."""

    decision: Literal["approve", "reject"]
    comment: Annotated[str, msgspec.Meta(max_length=2000)] = ""
    iteration: Annotated[str, msgspec.Meta(max_length=128, description="The round, where the node is in a loop.")] = ""


class ApprovalRead(Output, frozen=True, kw_only=True):
    """A question whether an execution may go on, with what would be sent; secrets in it are masked.

    `subject` holds devices, changes (each changing node's parameters for each device), changes_total and diffs;
    where any of it has changed by the time the execution goes on, the approval is void.
    """

    id: UUID
    execution_id: UUID
    node_id: str
    iteration: str
    status: ApprovalStatus
    message: str
    permission: str
    approvers: list[str]
    needed: int
    decisions: list[dict[str, Any]]
    subject: dict[str, Any]
    subject_hash: str
    requested_by: str
    expires_at: datetime
    created_at: datetime
    decided_at: datetime | None
