"""The node that asks for consent, and waits for it without a worker."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, to_builtins
from nornir.core.task import Result

from app.automation.executions.approvals import service
from app.automation.executions.approvals.service import Question
from app.automation.executions.records import QUESTION
from app.core.access import PERMISSIONS
from app.core.database import patiently
from tasks.context import NodeContext
from tasks.errors import NodeError
from tasks.node import Handle, Params, node, outcome
from tasks.parking import now, park


class ApprovalParams(Params, frozen=True, kw_only=True):
    """Whom to ask, and what."""

    message: Annotated[str, Meta(max_length=10_000, description="What the approvers are asked.")] = (
        "{{ workflow.name }} asks to go on."
    )
    permission: Annotated[str, Meta(description="The permission that an approver must hold.")] = (
        "automation.execution.approve"
    )
    approvers: Annotated[
        list[str],
        Meta(max_length=100, description="The usernames that may answer; empty: whoever holds the permission."),
    ] = []
    needed: Annotated[int, Meta(ge=1, le=20, description="How many have to approve; one rejection ends it.")] = 1
    expires_s: Annotated[
        float, Meta(ge=1, le=30 * 86_400, description="Seconds after which the question has expired.")
    ] = 86_400.0


@node(
    "flow:approval",
    name="Approval",
    category="Flow",
    package="flow-control",
    scope="once",
    icon="badge-check",
    color="#7c3aed",
    outputs=(
        Handle("decisions", "array", "Who answered what and when."),
        Handle("hash", "string", "The hash of what was approved."),
    ),
    dry_run=True,
    parks=True,
)
def flow_approval(context: NodeContext, params: ApprovalParams) -> Result:
    """Ask whether to go on, with the devices and what they would be sent, and wait for the answer.

    A rejection, an expiry, and devices or texts that have changed since the approval are failures. A dry run, which
    changes nothing, asks nobody.
    """
    if context.dry_run:
        return outcome({"decisions": [], "hash": context.preview()["hash"]})
    if context.parked is None:
        return _ask(context, params)
    execution_id = UUID(context.execution["id"])
    find = partial(service.find_approval, execution_id, context.node_id, context.iteration)
    approval = context.run(patiently(find))
    if approval is None:
        return _ask(context, params)
    if approval["status"] == "open":
        return _still_open(context, approval, context.parked.body)
    if approval["status"] == "approved":
        return _go_on(context, approval)
    raise _expired(approval) if approval["status"] == "expired" else NodeError("cancelled", _why(approval))


def _ask(context: NodeContext, params: ApprovalParams) -> Result:
    if params.permission not in PERMISSIONS:
        raise NodeError("validation", f"There is no permission {params.permission!r}.")
    if params.approvers and len(set(params.approvers)) < params.needed:
        raise NodeError("validation", f"{params.needed} have to approve, and only {len(params.approvers)} may.")
    subject = dict(context.preview())
    expires_at = now() + timedelta(seconds=params.expires_s)
    question = Question(
        message=params.message,
        permission=params.permission,
        approvers=params.approvers,
        needed=params.needed,
        expires_at=expires_at,
        subject_hash=subject.pop("hash"),
        subject=subject,
    )
    return park(expires_at, {QUESTION: to_builtins(question)})


def _still_open(context: NodeContext, approval: dict[str, Any], body: Mapping[str, Any]) -> Result:
    expires_at: datetime = approval["expires_at"]
    if now() < expires_at:
        return park(expires_at, body)
    if not context.run(patiently(lambda: service.close_approval(approval, "expired"))):
        return park(now(), body)
    raise _expired(approval)


def _expired(approval: Mapping[str, Any]) -> NodeError:
    answered = len(approval["decisions"])
    return NodeError("timeout", f"Nobody decided in time: {answered} of {approval['needed']} had approved.")


def _go_on(context: NodeContext, approval: dict[str, Any]) -> Result:
    if context.preview()["hash"] != approval["subject_hash"]:
        context.run(patiently(lambda: service.close_approval(approval, "void")))
        message = "What would be sent, or where, has changed since it was approved; nothing was sent. Start it again."
        raise NodeError("validation", message)
    return outcome({"decisions": approval["decisions"], "hash": approval["subject_hash"]})


def _why(approval: dict[str, Any]) -> str:
    against = next((said for said in approval["decisions"] if said["decision"] == "reject"), None)
    if against is None:
        return f"The approval is {approval['status']}."
    comment = f": {against['comment']}" if against["comment"] else "."
    return f"{against['username']} rejected it{comment}"
