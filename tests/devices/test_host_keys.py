"""Host keys of devices: accepted and forgotten over the API, learned once by however many workers, read at once."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncssh
import httpx
import pytest

from app.core import database as core_database
from app.core.access import SYSTEM
from app.core.clock import now
from app.devices import host_keys, service
from app.devices.host_keys import HostKeyBook, learn_keys
from app.devices.schemas import DeviceCreate, DeviceUpdate
from inventory.host_keys import ShownKey
from inventory.records import HostRecord

AsUser = Callable[..., Awaitable[httpx.AsyncClient]]
URL = "/inventory/v1/devices"
NOBODY = "0192f0c0-0000-7000-8000-000000000000"


def public_key(kind: str = "ssh-ed25519") -> str:
    return str(asyncssh.generate_private_key(kind).export_public_key("openssh").decode().strip())


def shown(text: str) -> ShownKey:
    kind, blob = text.split()[:2]
    return ShownKey(address="192.0.2.1", port=22, key_type=kind, public_key=blob)


async def new_device(client: httpx.AsyncClient, name: str = "r1") -> str:
    answer = await client.post(URL, json={"name": name, "address": "192.0.2.1", "platform": "cisco_ios"})
    return str(answer.json()["data"]["id"])


async def new_record(name: str = "r1") -> HostRecord:
    given = DeviceCreate(name=name, address="192.0.2.1", platform="cisco_ios")
    device = await service.create_device(given, SYSTEM)
    return (await service.host_records([device.id]))[0]


async def keys_of(client: httpx.AsyncClient, device: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get(f"{URL}/{device}/host-keys")).json()["data"]
    return found


async def test_a_key_is_accepted_listed_and_forgotten_on_record(admin: httpx.AsyncClient) -> None:
    device, key = await new_device(admin), public_key()
    accepted = await admin.post(f"{URL}/{device}/host-keys", json={"public_key": key})
    assert accepted.status_code == 201, accepted.text
    (listed,) = await keys_of(admin, device)
    assert listed == accepted.json()["data"]
    assert listed["fingerprint"] == shown(key).fingerprint
    assert (listed["key_type"], listed["accepted_by"], listed["last_seen"]) == ("ssh-ed25519", "admin", None)
    assert (await admin.delete(f"{URL}/{device}/host-keys/{listed['id']}")).status_code == 200
    assert await keys_of(admin, device) == []
    assert (await admin.delete(f"{URL}/{device}/host-keys/{listed['id']}")).status_code == 404
    rows = await core_database.fetch("SELECT action FROM audit_entries WHERE subject_id = $1 ORDER BY id", device)
    assert [row["action"].rsplit(".", 1)[-1] for row in rows][-2:] == ["accept_host_key", "forget_host_key"]


async def test_a_key_is_accepted_beside_others_or_in_their_place(admin: httpx.AsyncClient) -> None:
    device = await new_device(admin)
    keys = [public_key(), public_key("ecdsa-sha2-nistp256"), public_key("ssh-rsa")]
    for key in (*keys, keys[0]):
        await admin.post(f"{URL}/{device}/host-keys", json={"public_key": key})
    assert len(await keys_of(admin, device)) == 3
    await admin.post(f"{URL}/{device}/host-keys", json={"public_key": keys[2], "replace": True})
    assert [found["fingerprint"] for found in await keys_of(admin, device)] == [shown(keys[2]).fingerprint]


async def test_a_device_has_so_many_keys_and_no_more(admin: httpx.AsyncClient) -> None:
    device = await new_device(admin)
    for number in range(host_keys.MOST_KEYS + 1):
        answer = await admin.post(f"{URL}/{device}/host-keys", json={"public_key": public_key()})
        assert answer.status_code == (201 if number < host_keys.MOST_KEYS else 409)
    assert len(await keys_of(admin, device)) == host_keys.MOST_KEYS


@pytest.mark.parametrize(
    "text",
    [
        "ssh-ed25519 no-base64-at-all!",
        f"ssh-rsa {base64.b64encode(bytes(3) + bytes([11]) + b'ssh-ed25519' + bytes(36)).decode()}",
        f"ssh-ed25519 {base64.b64encode(b'abcdefghijkl').decode()}",
        "SHA256:abcdefghijklmnopqrstuvwxyz",
    ],
)
async def test_what_is_no_key_is_refused(admin: httpx.AsyncClient, text: str) -> None:
    answer = await admin.post(f"{URL}/{await new_device(admin)}/host-keys", json={"public_key": text})
    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["field"] == "public_key"


async def test_there_are_no_keys_of_nobody(admin: httpx.AsyncClient) -> None:
    assert (await admin.get(f"{URL}/{NOBODY}/host-keys")).status_code == 404
    assert (await admin.post(f"{URL}/{NOBODY}/host-keys", json={"public_key": public_key()})).status_code == 404


async def test_who_may_only_look_cannot_accept_or_forget(admin: httpx.AsyncClient, as_user: AsUser) -> None:
    viewer, device = await as_user("devices.device.view"), await new_device(admin)
    assert (await viewer.get(f"{URL}/{device}/host-keys")).status_code == 200
    assert (await viewer.post(f"{URL}/{device}/host-keys", json={"public_key": public_key()})).status_code == 403
    assert (await viewer.delete(f"{URL}/{device}/host-keys/{NOBODY}")).status_code == 403


@pytest.mark.usefixtures("database")
async def test_of_workers_that_see_a_new_device_at_once_one_is_believed() -> None:
    record, keys = await new_record(), [shown(public_key()) for _ in range(8)]
    answers = await asyncio.gather(*(learn_keys([(record, key)]) for key in keys))
    believed = {row["fingerprint"] for rows in answers for row in rows}
    assert len(believed) == 1
    assert believed < {key.fingerprint for key in keys}


@pytest.mark.usefixtures("database")
async def test_a_key_stays_with_its_device_when_the_address_changes() -> None:
    record, key = await new_record(), shown(public_key())
    await learn_keys([(record, key)])
    await service.update_device(UUID(record.key), DeviceUpdate(address="192.0.2.77"), SYSTEM)
    (known,) = await host_keys.list_host_keys(UUID(record.key))
    assert (known.fingerprint, known.address) == (key.fingerprint, "192.0.2.1")


@pytest.mark.usefixtures("database")
async def test_a_device_that_was_deleted_for_good_meanwhile_learns_nothing() -> None:
    gone = HostRecord(key=NOBODY, id=NOBODY, name="gone", address="192.0.2.1", platform="cisco_ios")
    assert await learn_keys([(gone, shown(public_key()))]) == []


@pytest.mark.usefixtures("database")
async def test_a_shard_reads_its_keys_in_one_query_and_writes_new_ones_in_batches() -> None:
    records = [await new_record(f"r{number}") for number in range(20)]
    keys = {record.key: shown(public_key()) for record in records}
    loop, asked = asyncio.get_running_loop(), []

    def run(operation: Callable[[], Any]) -> Any:
        asked.append(operation)
        return asyncio.run_coroutine_threadsafe(operation(), loop).result()

    book = HostKeyBook(run, records, "tofu")

    def first_contact(record: HostRecord) -> list[str]:
        assert book.known(record) == []
        return [known.fingerprint for known in book.learn(record, keys[record.key])]

    learned = await asyncio.gather(*(asyncio.to_thread(first_contact, record) for record in records))
    assert learned == [[keys[record.key].fingerprint] for record in records]
    assert len(asked) < len(records)
    asked.clear()
    again = HostKeyBook(run, records, "tofu")
    known = await asyncio.gather(*(asyncio.to_thread(again.known, record) for record in records))
    assert [found[0].fingerprint for found in known] == [keys[record.key].fingerprint for record in records]
    assert len(asked) == 1


@pytest.mark.usefixtures("database")
async def test_when_a_key_was_seen_last_is_noted_now_and_then() -> None:
    record, key, loop = await new_record(), shown(public_key()), asyncio.get_running_loop()
    await learn_keys([(record, key)])
    long_ago = now() - timedelta(days=30)
    await core_database.execute("UPDATE device_host_keys SET last_seen = $1", long_ago)
    book = HostKeyBook(lambda asked: asyncio.run_coroutine_threadsafe(asked(), loop).result(), [record], "tofu")
    await asyncio.to_thread(book.known, record)
    await asyncio.to_thread(book.saw, record, shown(public_key()))
    (before,) = await host_keys.list_host_keys(UUID(record.key))
    await asyncio.to_thread(book.saw, record, key)
    (after,) = await host_keys.list_host_keys(UUID(record.key))
    assert before.last_seen == long_ago
    assert after.last_seen is not None
    assert after.last_seen > long_ago
