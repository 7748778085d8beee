"""One device and many processes: never more sessions than it allows, and idle ones make room at once."""

import os
import threading
from collections.abc import Callable

import pytest
from redis import Redis

from app.core import leases
from app.core.settings import Settings
from app.demo.network.journal import EventKind
from tasks import sessions
from tasks.errors import SessionError
from tasks.sessions import pool
from tasks.sessions.leases import Lease, Occupant
from tasks.ssh import SshCommandParams, ssh_command
from tests.support.node_lab import Lab, error_class

SHOW = SshCommandParams(command="show privilege", timeout=20)
Jobs = Callable[..., tuple[Lab, Callable[[], Lab]]]


@pytest.fixture(autouse=True)
def _settled(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a ledger that knows nothing grant at once, and nobody wait for long where a test fails."""
    monkeypatch.setattr(leases, "SETTLE_S", 0.0)
    monkeypatch.setattr(pool, "LEASE_PATIENCE_S", 30.0)


def in_a_process(work: Callable[[], None]) -> int:
    """Do something in a process of its own; return its id."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return child


def ended(child: int) -> int:
    """Wait for a process and return how it ended."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def begin(settings: Settings, name: str) -> None:
    leases.begin(settings.require_redis(), name)


@pytest.mark.parametrize("most", [1, 2])
def test_twenty_users_in_four_processes_share_a_devices_sessions(jobs: Jobs, settings: Settings, most: int) -> None:
    devices, next_job = jobs(most=most, latency_s=0.02)

    def use() -> None:
        begin(settings, f"process-{os.getpid()}")
        for _ in range(5):
            result = next_job().one(ssh_command, SHOW)
            assert not result.failed, result.exception
        sessions.close_all()

    assert [ended(child) for child in [in_a_process(use) for _ in range(4)]] == [0] * 4
    assert devices.network.journal.peak_sessions["sw1"] <= most
    assert devices.count(EventKind.COMMAND) == 20


def test_an_idle_session_makes_room_for_another_process(jobs: Jobs, settings: Settings) -> None:
    devices, next_job = jobs(most=1)
    begin(settings, "keeps")
    assert not next_job().one(ssh_command, SHOW).failed

    def use() -> None:
        begin(settings, "comes")
        result = next_job().one(ssh_command, SHOW)
        assert not result.failed, result.exception
        sessions.close_all()

    assert ended(in_a_process(use)) == 0
    assert devices.network.journal.peak_sessions["sw1"] == 1
    assert not next_job().one(ssh_command, SHOW).failed
    assert devices.count(EventKind.LOGIN) == 3


def test_a_session_of_our_own_is_used_again_without_asking(jobs: Jobs, settings: Settings, redis: Redis) -> None:
    devices, next_job = jobs()
    begin(settings, "one")
    assert not next_job().one(ssh_command, SHOW).failed
    before = redis.get("opsconductor:sessions:arrivals")
    for _ in range(3):
        assert not next_job().one(ssh_command, SHOW).failed
    assert devices.count(EventKind.LOGIN) == 1
    assert redis.get("opsconductor:sessions:arrivals") == before


def test_what_a_killed_process_held_is_free_when_its_worker_says_so(
    jobs: Jobs, settings: Settings, redis: Redis
) -> None:
    devices, next_job = jobs(most=1)
    reader, writer = os.pipe()

    def hold() -> None:
        begin(settings, "horse")
        next_job().one(ssh_command, SHOW)
        os.write(writer, b"!")
        threading.Event().wait()

    child = in_a_process(hold)
    os.read(reader, 1)
    os.kill(child, 9)
    assert ended(child) == -9
    leases.free(redis, "horse")
    begin(settings, "next")
    assert not next_job().one(ssh_command, SHOW).failed
    assert devices.network.journal.peak_sessions["sw1"] == 1


def test_who_has_waited_too_long_hears_who_holds_the_sessions(
    jobs: Jobs, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "LEASE_PATIENCE_S", 0.3)
    devices, next_job = jobs(most=1)
    other = leases.RedisLeases(settings.require_redis(), "other")
    occupant = Occupant("4711", "backup")
    assert other.ask(Lease(device="id-of-sw1", name="sw1", most=1, occupant=occupant)) is None
    begin(settings, "waits")
    result = next_job().one(ssh_command, SHOW)
    assert isinstance(result.exception, SessionError)
    assert error_class(result) == "busy"
    assert "sw1 may have 1 sessions at once" in str(result.exception)
    assert "execution 4711 (node backup)" in str(result.exception)
    assert error_class(next_job().one(ssh_command, SHOW, cancelled=lambda: True)) == "cancelled"
    assert devices.count(EventKind.LOGIN) == 0
