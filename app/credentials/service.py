"""Credentials: create, list, read, change, delete and reveal them; every act on one is audited."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from anyio import to_thread
from piccolo.columns import Column
from piccolo.custom_types import Combinable
from redis import Redis

from app.core import database, trials
from app.core.access import SYSTEM, Principal
from app.core.clock import now, uuid7
from app.core.errors import ConflictError, Fault, NotFoundError, ValidationError
from app.core.matching import contains, every, has_entry, read_id
from app.core.paging import Ordering, Page, PageRequest, read_page
from app.credentials.references import references_to
from app.credentials.rules import find_faults, identity_of, type_of, with_defaults, without_empty
from app.credentials.schemas import (
    CredentialCreate,
    CredentialFilter,
    CredentialRead,
    CredentialUpdate,
    FieldRead,
    TypeRead,
    status_of,
)
from app.credentials.tables import Credential
from app.credentials.types import TYPES, CredentialType
from app.credentials.vault import seal, unseal
from app.system import service as audit

SUBJECT = "credential"
MAX_USERNAME_CHARS = 255
ORDERING = Ordering(
    columns={
        "name": Credential.name,
        "credential_type": Credential.credential_type,
        "username": Credential.username,
        "environment": Credential.environment,
        "status": Credential.status,
        "created_at": Credential.created_at,
    },
    key=Credential.id,
    default="name",
)


_UNBLOCKED: dict[Column | str, Any] = {"blocked_at": None, "blocked_reason": ""}


def list_types() -> list[TypeRead]:
    """Return every credential type with its fields."""
    return [
        TypeRead(
            name=one.name,
            label=one.label,
            fields=[msgspec.convert(field, FieldRead, from_attributes=True) for field in one.fields],
        )
        for one in TYPES.values()
    ]


async def list_credentials(filters: CredentialFilter, request: PageRequest) -> Page[dict[str, Any]]:
    """Return a page of the living credentials' metadata."""
    page = await read_page(Credential, request, ORDERING, _where(filters, now()))
    return page.map(_shown)


async def get_credential(credential_id: UUID) -> CredentialRead:
    """Return a credential's metadata; raises NotFoundError."""
    return _read(await _find(credential_id))


async def reveal_credential(credential_id: UUID, actor: Principal) -> CredentialRead:
    """Return a credential with its secrets, and put on record who read them; raises NotFoundError."""
    async with database.transaction():
        row = await _find(credential_id)
        fields = unseal(row["id"], row["credential_type"], row["sealed"])
        await _record("reveal", actor, row)
    return _read(row, data=with_defaults(type_of(row["credential_type"]), fields))


async def create_credential(given: CredentialCreate, actor: Principal) -> CredentialRead:
    """Seal and store a credential; raises ValidationError with every fault, ConflictError for a taken name."""
    credential_type = type_of(given.credential_type)
    _refuse(
        [
            *_metadata_faults(given.name, given.valid_from, given.valid_until),
            *find_faults(credential_type, given.data),
        ]
    )
    fields = without_empty(given.data)
    credential = Credential(
        id=uuid7(),
        name=given.name,
        living_name=given.name,
        credential_type=credential_type.name,
        username=identity_of(credential_type, fields)[:MAX_USERNAME_CHARS],
        description=given.description,
        environment=given.environment,
        tags=_tags(given.tags),
        valid_from=given.valid_from,
        valid_until=given.valid_until,
    )
    credential.sealed = seal(credential.id, credential_type.name, fields)
    with _taken(given.name):
        async with database.transaction():
            await Credential.insert(credential)
            if given.is_default:
                await _make_default(credential_type.name, credential.id, wanted=True)
            row = await _find(credential.id)
            await _record("create", actor, row)
    return _read(row)


async def update_credential(credential_id: UUID, given: CredentialUpdate, actor: Principal) -> CredentialRead:
    """Change what was sent and leave the rest, the other secret fields too."""
    changes = given.given()
    with _taken(str(changes.get("name"))):
        async with database.transaction():
            row = await _find(credential_id, lock=True)
            await Credential.update(_changed_columns(row, changes)).where(Credential.id == credential_id)
            if "is_default" in changes:
                await _make_default(row["credential_type"], credential_id, wanted=changes["is_default"])
            await _record("update", actor, row, changed=_changed_names(changes))
            row = await _find(credential_id)
    return _read(row)


