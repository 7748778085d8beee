"""Who acts and what he may do: the permission catalogue and the Principal."""

from dataclasses import dataclass, field
from uuid import UUID

from app.core.errors import AuthorizationError

PERMISSIONS: dict[str, str] = {
    "devices.device.view": "See devices",
    "devices.device.create": "Create devices",
    "devices.device.edit": "Change devices",
    "devices.device.delete": "Delete devices",
    "devices.device.connect": "Run nodes against devices",
    "devices.group.manage": "Create, change and delete device groups",
    "devices.hostkey.manage": "Accept and forget SSH host keys",
    "automation.workflow.view": "See workflows and the node catalogue",
    "automation.workflow.create": "Create workflows",
    "automation.workflow.edit": "Change workflows",
    "automation.workflow.delete": "Delete workflows",
    "automation.workflow.run": "Start workflows",
    "automation.execution.view": "See executions and their results",
    "automation.execution.cancel": "Cancel executions",
    "automation.execution.approve": "Approve or reject what waits for approval",
    "jobs.job.view": "See jobs",
    "jobs.job.create": "Create jobs",
    "jobs.job.edit": "Change jobs",
    "jobs.job.delete": "Delete jobs",
    "jobs.job.run": "Run jobs",
    "jobs.job.cancel": "Cancel jobs",
    "jobs.schedule.manage": "Create, change and delete schedules",
    "credentials.credential.view": "See credentials' metadata",
    "credentials.credential.create": "Create credentials",
    "credentials.credential.edit": "Change credentials",
    "credentials.credential.delete": "Delete credentials",
    "credentials.credential.use": "Assign credentials and use them in workflows",
    "credentials.credential.reveal": "Read the secrets themselves, and outputs unmasked",
    "credentials.group.manage": "Manage groups of credentials",
    "monitoring.alert.view": "See alerts",
    "monitoring.alert.acknowledge": "Acknowledge alerts",
    "monitoring.alert.manage": "Manage alert rules",
    "monitoring.poll.view": "See polls",
    "monitoring.poll.manage": "Manage polls",
    "notifications.channel.view": "See notification channels",
    "notifications.channel.manage": "Manage notification channels",
    "integrations.netbox.view": "See the NetBox integration",
    "integrations.netbox.manage": "Manage the NetBox integration",
    "integrations.prtg.view": "See the PRTG integration",
    "integrations.prtg.manage": "Manage the PRTG integration",
    "integrations.mcp.view": "See the MCP integration",
    "integrations.mcp.manage": "Manage the MCP integration",
    "inventory.scan.view": "See scans",
    "inventory.scan.run": "Run scans",
    "system.settings.view": "See settings",
    "system.settings.edit": "Change settings",
    "system.users.view": "See users",
    "system.users.create": "Create users",
    "system.users.edit": "Change users",
    "system.users.delete": "Delete users",
    "system.roles.manage": "Manage roles",
    "system.audit.view": "Read the audit trail",
    "system.logs.view": "Read logs",
    "system.queues.view": "Watch queues and workers",
    "system.backup.manage": "Back up and restore",
}


@dataclass(frozen=True, kw_only=True)
class Principal:
    """The authenticated caller: a user through one session, with the permissions he holds now."""

    user_id: UUID
    username: str
    permissions: frozenset[str] = field(default_factory=frozenset)
    session_id: UUID | None = None
    by_cookie: bool = False

    def may(self, permission: str) -> bool:
        """Say whether the caller holds a permission."""
        return permission in self.permissions

    def require(self, permission: str) -> None:
        """Raise AuthorizationError unless the caller holds a permission."""
        if not self.may(permission):
            raise AuthorizationError(
                f"This needs the permission {permission}, which {self.username} does not hold. "
                "Ask an administrator for a role that has it.",
                details={"permission": permission},
            )


SYSTEM = Principal(user_id=UUID(int=0), username="system", permissions=frozenset(PERMISSIONS))
"""Who acts when nobody asked: the reconciler, the command line on the server itself."""
