import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.core import database as core_database
from app.core.access import SYSTEM, Principal
from app.core.clock import now, uuid7
from app.core.crypto import Keyring
from app.core.settings import load_settings
from app.credentials import service as credentials
from app.credentials import vault
from app.credentials.logins import NoLoginError, open_credential
from app.credentials.schemas import CredentialCreate, CredentialUpdate
from app.devices import assignments, groups, service
from app.devices.logins import login_source, resolve_logins
from app.devices.schemas import AssignmentCreate, DeviceCreate, GroupCreate, SubjectType
from inventory.records import HostRecord

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def _opened_vault() -> None:
    vault.configure(load_settings().require_keyring())


async def make(name: str, **more: Any) -> UUID:
    fields = {"credential_type": "ssh", "data": {"username": name, "password": f"pw-{name}"}, **more}
    return (await credentials.create_credential(CredentialCreate(name=name, **fields), SYSTEM)).id


async def make_host(name: str = "r1") -> HostRecord:
    given = DeviceCreate(name=name, address="192.0.2.1", platform="cisco_ios")
    device = await service.create_device(given, SYSTEM)
    return (await service.host_records([device.id]))[0]


async def assign(credential: UUID, kind: SubjectType, subject: UUID, priority: int = 100) -> None:
    given = AssignmentCreate(credential_id=credential, subject_type=kind, subject_id=subject, priority=priority)
    await assignments.create_assignment(given, SYSTEM)


async def names(record: HostRecord, explicit: str | None = None, kind: str = "ssh") -> Sequence[str]:
    return [login.credential_name for login in await resolve_logins(record, kind, explicit)]


async def test_device_comes_before_group_before_default_and_each_once() -> None:
    record = await make_host()
    device = UUID(record.key)
    group = await groups.create_group(GroupCreate(name="core", members=[device]), SYSTEM)
    other = await groups.create_group(GroupCreate(name="unrelated"), SYSTEM)
    await make("aaa")
    await assign(await make("zz-device-second"), "device", device, 20)
    first = await make("zz-device-first")
    await assign(first, "device", device, 10)
    await assign(first, "group", group.id, 1)
    await assign(await make("group-second"), "group", group.id, 20)
    await assign(await make("group-first"), "group", group.id, 10)
    await assign(await make("elsewhere"), "group", other.id, 1)
    await make("fallback", is_default=True)
    assert await names(record) == ["zz-device-first", "zz-device-second", "group-first", "group-second", "fallback"]


async def test_a_login_carries_its_fields_with_defaults() -> None:
    record = await make_host()
    await assign(await make("lab"), "device", UUID(record.key))
    (login,) = await resolve_logins(record, "ssh")
    assert login.fields == {"username": "lab", "password": "pw-lab", "port": 22}
    assert (login.credential_type, login.version) == ("ssh", 1)
    assert login.secrets() == ["pw-lab"]
    assert "pw-lab" not in repr(login)


async def test_only_credentials_of_the_type_are_tried() -> None:
    record = await make_host()
    snmp = await make("snmp", credential_type="snmp", data={"community": "c0mmunity"})
    await assign(snmp, "device", UUID(record.key))
    await assign(await make("lab"), "device", UUID(record.key))
    assert await names(record) == ["lab"]
    assert await names(record, kind="snmp") == ["snmp"]


async def test_an_explicit_credential_is_the_only_one() -> None:
    record = await make_host()
    await assign(await make("assigned"), "device", UUID(record.key))
    wanted = await make("wanted")
    assert await names(record, "wanted") == ["wanted"]
    assert await names(record, str(wanted)) == ["wanted"]


async def test_no_first_one_is_taken_for_want_of_an_assignment() -> None:
    record = await make_host()
    await make("aaa")
    with pytest.raises(NoLoginError, match="No ssh credential is assigned to it or to its groups, and none is the"):
        await names(record)