async def block_credential(credential_id: UUID, version: int, reason: str) -> None:
    """Mark a version of a credential as one that is tried nowhere, and put that on record, unless it is marked."""
    async with database.transaction():
        row = await database.fetch_one(
            "UPDATE credentials SET blocked_at = now(), blocked_reason = $3 "
            "WHERE id = $1 AND version = $2 AND blocked_at IS NULL AND deleted_at IS NULL "
            "RETURNING id, name, credential_type",
            credential_id,
            version,
            reason,
        )
        if row is not None:
            await _record("block", SYSTEM, row)


async def unblock_credential(credential_id: UUID, actor: Principal, redis: Redis) -> CredentialRead:
    """Have a credential be tried again, as if nothing had refused it; raises NotFoundError.

    What was counted is forgotten before the mark goes: else the next login would set it again.
    """
    async with database.transaction():
        row = await _find(credential_id, lock=True)
        await to_thread.run_sync(trials.forget, redis, str(credential_id), row["version"])
        await Credential.update(_UNBLOCKED).where(Credential.id == credential_id)
        await _record("unblock", actor, row)
        row = await _find(credential_id)
    return _read(row)


async def delete_credential(credential_id: UUID, actor: Principal) -> None:
    """Delete a credential and destroy its secrets; raises ConflictError naming what still refers to it."""
    async with database.transaction():
        row = await _find(credential_id, lock=True)
        references = await references_to(credential_id)
        if references:
            names = ", ".join(f"{one['type']} {one['name']}" for one in references)
            raise ConflictError(
                f"The credential {row['name']} is still used by {names}. Unassign it there first.",
                code="CREDENTIAL_IN_USE",
                details={"references": references},
            )
        await Credential.update(
            {
                Credential.deleted_at: now(),
                Credential.living_name: None,
                Credential.default_for: None,
                Credential.sealed: b"",
            }
        ).where(Credential.id == credential_id)
        await _record("delete", actor, row)


