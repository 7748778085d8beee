"""The HTTP door of workflows: definitions, versions, folders, files, templates, and the palette they are made of."""

from litestar.types import ControllerRouterHandler

from app.automation.workflows.routes.files import FileController
from app.automation.workflows.routes.folders import FolderController
from app.automation.workflows.routes.palette import PaletteController
from app.automation.workflows.routes.templates import TemplateController
from app.automation.workflows.routes.versions import VersionController
from app.automation.workflows.routes.workflows import WorkflowController

ROUTES: list[ControllerRouterHandler] = [
    WorkflowController,
    VersionController,
    FolderController,
    FileController,
    TemplateController,
    PaletteController,
]
