"""One node by itself: an execution of a workflow that is nothing but a start and that node."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from redis import Redis

from app.automation.executions import idempotency, service
from app.automation.executions.idempotency import Key, Started
from app.automation.executions.schemas import ExecuteRequest
from app.automation.executions.starts.schemas import NodeRunRequest
from app.automation.workflows.graph import Catalogue
from app.automation.workflows.validation import validate
from app.core.access import Principal
from app.core.errors import NotFoundError, ValidationError

WRITE = "automation.workflow.create"
START, NODE = "start", "node"
START_TYPE = "trigger:manual"


async def run_node(
    node_type: str,
    given: NodeRunRequest,
    catalogue: Catalogue,
    actor: Principal,
    *,
    redis: Redis,
    workers: int,
    key: Key | None,
) -> Started:
    """Start a node by itself; raises NotFoundError for an unknown type, ValidationError for wrong parameters.

    It needs the permission to write workflows too: it is one, written and run at once.
    """
    actor.require(WRITE)
    workflow = _workflow(node_type, given, catalogue)

    async def begin() -> UUID:
        wanted = ExecuteRequest(targets=given.targets, dry_run=given.dry_run)
        return await service.begin_execution(workflow, wanted, catalogue, actor, workers=workers, kind="node")

    return await idempotency.start(key, begin, redis)


def _workflow(node_type: str, given: NodeRunRequest, catalogue: Catalogue) -> Mapping[str, Any]:
    if node_type not in catalogue:
        raise NotFoundError(f"There is no node type {node_type!r}.", code="NODE_TYPE_NOT_FOUND")
    if catalogue[node_type].is_trigger:
        raise ValidationError.of("node_type", f"{node_type} starts workflows; there is nothing to run in it")
    definition = _definition(node_type, given, catalogue)
    errors = validate(definition, catalogue).errors
    if errors:
        faults = [{"field": error["field"], "message": error["message"]} for error in errors]
        raise ValidationError("; ".join(f"{fault['field']}: {fault['message']}" for fault in faults), faults)
    return {"id": None, "name": catalogue[node_type].id, "version": 0, "enabled": True, "definition": definition}


def _definition(node_type: str, given: NodeRunRequest, catalogue: Catalogue) -> dict[str, Any]:
    """Return the smallest workflow that runs a node; one that follows runs on the devices, where there are any."""
    per_device = catalogue[node_type].scope == "follow" and given.targets is not None
    body = {
        "nodeType": node_type,
        "parameters": given.parameters,
        "options": {"scope": "device"} if per_device else {},
    }
    return {
        "nodes": [{"id": START, "data": {"nodeType": START_TYPE}}, {"id": NODE, "data": body}],
        "edges": [{"id": "1", "source": START, "target": NODE}],
    }
