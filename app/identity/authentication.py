"""Logins and their sessions: opaque tokens of which only hashes are kept, refresh that rotates, revocation."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec
from redis import Redis

from app.core import context, database
from app.core.access import PERMISSIONS, Principal
from app.core.clock import now, uuid7
from app.core.errors import AuthenticationError, NotFoundError
from app.identity.attempts import Attempts
from app.identity.passwords import verify_password
from app.identity.tables import Session, User
from app.system.service import record

Kind = Literal["bearer", "cookie"]

ACCESS_LIFETIME = timedelta(hours=1)
REFRESH_LIFETIME = timedelta(days=7)
COOKIE_LIFETIME = timedelta(hours=8)
TOKEN_BYTES = 32
NOBODY = UUID(int=0)
REFUSED = "The username or the password is wrong, or the account is not active."
REFRESH_REFUSED = "The refresh token is unknown, spent, expired or revoked. Log in again."
LIVING = "revoked_at IS NULL AND refreshed_at IS NULL"


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """A session's tokens, in clear for the only time."""

    access_token: str
    refresh_token: str
    expires_in_s: int


async def login(username: str, password: str, *, redis: Redis, user_agent: str = "", kind: Kind = "bearer") -> Tokens:
    """Open a session; raises AuthenticationError with one message for every cause, RateLimitError, both audited."""
    attempts = Attempts(redis, username, context.current().address)
    await attempts.count()
    user = await User.select().where(User.username == username.lower()).first()
    right = await verify_password(password, None if user is None else user["password_hash"])
    if user is None or not right or user["status"] != "active":
        await _record_refusal(username, user, right=right)
        raise AuthenticationError(REFUSED, code="LOGIN_REFUSED")
    await attempts.forgive()
    principal = Principal(user_id=user["id"], username=user["username"])
    async with database.transaction():
        await _forget_expired(user["id"])
        tokens, session_id = await open_session(user["id"], kind=kind, user_agent=user_agent)
        await User.update({User.last_login_at: now()}).where(User.id == user["id"])
        await record("auth.login", principal, subject_type="session", subject_id=session_id, details={"kind": kind})
    return tokens


async def open_session(
    user_id: UUID, *, family: UUID | None = None, kind: Kind = "bearer", user_agent: str = ""
) -> tuple[Tokens, UUID]:
    """Open a session for a user who has proven himself; return its tokens and its id."""
    access_token, refresh_token = secrets.token_urlsafe(TOKEN_BYTES), secrets.token_urlsafe(TOKEN_BYTES)
    lifetime = ACCESS_LIFETIME if kind == "bearer" else COOKIE_LIFETIME
    begin = now()
    session = Session(
        user=user_id,
        family=family or uuid7(),
        kind=kind,
        access_hash=_hash(access_token),
        refresh_hash=_hash(refresh_token),
        access_expires_at=begin + lifetime,
        refresh_expires_at=begin + (REFRESH_LIFETIME if kind == "bearer" else COOKIE_LIFETIME),
        user_agent=user_agent.replace("\0", "")[:255],
        address=context.current().address,
    )
    await Session.insert(session)
    tokens = Tokens(access_token=access_token, refresh_token=refresh_token, expires_in_s=int(lifetime.total_seconds()))
    return tokens, session.id


async def refresh(refresh_token: str, *, user_agent: str = "") -> Tokens:
    """Exchange a refresh token for new tokens; a spent one coming back ends everything that its login led to."""
    async with database.transaction():
        spent = await database.fetch_one(
            "UPDATE sessions s SET refreshed_at = now() FROM users u WHERE u.id = s.\"user\" AND u.status = 'active' "
            "AND s.refresh_hash = $1 AND s.kind = 'bearer' AND s.revoked_at IS NULL AND s.refreshed_at IS NULL "
            "AND s.refresh_expires_at > now() RETURNING s.family, u.id AS user_id",
            _hash(refresh_token),
        )
        if spent is not None:
            tokens, _ = await open_session(
                spent["user_id"], family=spent["family"], kind="bearer", user_agent=user_agent
            )
            return tokens
    await _end_reused_family(refresh_token)
    raise AuthenticationError(REFRESH_REFUSED, code="REFRESH_REFUSED")


async def logout(principal: Principal) -> None:
    """End the session the caller came with."""
    if principal.session_id is not None:
        await revoke_session(principal.session_id, principal, action="auth.logout")


