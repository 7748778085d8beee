"""Who acts in the background: a user with the permissions he holds by now, without a session."""

from uuid import UUID

import msgspec

from app.core import database
from app.core.access import PERMISSIONS, SYSTEM, Principal
from app.core.errors import AuthorizationError


async def find_principal(user_id: UUID) -> Principal | None:
    """Return an active user with the permissions he holds now, or None."""
    row = await database.fetch_one(
        "SELECT u.username, coalesce(jsonb_agg(DISTINCT code) FILTER (WHERE code IS NOT NULL), '[]') AS permissions "
        'FROM users u LEFT JOIN grants g ON g."user" = u.id LEFT JOIN roles r ON r.id = g.role '
        "LEFT JOIN LATERAL jsonb_array_elements_text(r.permissions) AS code ON true "
        "WHERE u.id = $1 AND u.status = 'active' GROUP BY u.id, u.username",
        user_id,
    )
    if row is None:
        return None
    held = frozenset(msgspec.json.decode(row["permissions"], type=list[str]))
    return Principal(user_id=user_id, username=row["username"], permissions=held & PERMISSIONS.keys())


async def acting_user(user_id: UUID) -> Principal:
    """Return a user as he may act now; raises AuthorizationError for one who is disabled, or there no more."""
    if user_id == SYSTEM.user_id:
        return SYSTEM
    found = await find_principal(user_id)
    if found is None:
        raise AuthorizationError("The user who started this is disabled, or there no more. Let somebody else start it.")
    return found
