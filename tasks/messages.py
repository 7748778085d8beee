"""Writes what workflows have to say to the log, with the execution, node and host it came from."""

import logging
from typing import Any, Literal

from tasks import context

Level = Literal["debug", "info", "warning", "error"]
LEVELS: dict[Level, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

log = logging.getLogger("opsconductor.workflow")


def write(level: Level, message: str, value: Any) -> dict[str, Any]:
    """Log a message of the running node, and return it as the node's outputs."""
    running = context.current()
    extra = {
        "execution": running.execution.get("id"),
        "workflow": running.execution.get("workflow"),
        "host": running.execution.get("host") or None,
        "node": running.node_id,
        "value": value,
    }
    log.log(LEVELS[level], "%s", message, extra={key: found for key, found in extra.items() if found is not None})
    return {"message": message, "value": value}
