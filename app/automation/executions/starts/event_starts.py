"""Events that start workflows: whoever listens for one is started once, and no chain of them goes on for ever."""

from typing import Any

from app.automation.executions import service
from app.automation.executions.engine import runtime
from app.automation.executions.schemas import ExecuteRequest
from app.automation.executions.starts import claims
from app.automation.executions.starts.acting import author_of
from app.automation.workflows import trigger_index
from app.automation.workflows.definition import read_definition
from app.automation.workflows.expressions import ExpressionError, evaluate_expression
from app.automation.workflows.trigger_index import Trigger
from app.automation.workflows.trigger_nodes import event_triggers
from app.core.access import SYSTEM
from app.core.errors import AppError, ExecutionError, UnavailableError
from app.core.events import Event, Subscriber
from app.core.logging import get_logger
from app.system import service as audit
from tasks.trigger import EventTriggerParams

MAX_DEPTH = 3
"""How many executions an event may lead to, each by an event of the one before."""

log = get_logger(__name__)


async def start_listeners(event: Event) -> None:
    """Start every workflow that listens for an event and whose filter lets it through.

    What keeps one of them from starting is logged and audited, and does not keep the others.
    """
    for trigger in await trigger_index.find_listeners(event.name):
        try:
            await _start(trigger, event)
        except UnavailableError:
            raise
        except (AppError, ExpressionError) as error:
            await _tell_refusal(trigger, event, str(error))


SUBSCRIBER = Subscriber(wants=trigger_index.events_listened_for, handle=start_listeners)


async def _start(trigger: Trigger, event: Event) -> None:
    catalogue = runtime.current().catalogue
    definition, _ = read_definition(trigger.workflow["definition"])
    params = event_triggers(definition, catalogue)[trigger.node_id]
    told = {"name": event.name, "at": event.at.isoformat(), **event.body}
    if params.filter and not evaluate_expression(params.filter, {"event": told}):
        return
    if event.depth >= MAX_DEPTH:
        raise ExecutionError(
            f"It is the end of a chain of {event.depth} executions that events have started one after the other. "
            "Filter the events, so that none of them leads back to itself."
        )
    given = ExecuteRequest(
        targets=_targets(params, event),
        trigger={"event": told, "depth": event.depth + 1},
        trigger_node=trigger.node_id,
    )
    author = await author_of(trigger.workflow)
    workers = runtime.current().settings.workers
    await claims.once(
        "event",
        f"{event.id}:{trigger.workflow['id']}:{trigger.node_id}",
        lambda: service.begin_execution(trigger.workflow, given, catalogue, author, workers=workers, kind="event"),
    )


def _targets(params: EventTriggerParams, event: Event) -> dict[str, Any] | None:
    return {"devices": [event.body["device"]["id"]]} if params.targets == "event" else params.targets


async def _tell_refusal(trigger: Trigger, event: Event, reason: str) -> None:
    details = {
        "workflow": trigger.workflow["name"],
        "node": trigger.node_id,
        "event_name": event.name,
        "depth": event.depth,
        "reason": reason,
    }
    log.warning("event started nothing", **details)
    await audit.record(
        "execution.not_started",
        SYSTEM,
        subject_type="workflow",
        subject_id=trigger.workflow["id"],
        outcome="failure",
        details=details,
    )
