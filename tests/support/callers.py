"""Callers of the API: clients that speak to an application in this process, logged in with exactly some permissions."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, cast
from uuid import UUID

import httpx
import msgspec
from litestar import Litestar

from app.identity.authentication import Tokens, open_session
from app.identity.tables import Grant, Role, User

AsUser = Callable[..., Awaitable[httpx.AsyncClient]]
ADDRESS = "http://testserver"
UNUSABLE_HASH = "$2b$04$" + "." * 53


def open_client(app: Litestar, *, token: str | None = None, peer: str = "127.0.0.1") -> httpx.AsyncClient:
    """Return a client of an application, with a bearer token when one is given."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    transport = httpx.ASGITransport(app=cast("Any", app), client=(peer, 50000))
    return httpx.AsyncClient(transport=transport, base_url=ADDRESS, headers=headers)


async def make_user(username: str, permissions: Iterable[str], *, password_hash: str = UNUSABLE_HASH) -> UUID:
    """Insert a user who holds exactly these permissions, through a role of his own."""
    user = User(username=username, password_hash=password_hash)
    codes = msgspec.json.encode(sorted(permissions)).decode()
    role = Role(name=f"role_of_{username}", permissions=codes)
    await User.insert(user)
    await Role.insert(role)
    await Grant.insert(Grant(user=user.id, role=role.id))
    return user.id


async def give_role(user_id: UUID, role_name: str) -> None:
    """Give a user a role."""
    role = await Role.select(Role.id).where(Role.name == role_name).first()
    assert role is not None
    await Grant.insert(Grant(user=user_id, role=role["id"]))


async def log_in(user_id: UUID) -> Tokens:
    """Open a session for a user without asking for his password."""
    tokens, _ = await open_session(user_id)
    return tokens