async def names_of(credential_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Return the names of those of the ids that living credentials bear."""
    rows = await database.fetch(
        "SELECT id, name FROM credentials WHERE id = ANY($1) AND deleted_at IS NULL", list(credential_ids)
    )
    return {row["id"]: row["name"] for row in rows}


async def types_of(references: Collection[str]) -> dict[str, CredentialType]:
    """Return the types of those living credentials that some names and ids mean, by name or id."""
    ids = {meant: reference for reference in references if (meant := read_id(reference))}
    rows = await database.fetch(
        "SELECT id, living_name, credential_type FROM credentials "
        "WHERE deleted_at IS NULL AND (id = ANY($1) OR living_name = ANY($2))",
        list(ids),
        list(references),
    )
    found: dict[str, CredentialType] = {}
    for row in rows:
        for reference in {ids.get(row["id"]), row["living_name"]}:
            if reference is not None and reference in references:
                found[reference] = type_of(row["credential_type"])
    return found


def _changed_columns(row: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[Column | str, Any]:
    after = {**row, **changes}
    faults = _metadata_faults(after["name"], after["valid_from"], after["valid_until"])
    if row["status"] == "revoked" and after["status"] != "revoked":
        raise ConflictError(
            "A revoked credential stays revoked. Create a new one in its place.", code="CREDENTIAL_REVOKED"
        )
    columns: dict[Column | str, Any] = {
        name: value for name, value in changes.items() if name not in {"data", "is_default"}
    }
    columns |= {"living_name": after["name"], "tags": _tags(after["tags"]), "updated_at": now()}
    if "data" in changes:
        columns |= _resealed(row, changes["data"], faults)
    _refuse(faults)
    return columns


def _resealed(row: Mapping[str, Any], changes: Mapping[str, Any], faults: list[Fault]) -> dict[Column | str, Any]:
    """Return the columns of a credential whose fields changed; what is wrong with them is added to ``faults``."""
    credential_type = type_of(row["credential_type"])
    merged = {**unseal(row["id"], row["credential_type"], row["sealed"]), **changes}
    faults += find_faults(credential_type, merged)
    fields = without_empty(merged)
    return {
        "sealed": seal(row["id"], row["credential_type"], fields),
        "username": identity_of(credential_type, fields)[:MAX_USERNAME_CHARS],
        "version": row["version"] + 1,
        **_UNBLOCKED,
    }


def _changed_names(changes: Mapping[str, Any]) -> list[str]:
    plain = [name for name in changes if name != "data"]
    return sorted([*plain, *(f"data.{name}" for name in changes.get("data", ()))])


def _metadata_faults(name: str, valid_from: datetime | None, valid_until: datetime | None) -> list[Fault]:
    faults = []
    if read_id(name) is not None:
        faults.append(Fault(field="name", message="must not look like an id; nobody could tell which is meant"))
    if valid_from is not None and valid_until is not None and valid_until <= valid_from:
        faults.append(Fault(field="valid_until", message="must be later than valid_from"))
    return faults


def _refuse(faults: list[Fault]) -> None:
    if faults:
        raise ValidationError("; ".join(f"{fault['field']}: {fault['message']}" for fault in faults), faults)


async def _make_default(credential_type: str, credential_id: UUID, *, wanted: bool) -> None:
    """Make a credential the default of its type, in place of the one that is; or no longer the default."""
    held = Credential.update({Credential.default_for: None}).where(Credential.default_for == credential_type)
    await (held if wanted else held.where(Credential.id == credential_id))
    if wanted:
        await Credential.update({Credential.default_for: credential_type}).where(Credential.id == credential_id)


async def _find(credential_id: UUID, *, lock: bool = False) -> dict[str, Any]:
    query = (
        Credential.select()
        .where(Credential.id == credential_id, Credential.deleted_at.is_null())
        .output(load_json=True)
        .first()
    )
    row: dict[str, Any] | None = await (query.lock_rows() if lock else query)
    if row is None:
        raise NotFoundError(f"There is no credential {credential_id}.", code="CREDENTIAL_NOT_FOUND")
    return row


def _where(filters: CredentialFilter, at: datetime) -> Combinable:
    conditions: list[Combinable] = [Credential.deleted_at.is_null()]
    for column, value in (
        (Credential.living_name, filters.name),
        (Credential.credential_type, filters.credential_type),
        (Credential.environment, filters.environment),
        (Credential.username, filters.username),
    ):
        if value is not None:
            conditions.append(column == value)
    if filters.q:
        conditions.append(contains((Credential.name, Credential.username), filters.q))
    if filters.tag is not None:
        conditions.append(has_entry(Credential.tags, filters.tag))
    if filters.status is not None:
        conditions.append(_has_status(filters.status, at))
    return every(conditions)


def _has_status(status: str, at: datetime) -> Combinable:
    if status == "expired":
        return (Credential.status == "active") & (Credential.valid_until <= at)
    if status == "active":
        return (Credential.status == "active") & (Credential.valid_until.is_null() | (Credential.valid_until > at))
    return Credential.status == status


def _tags(tags: list[str]) -> str:
    return msgspec.json.encode(list(dict.fromkeys(tags))).decode()


def _read(row: Mapping[str, Any], **more: Any) -> CredentialRead:
    return CredentialRead.of(_shown(row), **more)


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as it is shown: without what is sealed, with what follows from the rest."""
    plain = {name: value for name, value in row.items() if name != "sealed"}
    return {**plain, "status": status_of(row, now()), "is_default": row["default_for"] is not None}


def _taken(name: str) -> Any:
    return database.violations(
        credentials_living_name_key=ConflictError(
            f"There is a credential named {name} already. Choose another name, or change that one.",
            code="CREDENTIAL_EXISTS",
        )
    )


async def _record(verb: str, actor: Principal, row: Mapping[str, Any], **details: Any) -> None:
    await audit.record(
        f"credentials.credential.{verb}",
        actor,
        subject_type=SUBJECT,
        subject_id=row["id"],
        details={"name": row["name"], "credential_type": row["credential_type"], **details},
    )
