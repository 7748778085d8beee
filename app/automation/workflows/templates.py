"""The templates that come with the product: workflow files that become workflows of one's own."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from app.automation.workflows.definition import read_definition
from app.automation.workflows.files import read_text
from app.automation.workflows.graph import Catalogue
from app.automation.workflows.schemas import (
    InstantiateRequest,
    TemplateDetail,
    TemplateRead,
    WorkflowCreate,
    WorkflowFile,
)
from app.automation.workflows.service import create_workflow
from app.core.access import Principal
from app.core.errors import NotFoundError

FOLDER = "shipped"
ENDING = ".yaml"


@cache
def shipped() -> Mapping[str, WorkflowFile]:
    """Return the templates by id, which is their file's name."""
    found = files("app.automation.workflows").joinpath(FOLDER).iterdir()
    texts = {file.name: file.read_text(encoding="utf-8") for file in found if file.name.endswith(ENDING)}
    return {
        name.removesuffix(ENDING): msgspec.convert(read_text(texts[name], "yaml"), WorkflowFile)
        for name in sorted(texts)
    }


def list_templates() -> list[TemplateRead]:
    """Return all templates, by id."""
    return [TemplateRead(**_about(template_id, template)) for template_id, template in shipped().items()]


def get_template(template_id: str) -> TemplateDetail:
    """Return a template with its definition; raises NotFoundError."""
    template = _find(template_id)
    return TemplateDetail(**_about(template_id, template), definition=template.definition, settings=template.settings)


async def instantiate_template(
    template_id: str, given: InstantiateRequest, catalogue: Catalogue, actor: Principal
) -> dict[str, Any]:
    """Save a template as a workflow of one's own."""
    template = _find(template_id)
    workflow = WorkflowCreate(
        name=given.name,
        folder_id=given.folder_id,
        definition=template.definition,
        description=template.description,
        settings=template.settings,
        tags=template.tags,
        note=f"From the template {template_id}",
    )
    return await create_workflow(workflow, catalogue, actor)


def _find(template_id: str) -> WorkflowFile:
    if template_id not in shipped():
        raise NotFoundError(
            f"There is no template {template_id!r}; there are {', '.join(shipped())}.", code="TEMPLATE_NOT_FOUND"
        )
    return shipped()[template_id]


def _about(template_id: str, template: WorkflowFile) -> dict[str, Any]:
    definition, _ = read_definition(template.definition)
    return {
        "id": template_id,
        "name": template.name,
        "description": template.description,
        "tags": template.tags,
        "node_types": sorted({node.type_id for node in definition.nodes.values()}),
    }
