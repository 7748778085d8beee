"""Users: list, create, change and delete them, without anybody rising above himself or locking everybody out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from piccolo.columns import Column

from app.core import database
from app.core.access import SYSTEM, Principal
from app.core.clock import now
from app.core.errors import AuthorizationError, ConflictError, NotFoundError
from app.core.paging import Ordering, Page, PageRequest, read_page
from app.identity import role_service
from app.identity.passwords import hash_password
from app.identity.roles import SUPER_ADMIN
from app.identity.tables import Grant, Session, User
from app.system.service import record

ORDERING = Ordering(columns={"username": User.username, "created_at": User.created_at}, key=User.id, default="username")
seed_roles = role_service.seed_roles


async def list_users(request: PageRequest, *, q: str | None = None, status: str | None = None) -> Page[dict[str, Any]]:
    """Return one page of users with their roles; ``q`` is looked for in username, name and e-mail."""
    where = None if q is None else _matching(q)
    if status is not None:
        where = (User.status == status) if where is None else where & (User.status == status)
    page = await read_page(User, request, ORDERING, where)
    roles = await role_service.roles_of([row["id"] for row in page.items])
    return page.map(lambda row: {**row, "roles": roles.get(row["id"], [])})


async def get_user(user_id: UUID) -> dict[str, Any]:
    """Return a user with his roles; raises NotFoundError."""
    row = await User.select().where(User.id == user_id).first()
    if row is None:
        raise NotFoundError(f"There is no user {user_id}.", code="USER_NOT_FOUND")
    roles = await role_service.roles_of([user_id])
    return {**row, "roles": roles.get(user_id, [])}


async def create_user(
    *,
    username: str,
    password: str,
    email: str = "",
    full_name: str = "",
    roles: Sequence[str] = (),
    status: str = "active",
    must_change_password: bool = False,
    actor: Principal,
) -> dict[str, Any]:
    """Create a user; raises ConflictError when the name is taken, AuthorizationError for roles above the actor."""
    granted = await role_service.grantable(roles, actor)
    user = User(
        username=username.lower(),
        password_hash=await hash_password(password),
        email=email,
        full_name=full_name,
        status=status,
        must_change_password=must_change_password,
    )
    taken = ConflictError(f"The username {user.username} is taken.", code="USERNAME_TAKEN")
    with database.violations(users_username_key=taken):
        async with database.transaction():
            await User.insert(user)
            await _set_roles(user.id, [role["id"] for role in granted])
            await record(
                "user.create", actor, subject_type="user", subject_id=user.id, details={"username": user.username}
            )
    return await get_user(user.id)


async def update_user(user_id: UUID, changes: Mapping[str, Any], *, actor: Principal) -> dict[str, Any]:
    """Change a user's email, full_name, password, roles, status or must_change_password; absent ones stay."""
    values = dict(changes)
    roles = values.pop("roles", None)
    password = values.pop("password", None)
    granted = None if roles is None else await role_service.grantable(roles, actor)
    if password is not None:
        values["password_hash"] = await hash_password(password)
    async with database.transaction():
        before = await _editable(user_id, actor)
        if roles is not None or values.get("status", "active") != "active":
            await _keep_a_super_admin(user_id, roles=before["roles"] if roles is None else roles, **values)
        columns = dict[Column | str, Any](values.items())
        columns["updated_at"] = now()
        await User.update(columns, force=True).where(User.id == user_id)
        if granted is not None:
            await _set_roles(user_id, [role["id"] for role in granted])
        if password is not None or values.get("status", "active") != "active":
            await end_sessions(user_id)
        await record("user.update", actor, subject_type="user", subject_id=user_id, details=_audited(before, changes))
    return await get_user(user_id)


async def delete_user(user_id: UUID, *, actor: Principal) -> None:
    """Delete a user with his sessions; raises ConflictError for the last super_admin."""
    async with database.transaction():
        before = await _editable(user_id, actor)
        await _keep_a_super_admin(user_id, roles=())
        await User.delete().where(User.id == user_id)
        await record(
            "user.delete", actor, subject_type="user", subject_id=user_id, details={"username": before["username"]}
        )


async def create_admin(username: str, password: str, email: str = "") -> dict[str, Any]:
    """Create a super_admin, as the server's own command line does for the first user."""
    await role_service.seed_roles()
    return await create_user(username=username, password=password, email=email, roles=[SUPER_ADMIN], actor=SYSTEM)


async def end_sessions(user_id: UUID) -> None:
    """Revoke all of a user's sessions."""
    await Session.update({Session.revoked_at: now()}).where((Session.user == user_id) & Session.revoked_at.is_null())


async def _editable(user_id: UUID, actor: Principal) -> dict[str, Any]:
    """Return a user whom the actor may change: one who holds nothing that the actor does not."""
    user = await get_user(user_id)
    excess = await role_service.permissions_of(user["roles"]) - actor.permissions
    if excess and user_id != actor.user_id:
        raise AuthorizationError(
            f"{user['username']} holds permissions that {actor.username} does not; it takes somebody who does.",
            code="USER_ABOVE_ACTOR",
            details={"permissions": sorted(excess)},
        )
    return user


async def _keep_a_super_admin(user_id: UUID, *, roles: Iterable[str], status: str = "active", **_: Any) -> None:
    """Raise ConflictError when a change would leave no active super_admin; changes wait for each other here."""
    rows = await database.fetch("SELECT id FROM roles WHERE name = $1 FOR UPDATE", SUPER_ADMIN)
    if not rows or (SUPER_ADMIN in roles and status == "active"):
        return
    others = await database.fetch_one(
        "SELECT count(*) FILTER (WHERE u.id <> $2) AS others, count(*) FILTER (WHERE u.id = $2) AS himself "
        "FROM grants g JOIN users u ON u.id = g.\"user\" WHERE g.role = $1 AND u.status = 'active'",
        rows[0]["id"],
        user_id,
    )
    if others is not None and others["himself"] and not others["others"]:
        raise ConflictError(
            "This is the last active super_admin. Make somebody else one first.", code="LAST_SUPER_ADMIN"
        )


async def _set_roles(user_id: UUID, role_ids: Sequence[UUID]) -> None:
    await Grant.delete().where(Grant.user == user_id)
    if role_ids:
        await Grant.insert(*(Grant(user=user_id, role=role_id) for role_id in role_ids))


def _matching(q: str) -> Any:
    pattern = "%" + q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    return User.username.ilike(pattern) | User.full_name.ilike(pattern) | User.email.ilike(pattern)


def _audited(before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what changed, from and to; of a password only that it did."""
    plain = {name: {"from": before[name], "to": value} for name, value in changes.items() if name != "password"}
    return {**plain, **({"password": "changed"} if "password" in changes else {})}
