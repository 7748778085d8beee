"""Roles: list, create, change and delete them, seed the built-in ones, and say what they allow."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from piccolo.columns import Column

from app.core import database
from app.core.access import PERMISSIONS, Principal
from app.core.clock import uuid7
from app.core.errors import AuthorizationError, ConflictError, Fault, NotFoundError, ValidationError
from app.core.paging import Ordering, Page, PageRequest, read_page
from app.identity.roles import BUILT_IN
from app.identity.tables import Role
from app.system.service import record

ORDERING = Ordering(columns={"name": Role.name}, key=Role.id, default="name")


async def seed_roles() -> None:
    """Bring the built-in roles to what this version says; run after every migration."""
    await database.execute_many(
        "INSERT INTO roles (id, name, description, permissions, built_in) VALUES ($1, $2, $3, $4, true) "
        "ON CONFLICT (name) DO UPDATE SET description = excluded.description, "
        "permissions = excluded.permissions, built_in = true",
        [(uuid7(), name, role.description, _codes(role.permissions)) for name, role in BUILT_IN.items()],
    )


async def list_roles(request: PageRequest) -> Page[dict[str, Any]]:
    """Return one page of roles."""
    return await read_page(Role, request, ORDERING)


async def get_role(role_id: UUID) -> dict[str, Any]:
    """Return a role; raises NotFoundError."""
    row: dict[str, Any] | None = await Role.select().where(Role.id == role_id).first().output(load_json=True)
    if row is None:
        raise NotFoundError(f"There is no role {role_id}.", code="ROLE_NOT_FOUND")
    return row


async def create_role(*, name: str, permissions: Sequence[str], description: str, actor: Principal) -> dict[str, Any]:
    """Create a role of permissions that the actor holds; raises ConflictError when the name is taken."""
    _require_grantable(permissions, actor)
    role = Role(name=name, description=description, permissions=_codes(permissions), built_in=False)
    with database.violations(roles_name_key=ConflictError(f"The role name {name} is taken.", code="ROLE_NAME_TAKEN")):
        async with database.transaction():
            await Role.insert(role)
            await record(
                "role.create",
                actor,
                subject_type="role",
                subject_id=role.id,
                details={"name": name, "permissions": sorted(permissions)},
            )
    return await get_role(role.id)


async def update_role(role_id: UUID, changes: Mapping[str, Any], *, actor: Principal) -> dict[str, Any]:
    """Change a role's permissions or description; raises ConflictError for a built-in one."""
    values = dict[Column | str, Any](changes.items())
    async with database.transaction():
        before = await _own_role(role_id, actor)
        if "permissions" in values:
            _require_grantable(values["permissions"], actor)
            values["permissions"] = _codes(values["permissions"])
        if values:
            await Role.update(values, force=True).where(Role.id == role_id)
        details = {name: {"from": before[name], "to": value} for name, value in changes.items()}
        await record("role.update", actor, subject_type="role", subject_id=role_id, details=details)
    return await get_role(role_id)


async def delete_role(role_id: UUID, *, actor: Principal) -> None:
    """Delete a role that nobody has; raises ConflictError naming those who do."""
    async with database.transaction():
        role = await _own_role(role_id, actor)
        holders = await database.fetch(
            'SELECT u.username FROM grants g JOIN users u ON u.id = g."user" WHERE g.role = $1 ORDER BY 1 LIMIT 20',
            role_id,
        )
        if holders:
            raise ConflictError(
                f"The role {role['name']} is still given to users; take it from them first.",
                code="ROLE_IN_USE",
                details={"users": [holder["username"] for holder in holders]},
            )
        await Role.delete().where(Role.id == role_id)
        await record("role.delete", actor, subject_type="role", subject_id=role_id, details={"name": role["name"]})


async def roles_of(user_ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    """Return the role names of each user."""
    rows = await database.fetch(
        'SELECT g."user" AS user_id, r.name FROM grants g JOIN roles r ON r.id = g.role '
        'WHERE g."user" = ANY($1) ORDER BY r.name',
        list(user_ids),
    )
    names: dict[UUID, list[str]] = defaultdict(list)
    for row in rows:
        names[row["user_id"]].append(row["name"])
    return dict(names)


async def permissions_of(names: Iterable[str]) -> frozenset[str]:
    """Return all permissions of some roles."""
    return frozenset(code for role in await _by_names(set(names)) for code in role["permissions"])


async def grantable(names: Sequence[str], actor: Principal) -> list[dict[str, Any]]:
    """Return the roles of these names; raises ValidationError for unknown ones, AuthorizationError above the actor."""
    roles = await _by_names(set(names))
    unknown = sorted(set(names) - {role["name"] for role in roles})
    if unknown:
        raise ValidationError.of("roles", f"there is no role {', '.join(unknown)}")
    _require_held({code for role in roles for code in role["permissions"]}, actor)
    return roles


async def _by_names(names: set[str]) -> list[dict[str, Any]]:
    if not names:
        return []
    rows: list[dict[str, Any]] = await Role.select().where(Role.name.is_in(sorted(names))).output(load_json=True)
    return rows


async def _own_role(role_id: UUID, actor: Principal) -> dict[str, Any]:
    """Return a role that the actor may change: not built in, and of permissions he holds."""
    role = await get_role(role_id)
    if role["built_in"]:
        raise ConflictError(
            f"{role['name']} is built in and cannot be changed. Make a role of your own instead.",
            code="ROLE_BUILT_IN",
        )
    _require_held(set(role["permissions"]), actor)
    return role


def _require_grantable(permissions: Sequence[str], actor: Principal) -> None:
    faults = [
        Fault(field=f"permissions[{index}]", message=f"{code!r} is no permission; /identity/v1/permissions lists them")
        for index, code in enumerate(permissions)
        if code not in PERMISSIONS
    ]
    if faults:
        raise ValidationError("The role names permissions that do not exist.", faults)
    _require_held(set(permissions), actor)


def _require_held(permissions: set[str], actor: Principal) -> None:
    excess = sorted(permissions - actor.permissions)
    if excess:
        raise AuthorizationError(
            f"{actor.username} does not hold all of these permissions, and nobody gives what he does not hold.",
            code="GRANT_ABOVE_ACTOR",
            details={"permissions": excess},
        )


def _codes(permissions: Iterable[str]) -> str:
    return msgspec.json.encode(sorted(set(permissions))).decode()
