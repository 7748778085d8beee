"""Host keys of devices: listed, accepted and forgotten by people, looked up and learned by the sessions of a shard."""

import binascii
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from app.core import database
from app.core.access import Principal
from app.core.batching import Batches
from app.core.clock import now, uuid7
from app.core.errors import ConflictError, NotFoundError, ValidationError
from app.devices.schemas import HostKeyAccept, HostKeyRead
from app.devices.service import find_device, record
from inventory.host_keys import HostKeyPolicy, KnownKey, ShownKey
from inventory.platforms import PLATFORMS, SSH_PORT
from inventory.records import HostRecord

MOST_KEYS = 16
RARELY = timedelta(days=1)
"""How old ``last_seen`` gets before it is written again."""
_COLUMNS = "id, key_type, fingerprint, public_key, address, port, accepted_by, first_seen, last_seen"

Run = Callable[[Callable[[], Coroutine[Any, Any, Any]]], Any]
"""Runs what a function asks of the database, in the thread of the database."""
Seen = tuple[HostRecord, ShownKey]


async def list_host_keys(device_id: UUID) -> list[HostKeyRead]:
    """Return the keys that a device is known by, the first first; raises NotFoundError."""
    await find_device(device_id)
    rows = await database.fetch(
        f"SELECT {_COLUMNS} FROM device_host_keys WHERE device = $1 ORDER BY first_seen, id",  # noqa: S608 — ours
        device_id,
    )
    return [HostKeyRead.of(row, accepted_by=row["accepted_by"] or None) for row in rows]


async def accept_host_key(device_id: UUID, given: HostKeyAccept, actor: Principal) -> HostKeyRead:
    """Let a device be known by a key; raises NotFoundError, ValidationError, ConflictError where it has too many."""
    async with database.transaction():
        device = await find_device(device_id, lock=True)
        platform = PLATFORMS.get(device["platform"])
        port = device["port"] or (platform.port if platform else SSH_PORT)
        shown = _read_key(given.public_key, device["address"], port)
        forgotten = await _forget_others(device_id, shown.fingerprint) if given.replace else []
        await database.execute(
            "INSERT INTO device_host_keys (id, device, address, port, key_type, fingerprint, public_key, accepted_by, "
            "first_seen) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now()) "
            "ON CONFLICT (device, fingerprint) DO UPDATE SET accepted_by = EXCLUDED.accepted_by",
            *(uuid7(), device_id, shown.address, shown.port, shown.key_type, shown.fingerprint),
            *(shown.public_key, actor.username),
        )
        keys = await list_host_keys(device_id)
        if len(keys) > MOST_KEYS:
            raise ConflictError(f"A device has at most {MOST_KEYS} host keys. Forget one first, or replace them all.")
        await record(
            "accept_host_key", actor, device_id, name=device["name"], fingerprint=shown.fingerprint, forgotten=forgotten
        )
        return next(key for key in keys if key.fingerprint == shown.fingerprint)


async def forget_host_key(device_id: UUID, key_id: UUID, actor: Principal) -> None:
    """Forget a key; under trust on first use the next login takes whatever key it sees. Raises NotFoundError."""
    async with database.transaction():
        device = await find_device(device_id, lock=True)
        row = await database.fetch_one(
            "DELETE FROM device_host_keys WHERE id = $1 AND device = $2 RETURNING fingerprint", key_id, device_id
        )
        if row is None:
            raise NotFoundError(f"There is no host key {key_id} of {device['name']}.", code="HOST_KEY_NOT_FOUND")
        await record("forget_host_key", actor, device_id, name=device["name"], fingerprint=row["fingerprint"])


