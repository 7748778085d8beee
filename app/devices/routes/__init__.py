"""The HTTP door of the inventory: devices, groups, targets, platforms, and credential assignments."""

from litestar.types import ControllerRouterHandler

from app.devices.routes.assignments import AssignmentController
from app.devices.routes.devices import DeviceController, list_platforms, preview_targets
from app.devices.routes.groups import GroupController

ROUTES: list[ControllerRouterHandler] = [
    DeviceController,
    GroupController,
    AssignmentController,
    preview_targets,
    list_platforms,
]
