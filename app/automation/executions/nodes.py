"""The node that runs another workflow as a step of this one, and waits for it without a worker."""

from functools import partial
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta
from nornir.core.task import Result

from app.automation.executions import children
from app.automation.executions.engine import runtime
from app.automation.executions.records import CHILD
from app.core.database import patiently
from app.core.errors import AppError, NotFoundError
from tasks.context import NodeContext
from tasks.errors import NodeError
from tasks.node import Handle, Params, node, outcome
from tasks.parking import park


class SubworkflowParams(Params, frozen=True, kw_only=True):
    """Which workflow, on what, and with what."""

    workflow: Annotated[str, Meta(min_length=1, max_length=150, description="The workflow's name or id.")]
    variables: Annotated[dict[str, Any], Meta(description="Its variables.")] = {}
    targets: Annotated[
        dict[str, Any] | None,
        Meta(description="Its devices, as in a start; left out: those that came to this node."),
    ] = None
    accept_partial: Annotated[
        bool, Meta(description="Whether an execution in which some devices failed is good enough.")
    ] = False


@node(
    "flow:subworkflow",
    name="Sub-workflow",
    category="Flow",
    package="flow-control",
    scope="once",
    icon="workflow",
    color="#7c3aed",
    outputs=(
        Handle("execution_id", "string", "The execution that ran."),
        Handle("status", "string", "How it ended."),
        Handle("counts", "object", "How its devices fared."),
    ),
    dry_run=True,
    parks=True,
)
def flow_subworkflow(context: NodeContext, params: SubworkflowParams) -> Result:
    """Run another workflow on the devices that came here, wait for its end, and go on if it ended well.

    It runs for whoever started this execution, at most five deep and never within itself; a dry run runs it dry.
    """
    if context.parked is None:
        return park(None, {CHILD: str(_start(context, params))})
    child = UUID(context.parked.body[CHILD])
    try:
        end = context.run(patiently(partial(children.find_end, child)))
    except NotFoundError as error:
        raise NodeError("upstream", f"{error.message} How {params.workflow} ended is not known.") from error
    if end is None:
        return park(None, context.parked.body)
    accepted = {"success", "partial"} if params.accept_partial else {"success"}
    if end["status"] not in accepted:
        said = f": {end['error']['message']}" if end["error"] else "."
        raise NodeError("upstream", f"{params.workflow} ended as {end['status']} (execution {child}){said}")
    return outcome({"execution_id": str(child), "status": end["status"], "counts": end["counts"]})


def _start(context: NodeContext, params: SubworkflowParams) -> UUID:
    running = runtime.current()
    start = partial(
        children.start_child,
        UUID(context.execution["id"]),
        f"{context.node_id}|{context.iteration}",
        params.workflow,
        catalogue=running.catalogue,
        host_keys=context.reached(),
        targets=params.targets,
        variables=params.variables,
        dry_run=context.dry_run,
        workers=running.settings.workers,
    )
    try:
        started: UUID = context.run(patiently(start))
    except AppError as error:
        raise NodeError("validation", f"{params.workflow} cannot be started: {error.message}") from error
    return started
