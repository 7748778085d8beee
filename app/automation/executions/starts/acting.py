"""On whose behalf an execution runs that nobody asked for: that of whoever wrote the workflow's definition."""

from collections.abc import Mapping
from typing import Any

from app.core.access import Principal
from app.core.errors import AuthorizationError
from app.identity.acting import find_principal

RUN = "automation.workflow.run"


async def author_of(workflow: Mapping[str, Any]) -> Principal:
    """Return the author of a workflow's definition, with what he may do now; raises AuthorizationError.

    He must still be active and allowed to run workflows: a trigger fires with nobody's rights but his.
    """
    author = None if workflow["author_id"] is None else await find_principal(workflow["author_id"])
    if author is None:
        raise AuthorizationError(
            f"Whoever wrote the workflow {workflow['name']!r} is not active any more, so its triggers start nothing. "
            "Save its definition again."
        )
    author.require(RUN)
    return author
