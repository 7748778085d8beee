"""The HTTP door of the inventory: devices, their host keys, groups, targets, platforms, and credential assignments."""

from litestar.types import ControllerRouterHandler

from app.devices.routes.assignments import AssignmentController
from app.devices.routes.devices import DeviceController, list_platforms, preview_targets
from app.devices.routes.groups import GroupController
from app.devices.routes.host_keys import HostKeyController

ROUTES: list[ControllerRouterHandler] = [
    DeviceController,
    GroupController,
    HostKeyController,
    AssignmentController,
    preview_targets,
    list_platforms,
]