async def known_keys(device_ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Return the keys that devices are known by, as rows."""
    return await database.fetch(
        "SELECT device, key_type, fingerprint, first_seen, last_seen FROM device_host_keys "
        "WHERE device = ANY($1) ORDER BY first_seen, id",
        list(device_ids),
    )


async def learn_keys(seen: Sequence[Seen]) -> list[dict[str, Any]]:
    """Keep the first keys of devices that have none yet; return the rows of what they are known by then.

    Two workers that see a new device at once agree: the second waits for the first, and finds that it has a key.
    """
    first = {UUID(host.key): key for host, key in reversed(seen)}
    ids = sorted(first)
    async with database.transaction():
        await database.fetch("SELECT id FROM devices WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", ids)
        keys = [first[device] for device in ids]
        await database.execute(
            "INSERT INTO device_host_keys "
            "(id, device, address, port, key_type, fingerprint, public_key, accepted_by, first_seen, last_seen) "
            "SELECT seen.*, '', now(), now() FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::text[], "
            "$6::text[], $7::text[]) AS seen (id, device, address, port, key_type, fingerprint, public_key) "
            "WHERE EXISTS (SELECT FROM devices d WHERE d.id = seen.device) "
            "AND NOT EXISTS (SELECT FROM device_host_keys k WHERE k.device = seen.device)",
            *([uuid7() for _ in ids], ids, [key.address for key in keys], [key.port for key in keys]),
            *([key.key_type for key in keys], [key.fingerprint for key in keys], [key.public_key for key in keys]),
        )
        return await known_keys(ids)


async def touch_keys(seen: Sequence[Seen]) -> None:
    """Note that devices showed keys that they are known by."""
    await database.execute(
        "UPDATE device_host_keys k SET last_seen = now() FROM unnest($1::uuid[], $2::text[]) AS seen (device, shown) "
        "WHERE k.device = seen.device AND k.fingerprint = seen.shown",
        [UUID(host.key) for host, _ in seen],
        [key.fingerprint for _, key in seen],
    )


class HostKeyBook:
    """The host keys of some devices, in a worker: read in one query when the first is wanted, written in batches."""

    def __init__(self, run: Run, records: Sequence[HostRecord], policy: HostKeyPolicy) -> None:
        self.policy = policy
        self._run = run
        self._ids = [UUID(host.id) for host in _with_jump_hosts(records) if host.id is not None]
        self._rows: dict[str, list[dict[str, Any]]] | None = None
        self._learning = Batches(self._keep)
        self._touching: Batches[Seen] = Batches(lambda seen: run(lambda: touch_keys(seen)))
        self._reading = Batches(self._read)

    def known(self, record: HostRecord) -> Sequence[KnownKey]:
        """Return the keys that a device is known by."""
        if self._rows is None:
            self._reading.put(None)
        return [_known(row) for row in (self._rows or {}).get(record.key, ())]

    def saw(self, record: HostRecord, key: ShownKey) -> None:
        """Note that a device showed a key that it is known by, unless that was noted lately."""
        for row in (self._rows or {}).get(record.key, ()):
            if row["fingerprint"] == key.fingerprint and (row["last_seen"] or row["first_seen"]) < now() - RARELY:
                row["last_seen"] = now()
                self._touching.put((record, key))

    def learn(self, record: HostRecord, key: ShownKey) -> Sequence[KnownKey]:
        """Keep the first key of a device, unless it is known by another one meanwhile."""
        if record.id is not None:
            self._learning.put((record, key))
        return self.known(record)

    def _read(self, _: Sequence[None]) -> None:
        if self._rows is None:
            self._rows = _by_device(self._run(lambda: known_keys(self._ids)))

    def _keep(self, seen: Sequence[Seen]) -> None:
        self._rows = {**(self._rows or {}), **_by_device(self._run(lambda: learn_keys(seen)))}


def _with_jump_hosts(records: Sequence[HostRecord]) -> list[HostRecord]:
    found = {host.key: host for host in records}
    for host in records:
        before = host.jump
        while before is not None:
            found[before.key], before = before, before.jump
    return list(found.values())


def _by_device(rows: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(str(row["device"]), []).append(row)
    return found


def _known(row: dict[str, Any]) -> KnownKey:
    return KnownKey(
        key_type=row["key_type"], fingerprint=row["fingerprint"], since=row["first_seen"].date().isoformat()
    )


async def _forget_others(device_id: UUID, fingerprint: str) -> list[str]:
    rows = await database.fetch(
        "DELETE FROM device_host_keys WHERE device = $1 AND fingerprint <> $2 RETURNING fingerprint",
        device_id,
        fingerprint,
    )
    return [row["fingerprint"] for row in rows]


def _read_key(text: str, address: str, port: int) -> ShownKey:
    """Read a key; raises ValidationError unless its blob is of the kind that stands before it."""
    kind, _, rest = text.strip().partition(" ")
    shown = ShownKey(address=address, port=port, key_type=kind, public_key=rest.split(" ")[0])
    try:
        blob = binascii.a2b_base64(shown.public_key, strict_mode=True)
    except binascii.Error as error:
        raise ValidationError.of("public_key", f"is no key: {error}; paste it as `ssh-ed25519 AAAA…`") from error
    length = int.from_bytes(blob[:4], "big")
    if blob[4 : 4 + length] != kind.encode() or len(blob) <= 4 + length:
        raise ValidationError.of("public_key", f"is no key of the kind {kind!r}; paste it as `ssh-ed25519 AAAA…`")
    return shown