async def test_an_explicit_credential_of_another_type_or_of_nobody_is_refused() -> None:
    record = await make_host()
    await make("snmp", credential_type="snmp", data={"community": "c0mmunity"})
    with pytest.raises(NoLoginError, match="snmp is of type snmp, and ssh is needed here"):
        await names(record, "snmp")
    with pytest.raises(NoLoginError, match="There is no credential absent"):
        await names(record, "absent")
    with pytest.raises(NoLoginError, match="There is no credential 0192f0c0"):
        await names(record, "0192f0c0-0000-7000-8000-000000000000")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"status": "disabled"}, "lab is disabled"),
        ({"status": "revoked"}, "lab is revoked"),
        ({"valid_until": now() - timedelta(days=1)}, "lab expired on"),
        ({"valid_from": now() + timedelta(days=1)}, "lab is valid only from"),
    ],
)
async def test_a_credential_that_may_not_be_used_never_resolves(change: dict[str, Any], said: str) -> None:
    record = await make_host()
    credential = await make("lab", is_default=True)
    await assign(credential, "device", UUID(record.key))
    await credentials.update_credential(credential, CredentialUpdate(**change), SYSTEM)
    for explicit in (None, "lab"):
        with pytest.raises(NoLoginError, match=said):
            await names(record, explicit)
    with pytest.raises(NoLoginError, match=said):
        await open_credential(credential)
    await make("other")
    await assign((await make("next")), "device", UUID(record.key), 200)
    assert await names(record) == ["next"]


async def test_a_deleted_credential_never_resolves() -> None:
    record = await make_host()
    credential = await make("lab", is_default=True)
    await credentials.delete_credential(credential, SYSTEM)
    with pytest.raises(NoLoginError):
        await names(record)
    with pytest.raises(NoLoginError, match="There is no credential"):
        await open_credential(credential)


async def test_a_host_without_a_device_row_needs_an_explicit_credential() -> None:
    await make("lab", is_default=True)
    record = HostRecord(key="192.0.2.9", name="192.0.2.9", address="192.0.2.9", platform="cisco_ios")
    with pytest.raises(NoLoginError, match=r"192\.0\.2\.9 is no device of the inventory"):
        await names(record)
    assert await names(record, "lab") == ["lab"]


async def test_a_credential_sealed_with_a_lost_key_says_so() -> None:
    record = await make_host()
    await make("lab", is_default=True)
    vault.configure(Keyring(bytes(32)))
    with pytest.raises(NoLoginError, match=r"lab cannot be opened: No master key with id .* CREDENTIAL_RETIRED_KEYS"):
        await names(record)


async def test_every_opening_is_on_record_and_moves_last_used_at() -> None:
    record = await make_host()
    credential = await make("lab", is_default=True)
    actor = Principal(user_id=uuid7(), username="ann")
    await resolve_logins(record, "ssh", None, actor)
    entries = await core_database.fetch(
        "SELECT actor_name, subject_id, details->>'host' AS host, details::text AS details FROM audit_entries "
        "WHERE action = 'credentials.credential.use'"
    )
    assert [(entry["actor_name"], entry["subject_id"], entry["host"]) for entry in entries] == [
        ("ann", str(credential), "r1")
    ]
    assert "pw-lab" not in entries[0]["details"]
    assert (await credentials.get_credential(credential)).last_used_at is not None


async def test_the_login_source_of_threads_runs_the_resolution(monkeypatch: pytest.MonkeyPatch) -> None:
    record = await make_host()
    await make("lab", is_default=True)
    loop = asyncio.get_running_loop()
    source = login_source(lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop).result())
    (login,) = await asyncio.to_thread(source, record, "ssh", None)
    assert login.credential_name == "lab"
    monkeypatch.setattr(vault, "_keyring", None)
    with pytest.raises(LookupError, match="CREDENTIAL_MASTER_KEY"):
        await asyncio.to_thread(source, record, "ssh", None)
