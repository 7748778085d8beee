"""Credentials on their way into a session: which may be opened, and the record of every opening."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from app.core import database
from app.core.access import SYSTEM, Principal
from app.core.clock import now
from app.core.crypto import DecryptionError
from app.core.errors import NotFoundError
from app.core.matching import read_id
from app.credentials.rules import type_of, with_defaults
from app.credentials.vault import unseal
from app.system import service as audit
from inventory.records import Login, LoginIdentity

USED_EVERY_S = 60
"""``last_used_at`` moves at most this often, or a fleet's logins would queue up for one row."""


class NoLoginError(NotFoundError, LookupError):
    """There is no credential that may be opened for this; the message says why."""

    code = "NO_CREDENTIAL"


@dataclass(frozen=True, kw_only=True)
class Use:
    """Why a credential is opened: by whom, and what the audit trail is to say of the occasion."""

    actor: Principal = SYSTEM
    details: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """A credential before it is opened: what is known of it, and its sealed fields."""

    row: Mapping[str, Any] = field(repr=False)

    @property
    def identity(self) -> LoginIdentity:
        """Return which login it would be."""
        return LoginIdentity(
            credential_id=str(self.row["id"]),
            credential_name=self.row["name"],
            version=self.row["version"],
            blocked=self.row["blocked_reason"] if self.row["blocked_at"] else "",
        )

    def open(self) -> Login:
        """Open it, on no record yet; raises NoLoginError for a damaged one."""
        return _login(self.row)


async def open_credential(credential_id: UUID, use: Use | None = None) -> Login:
    """Open one credential; raises NoLoginError for one that is expired, disabled, revoked, deleted or damaged."""
    (login,) = await _open_all(await _find_one(credential_id), use or Use())
    return login


async def open_fitting(reference: str, types: Collection[str], use: Use | None = None) -> Login:
    """Open the credential of an id or a name, whose type is one of some, if any are given; raises NoLoginError."""
    (row,) = await _find_one(read_id(reference) or reference)
    if types and row["credential_type"] not in types:
        wanted = " or ".join(types)
        raise NoLoginError(
            f"The credential {row['name']} is of type {row['credential_type']}, and {wanted} is needed here."
        )
    (login,) = await _open_all([row], use or Use())
    return login


async def check_with(
    reference: str, credential_type: str, check: Callable[[Login], bool], use: Use | None = None
) -> bool:
    """Say whether a check holds with the credential of an id or a name; raises NoLoginError.

    Put on record only where it holds: strangers who try a secret would fill the audit trail.
    """
    (row,) = await _find_one(read_id(reference) or reference)
    _require_type(row, credential_type)
    if not check(_login(row)):
        return False
    await _open_all([row], use or Use())
    return True


async def find_sealed(candidates: Collection[UUID], credential_type: str) -> list[Sealed]:
    """Return the living ones of the candidates that are of a type, and the type's default."""
    rows = await database.fetch(
        f"SELECT {_COLUMNS} FROM credentials "  # noqa: S608 — the columns are ours
        "WHERE (id = ANY($1) OR default_for = $2) AND credential_type = $2 AND deleted_at IS NULL",
        list(candidates),
        credential_type,
    )
    return [Sealed(row=row) for row in rows]


async def find_sealed_named(reference: str, credential_type: str) -> Sealed:
    """Return the credential of an id or a name, which must be of a type and may be opened now; raises NoLoginError."""
    (row,) = await _find_one(read_id(reference) or reference)
    _require_type(row, credential_type)
    return Sealed(row=row)


def usable(found: Iterable[Sealed], credential_type: str) -> list[Sealed]:
    """Return those that may be opened now, in their order.

    Raises NoLoginError when nothing is left, with what became of each.
    """
    at, left, reasons = now(), [], []
    for one in found:
        reason = why_barred(one.row, at)
        if reason is None:
            left.append(one)
        else:
            reasons.append(reason)
    if not left:
        raise NoLoginError(_nothing_left(credential_type, reasons))
    return left


async def record_uses(uses: Sequence[tuple[Sealed, Use]]) -> None:
    """Put on record that credentials were opened, in one go."""
    async with database.transaction():
        await database.execute(
            "UPDATE credentials SET last_used_at = now() WHERE id IN (SELECT id FROM credentials WHERE id = ANY($1) "
            "AND (last_used_at IS NULL OR last_used_at < now() - make_interval(secs => $2)) "
            "FOR UPDATE SKIP LOCKED)",
            list({one.row["id"] for one, _ in uses}),
            USED_EVERY_S,
        )
        await audit.record_all(
            audit.Act(
                action="credentials.credential.use",
                actor=use.actor,
                subject_type="credential",
                subject_id=one.row["id"],
                details={"name": one.row["name"], **(use.details or {})},
            )
            for one, use in uses
        )


def why_barred(row: Mapping[str, Any], at: datetime) -> str | None:
    """Say why a credential may not be opened at a moment, or None where it may."""
    if row["status"] != "active":
        return f"{row['name']} is {row['status']}"
    if row["valid_from"] is not None and at < row["valid_from"]:
        return f"{row['name']} is valid only from {row['valid_from']:%Y-%m-%d %H:%M} UTC"
    if row["valid_until"] is not None and at >= row["valid_until"]:
        return f"{row['name']} expired on {row['valid_until']:%Y-%m-%d %H:%M} UTC"
    return None


_COLUMNS = (
    "id, name, credential_type, sealed, version, status, valid_from, valid_until, default_for, "
    "blocked_at, blocked_reason"
)


async def _find_one(reference: UUID | str) -> list[dict[str, Any]]:
    column = "id" if isinstance(reference, UUID) else "living_name"
    rows = await database.fetch(
        f"SELECT {_COLUMNS} FROM credentials WHERE {column} = $1 AND deleted_at IS NULL",  # noqa: S608 — ours
        reference,
    )
    if not rows:
        raise NoLoginError(f"There is no credential {reference}.")
    reason = why_barred(rows[0], now())
    if reason is not None:
        raise NoLoginError(f"The credential {reason}.")
    return rows


def _require_type(row: Mapping[str, Any], credential_type: str) -> None:
    if row["credential_type"] != credential_type:
        raise NoLoginError(
            f"The credential {row['name']} is of type {row['credential_type']}, and {credential_type} is needed here."
        )


async def _open_all(rows: Sequence[Mapping[str, Any]], use: Use) -> list[Login]:
    logins = [_login(row) for row in rows]
    await record_uses([(Sealed(row=row), use) for row in rows])
    return logins


def _login(row: Mapping[str, Any]) -> Login:
    try:
        fields = unseal(row["id"], row["credential_type"], row["sealed"])
    except DecryptionError as error:
        raise NoLoginError(f"The credential {row['name']} cannot be opened: {error}") from error
    credential_type = type_of(row["credential_type"])
    return Login(
        credential_id=str(row["id"]),
        credential_name=row["name"],
        credential_type=row["credential_type"],
        version=row["version"],
        fields=with_defaults(credential_type, fields),
        secret_fields=frozenset(field.name for field in credential_type.fields if field.secret),
    )


def _nothing_left(credential_type: str, reasons: Iterable[str]) -> str:
    listed = "; ".join(reasons)
    if listed:
        return f"No {credential_type} credential may be used: {listed}."
    return (
        f"No {credential_type} credential is assigned to it or to its groups, and none is the default. "
        "Assign one at /credentials/v1/assignments, or make one the default of its type."
    )
