"""Logins of a whole fleet: found together, told unopened, recorded in batches, and stopped where they are wrong."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any
from uuid import UUID

import httpx
import pytest
from nornir.core import Nornir
from nornir.core.task import Task
from nornir.plugins.runners import ThreadedRunner
from redis import Redis

from app.core import database as core_database
from app.core.access import SYSTEM
from app.core.clock import uuid7
from app.core.settings import load_settings
from app.core.trials import RedisTrials, reason_of
from app.credentials import service as credentials
from app.credentials import vault
from app.credentials.logins import NoLoginError
from app.credentials.schemas import CredentialCreate, CredentialUpdate
from app.demo.network.devices import SimulatedDevice
from app.demo.network.journal import EventKind
from app.demo.network.server import Network
from app.demo.network.threaded import run_in_thread
from app.devices import assignments, logins, service
from app.devices.logins import FleetLogins
from app.devices.schemas import AssignmentCreate, DeviceCreate
from inventory.plugin import build_inventory
from inventory.records import HostRecord
from tasks import sessions
from tasks.ssh import SshCommandParams, ssh_command

FLEET = 12
pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def _opened_vault() -> Iterator[None]:
    vault.configure(load_settings().require_keyring())
    sessions.begin()
    yield
    sessions.close_all()


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with run_in_thread([SimulatedDevice(name=f"r{number}", password="right") for number in range(FLEET)]) as running:
        yield running


@pytest.fixture
async def fleet(network: Network) -> list[HostRecord]:
    """Put the simulated devices into the inventory."""
    ids = []
    for name, port in network.ports.items():
        given = DeviceCreate(name=name, address="127.0.0.1", port=port, platform="cisco_ios")
        ids.append((await service.create_device(given, SYSTEM)).id)
    return await service.host_records(ids)


RIGHT = "right"


async def make(name: str, password: str = RIGHT, **more: Any) -> UUID:
    given = CredentialCreate(name=name, credential_type="ssh", data={"username": "admin", "password": password}, **more)
    return (await credentials.create_credential(given, SYSTEM)).id


async def assign(credential: UUID, record: HostRecord) -> None:
    given = AssignmentCreate(credential_id=credential, subject_type="device", subject_id=UUID(record.key))
    await assignments.create_assignment(given, SYSTEM)


class Job:
    """Work on the fleet, as a shard does it: in threads, with the database in another one."""

    def __init__(self, records: Sequence[HostRecord], redis: Redis | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.learned: list[str] = []
        self.operations = 0
        trials = RedisTrials(redis, self.stop) if redis is not None else None
        self.records = records
        self.source = FleetLogins(records=records, run=self.run, learn=self.learned.extend, trials=trials)

    def run(self, operation: Callable[[], Awaitable[Any]]) -> Any:
        """Run an operation where the database is, and count it."""
        self.operations += 1

        async def operate() -> Any:
            return await operation()

        return asyncio.run_coroutine_threadsafe(operate(), self.loop).result()

    def stop(self, credential_id: str, version: int, name: str) -> None:
        """Mark a credential."""
        self.run(lambda: credentials.block_credential(UUID(credential_id), version, reason_of(name)))

    async def show(self) -> list[str]:
        """Run a command on all hosts, and return what became of it: an error class, or nothing, in order."""

        def perform(task: Task) -> Any:
            return ssh_command(task, SshCommandParams(command="show version", timeout=10))

        nornir = Nornir(
            inventory=build_inventory(self.records, login_source=self.source),
            runner=ThreadedRunner(num_workers=FLEET),
        )
        results = await asyncio.to_thread(nornir.run, task=perform)
        errors = [results[record.name][0].exception for record in self.records]
        return [getattr(error, "error_class", repr(error)) if error else "" for error in errors]


def count(network: Network, kind: EventKind) -> int:
    return len(network.journal.select(kind))


async def test_the_second_job_needs_no_login_no_secret_and_few_questions(
    fleet: list[HostRecord], network: Network
) -> None:
    await make("lab", is_default=True)
    before = count(network, EventKind.LOGIN)
    first, second = Job(fleet), Job(fleet)
    assert await first.show() == [""] * FLEET
    assert await second.show() == [""] * FLEET
    assert count(network, EventKind.LOGIN) - before == FLEET
    assert second.operations == 1
    uses = await core_database.fetch("SELECT id FROM audit_entries WHERE action = 'credentials.credential.use'")
    assert len(uses) == FLEET


async def test_the_secrets_of_a_kept_session_are_masked_too(fleet: list[HostRecord]) -> None:
    await make("lab", is_default=True)
    assert await Job(fleet[:1]).show() == [""]
    second = Job(fleet[:1])
    assert await second.show() == [""]
    assert second.learned == ["right"]


async def test_a_changed_credential_is_logged_in_with_anew_and_a_disabled_one_not_at_all(
    fleet: list[HostRecord], network: Network
) -> None:
    credential = await make("lab", is_default=True)
    assert await Job(fleet[:2]).show() == ["", ""]
    before = count(network, EventKind.LOGIN)
    await credentials.update_credential(credential, CredentialUpdate(data={"enable_secret": "new"}), SYSTEM)
    assert await Job(fleet[:2]).show() == ["", ""]
    assert count(network, EventKind.LOGIN) - before == 2
    await credentials.update_credential(credential, CredentialUpdate(status="disabled"), SYSTEM)
    assert await Job(fleet[:2]).show() == ["credential"] * 2
    assert count(network, EventKind.LOGIN) - before == 2


async def test_a_wrong_fleet_password_is_tried_three_times_in_all_and_the_credential_is_marked(
    admin: httpx.AsyncClient, fleet: list[HostRecord], network: Network, redis: Redis
) -> None:
    credential = await make("wrong", "not-it", is_default=True)
    before = count(network, EventKind.LOGIN_FAILED)
    assert await Job(fleet, redis).show() == ["auth"] * FLEET
    assert await Job(fleet, redis).show() == ["auth"] * FLEET
    assert count(network, EventKind.LOGIN_FAILED) - before == 3
    path = f"/credentials/v1/credentials/{credential}"
    shown = (await admin.get(path)).json()["data"]
    assert shown["blocked_at"] is not None
    assert "3 devices refused wrong" in shown["blocked_reason"]
    acts = await core_database.fetch("SELECT id FROM audit_entries WHERE action = 'credentials.credential.block'")
    assert len(acts) == 1
    redis.flushdb()
    assert await Job(fleet, redis).show() == ["auth"] * FLEET
    assert count(network, EventKind.LOGIN_FAILED) - before == 3


async def test_a_new_secret_or_an_unblocking_lets_a_credential_be_tried_again(
    admin: httpx.AsyncClient, fleet: list[HostRecord], network: Network, redis: Redis
) -> None:
    credential = await make("wrong", "not-it", is_default=True)
    path, before = f"/credentials/v1/credentials/{credential}", count(network, EventKind.LOGIN_FAILED)
    await Job(fleet, redis).show()
    answer = await admin.post(f"{path}/unblock")
    assert (answer.status_code, answer.json()["data"]["blocked_at"]) == (200, None)
    await Job(fleet, redis).show()
    assert count(network, EventKind.LOGIN_FAILED) - before == 6
    answer = await admin.patch(path, json={"data": {"password": "right"}})
    assert (answer.json()["data"]["blocked_at"], answer.json()["data"]["blocked_reason"]) == (None, "")
    assert await Job(fleet, redis).show() == [""] * FLEET
    assert (await admin.post(f"/credentials/v1/credentials/{uuid7()}/unblock")).status_code == 404


async def test_the_next_credential_serves_where_the_first_is_blocked(
    fleet: list[HostRecord], network: Network, redis: Redis
) -> None:
    wrong = await make("wrong", "not-it")
    for record in fleet:
        await assign(wrong, record)
    await make("lab", is_default=True)
    before = count(network, EventKind.LOGIN_FAILED)
    assert await Job(fleet, redis).show() == [""] * FLEET
    assert await Job(fleet, redis).show() == [""] * FLEET
    assert count(network, EventKind.LOGIN_FAILED) - before == 3


async def test_logins_are_told_as_they_are_opened(fleet: list[HostRecord]) -> None:
    own, named = await make("own"), await make("named")
    await make("default", is_default=True)
    await assign(own, fleet[0])
    source = Job(fleet).source

    def told(record: HostRecord, explicit: str | None = None) -> list[str]:
        return [one.credential_name for one in source.identities(record, "ssh", explicit)]

    def opened(record: HostRecord, explicit: str | None = None) -> list[str]:
        return [one.credential_name for one in source(record, "ssh", explicit)]

    for asked in ((fleet[0],), (fleet[1],), (fleet[1], "named"), (fleet[1], str(named))):
        assert await asyncio.to_thread(told, *asked) == await asyncio.to_thread(opened, *asked)
    assert await asyncio.to_thread(told, fleet[0]) == ["own", "default"]
    with pytest.raises(NoLoginError, match="There is no credential absent"):
        await asyncio.to_thread(told, fleet[0], "absent")


async def test_a_host_that_was_not_announced_is_found_as_well(fleet: list[HostRecord]) -> None:
    await assign(await make("own"), fleet[1])
    source = Job(fleet[:1]).source
    with pytest.raises(NoLoginError, match="No ssh credential is assigned"):
        await asyncio.to_thread(source.identities, fleet[0], "ssh", None)
    (found,) = await asyncio.to_thread(source.identities, fleet[1], "ssh", None)
    assert found.credential_name == "own"


async def test_what_was_found_is_believed_for_a_moment_only(
    fleet: list[HostRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    credential = await make("lab", is_default=True)
    source = Job(fleet).source
    assert await asyncio.to_thread(source.identities, fleet[0], "ssh", None)
    await credentials.update_credential(credential, CredentialUpdate(status="disabled"), SYSTEM)
    monkeypatch.setattr(logins, "FRESH_S", 0.0)
    with pytest.raises(NoLoginError, match="lab is disabled"):
        await asyncio.to_thread(source.identities, fleet[0], "ssh", None)


async def test_a_use_that_cannot_be_recorded_is_none(
    fleet: list[HostRecord], monkeypatch: pytest.MonkeyPatch, network: Network
) -> None:
    async def fails(uses: object) -> None:
        raise OSError("no disk left")

    await make("lab", is_default=True)
    monkeypatch.setattr(logins, "record_uses", fails)
    before = count(network, EventKind.LOGIN)
    assert "no disk left" in (await Job(fleet[:1]).show())[0]
    assert count(network, EventKind.LOGIN) == before