async def resolve(token: str, *, by_cookie: bool) -> Principal | None:
    """Return whose an access token is, with the permissions he holds now, or None."""
    row = await database.fetch_one(
        "SELECT s.id AS session_id, u.id AS user_id, u.username, "
        "coalesce(jsonb_agg(DISTINCT code) FILTER (WHERE code IS NOT NULL), '[]') AS permissions "
        'FROM sessions s JOIN users u ON u.id = s."user" '
        'LEFT JOIN grants g ON g."user" = u.id LEFT JOIN roles r ON r.id = g.role '
        "LEFT JOIN LATERAL jsonb_array_elements_text(r.permissions) AS code ON true "
        "WHERE s.access_hash = $1 AND s.kind = $2 AND s.revoked_at IS NULL AND s.refreshed_at IS NULL "
        "AND s.access_expires_at > now() AND u.status = 'active' GROUP BY s.id, u.id, u.username",
        _hash(token),
        "cookie" if by_cookie else "bearer",
    )
    if row is None:
        return None
    held = frozenset(msgspec.json.decode(row["permissions"], type=list[str]))
    return Principal(
        user_id=row["user_id"],
        username=row["username"],
        permissions=held & PERMISSIONS.keys(),
        session_id=row["session_id"],
        by_cookie=by_cookie,
    )


async def list_sessions(principal: Principal) -> list[dict[str, Any]]:
    """Return the caller's logins that still last, newest first."""
    rows = await database.fetch(
        f'SELECT * FROM sessions WHERE "user" = $1 AND {LIVING} AND refresh_expires_at > now() '  # noqa: S608 — a constant
        "ORDER BY created_at DESC LIMIT 500",
        principal.user_id,
    )
    return [{**row, "current": row["id"] == principal.session_id} for row in rows]


async def revoke_session(session_id: UUID, principal: Principal, *, action: str = "session.revoke") -> None:
    """End one of the caller's own logins; raises NotFoundError for anybody else's."""
    async with database.transaction():
        ended = await database.execute(
            "UPDATE sessions SET revoked_at = now() WHERE revoked_at IS NULL AND family = "
            '(SELECT family FROM sessions WHERE id = $1 AND "user" = $2)',
            session_id,
            principal.user_id,
        )
        if not ended:
            raise NotFoundError(f"You have no session {session_id} that still lasts.", code="SESSION_NOT_FOUND")
        await record(action, principal, subject_type="session", subject_id=session_id)


async def revoke_other_sessions(principal: Principal) -> int:
    """End all of the caller's logins but the one he came with, and return how many those were."""
    async with database.transaction():
        ended = await database.fetch(
            f'UPDATE sessions SET revoked_at = now() WHERE "user" = $1 AND {LIVING} AND id <> $2 RETURNING id',  # noqa: S608 — a constant
            principal.user_id,
            principal.session_id or NOBODY,
        )
        await record("session.revoke_others", principal, details={"sessions": len(ended)})
    return len(ended)


async def _end_reused_family(refresh_token: str) -> None:
    reused = await database.fetch_one(
        'SELECT s.id, s.family, u.id AS user_id, u.username FROM sessions s JOIN users u ON u.id = s."user" '
        "WHERE s.refresh_hash = $1 AND s.refreshed_at IS NOT NULL",
        _hash(refresh_token),
    )
    if reused is None:
        return
    async with database.transaction():
        ended = await database.execute(
            "UPDATE sessions SET revoked_at = now() WHERE family = $1 AND revoked_at IS NULL", reused["family"]
        )
        if ended:
            principal = Principal(user_id=reused["user_id"], username=reused["username"])
            await record(
                "auth.refresh_reuse", principal, subject_type="session", subject_id=reused["id"], outcome="failure"
            )


async def _record_refusal(username: str, user: dict[str, Any] | None, *, right: bool) -> None:
    reason = "unknown user" if user is None else f"account {user['status']}" if right else "wrong password"
    claimed = Principal(user_id=user["id"] if user else NOBODY, username=username[:150])
    await record("auth.login", claimed, outcome="failure", details={"reason": reason})


async def _forget_expired(user_id: UUID) -> None:
    await database.execute('DELETE FROM sessions WHERE "user" = $1 AND refresh_expires_at < now()', user_id)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
