"""How workflows are answered: the API's form of a row, with its ETag."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import Response

from app.automation.workflows.schemas import WorkflowRead
from app.core.errors import ValidationError
from app.core.matching import read_id
from app.web.envelope import Reply, reply
from app.web.etags import etag

ROOT = "null"


def read_workflow(row: Mapping[str, Any]) -> WorkflowRead:
    """Return a workflow's row as the API shows it."""
    return WorkflowRead.of(row, folder_id=row["folder"])


def workflow_answer(
    row: Mapping[str, Any], message: str | None = None, *, status_code: int | None = None
) -> Response[Reply[WorkflowRead]]:
    """Answer with a workflow and its ETag."""
    return Response(reply(read_workflow(row), message), status_code=status_code, headers=etag(row["revision"]))


def place_of(field: str, text: str | None) -> tuple[UUID | None, bool]:
    """Read a filter by folder: the folder's id, and whether the root is meant, which is written ``null``."""
    if text is None or text == ROOT:
        return None, text == ROOT
    folder_id = read_id(text)
    if folder_id is None:
        raise ValidationError.of(field, f"{text!r} is neither a folder's id nor {ROOT}")
    return folder_id, False
