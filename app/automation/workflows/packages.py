"""Packages of node types: what each is for, which are switched off, and switching them."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.automation.workflows.graph import Catalogue
from app.automation.workflows.schemas import PackageRead
from app.automation.workflows.tables import Package
from app.core import database
from app.core.access import Principal
from app.core.errors import ConflictError, NotFoundError
from app.system import service as audit

CORE = "core"
"""The package that workflows cannot do without: it has the triggers and the logic."""


@dataclass(frozen=True)
class About:
    """What people call a package, and what it is for."""

    name: str
    description: str


PACKAGES: Mapping[str, About] = {
    CORE: About("Core", "Triggers, logic, variables and reachability: what every workflow begins with."),
    "checks": About("Checks", "Say what has to hold, and fail where it does not."),
    "configuration": About("Configuration", "Change the configuration of devices, and see the difference."),
    "data-transform": About("Data transformation", "Sort, filter, join and count items."),
    "database": About("Database", "Read and write the inventory, and tables of your own."),
    "debug-utility": About("Debugging", "See what flows through a workflow, and leave notes in it."),
    "file-storage": About("Files", "Keep files with the execution, and exchange them by SFTP, FTP and S3."),
    "flow-control": About("Flow control", "Wait, ask for approval, call other workflows, branch, and stop."),
    "http-api": About("HTTP APIs", "Ask web services, by REST or GraphQL."),
    "network-discovery": About("Network", "Find out what can be reached."),
    "notifications": About("Notifications", "Tell people and systems."),
    "parser-format": About("Parsers and formats", "Read and write text, JSON, XML, CSV and what devices print."),
    "ssh": About("SSH", "Run commands on devices over SSH."),
}


async def list_packages(catalogue: Catalogue) -> list[PackageRead]:
    """Return the packages of the catalogue, by id, with their node types."""
    disabled = await disabled_packages()
    members: dict[str, list[str]] = {}
    for node_id in sorted(catalogue):
        members.setdefault(catalogue[node_id].package, []).append(node_id)
    return [_read(package_id, node_types, disabled) for package_id, node_types in sorted(members.items())]


async def switch_package(package_id: str, catalogue: Catalogue, actor: Principal, *, enabled: bool) -> PackageRead:
    """Switch a package on or off; raises NotFoundError, and ConflictError for the core."""
    node_types = [node_id for node_id in sorted(catalogue) if catalogue[node_id].package == package_id]
    if not node_types:
        raise NotFoundError(f"There is no package {package_id!r} of node types.", code="PACKAGE_NOT_FOUND")
    if package_id == CORE and not enabled:
        raise ConflictError("No workflow can do without the package 'core'; it stays enabled.", code="PACKAGE_REQUIRED")
    async with database.transaction():
        if enabled:
            changed = await database.execute("DELETE FROM packages WHERE id = $1", package_id)
        else:
            changed = await database.execute(
                "INSERT INTO packages (id, disabled_by, disabled_at) VALUES ($1, $2, now()) ON CONFLICT DO NOTHING",
                package_id,
                actor.username,
            )
        if changed:
            verb = "enabled" if enabled else "disabled"
            await audit.record(f"package.{verb}", actor, subject_type="package", subject_id=package_id)
    return _read(package_id, node_types, await disabled_packages())


async def disabled_packages() -> frozenset[str]:
    """Return the packages that are switched off: workflows that use them are neither saved nor started."""
    return frozenset(row["id"] for row in await Package.select(Package.id))


def _read(package_id: str, node_types: list[str], disabled: frozenset[str]) -> PackageRead:
    about = PACKAGES.get(package_id) or About(package_id.replace("-", " ").capitalize(), "")
    return PackageRead(
        id=package_id,
        name=about.name,
        description=about.description,
        enabled=package_id not in disabled,
        node_types=node_types,
    )
