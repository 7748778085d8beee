"""The built-in roles, as data."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.core.access import PERMISSIONS

SUPER_ADMIN = "super_admin"


@dataclass(frozen=True, kw_only=True)
class BuiltInRole:
    """A role that every installation has and nobody changes."""

    description: str
    permissions: frozenset[str]


VIEWER = frozenset(
    {
        "devices.device.view",
        "automation.workflow.view",
        "automation.execution.view",
        "jobs.job.view",
        "credentials.credential.view",
        "monitoring.alert.view",
        "monitoring.poll.view",
    }
)
OPERATOR = VIEWER | {
    "devices.device.connect",
    "devices.group.manage",
    "automation.workflow.create",
    "automation.workflow.edit",
    "automation.workflow.run",
    "automation.execution.cancel",
    "jobs.job.create",
    "jobs.job.edit",
    "jobs.job.run",
    "jobs.job.cancel",
    "jobs.schedule.manage",
    "credentials.credential.use",
    "inventory.scan.view",
    "inventory.scan.run",
    "monitoring.alert.acknowledge",
    "system.queues.view",
}
RESERVED = frozenset({"system.roles.manage", "system.backup.manage"})
"""What an admin lacks of a super admin's permissions."""

BUILT_IN: Mapping[str, BuiltInRole] = {
    SUPER_ADMIN: BuiltInRole(description="May do everything", permissions=frozenset(PERMISSIONS)),
    "admin": BuiltInRole(
        description="May do everything but manage roles and backups", permissions=frozenset(PERMISSIONS) - RESERVED
    ),
    "operator": BuiltInRole(description="Runs workflows and jobs against devices", permissions=OPERATOR),
    "viewer": BuiltInRole(description="Looks, and changes nothing", permissions=VIEWER),
}
