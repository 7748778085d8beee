"""One device and many processes: never more sessions than it allows, and idle ones make room at once."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from redis import Redis

from app.core import leases
from app.core.settings import Settings
from app.demo.network.journal import EventKind
from tasks.errors import SessionError
from tasks.sessions import pool
from tasks.sessions.leases import Lease, Occupant
from tasks.ssh import SshCommandParams, ssh_command
from tests.support import session_user
from tests.support.node_lab import Lab, error_class
from tests.support.placement import REPOSITORY

SHOW = SshCommandParams(command="show privilege", timeout=20)
PATIENCE_S = 60
Jobs = Callable[..., tuple[Lab, Callable[[], Lab]]]


@pytest.fixture(autouse=True)
def _settled(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a ledger that knows nothing grant at once, and nobody wait for long where a test fails."""
    monkeypatch.setattr(leases, "SETTLE_S", 0.0)
    monkeypatch.setattr(pool, "LEASE_PATIENCE_S", 30.0)


@contextmanager
def user(devices: Lab, settings: Settings, name: str, most: int, times: int) -> Iterator[subprocess.Popen[str]]:
    """Run a process of its own that uses the device's session that often."""
    arguments = [settings.require_redis(), name, str(devices.network.ports["sw1"]), str(most), str(times)]
    command = [sys.executable, "-m", "tests.support.session_user", *arguments]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def begin(settings: Settings, name: str) -> None:
    leases.begin(settings.require_redis(), name)


@pytest.mark.parametrize("most", [1, 2])
def test_twenty_users_in_four_processes_share_a_devices_sessions(jobs: Jobs, settings: Settings, most: int) -> None:
    devices, _ = jobs(most=most, latency_s=0.02)

    with ExitStack() as users:
        running = [users.enter_context(user(devices, settings, f"process-{n}", most, 5)) for n in range(4)]
        assert [process.wait(PATIENCE_S) for process in running] == [0] * 4
    assert devices.network.journal.peak_sessions["sw1"] <= most
    assert devices.count(EventKind.COMMAND) == 20


def test_an_idle_session_makes_room_for_another_process(jobs: Jobs, settings: Settings) -> None:
    devices, next_job = jobs(most=1)
    begin(settings, "keeps")
    assert not next_job().one(ssh_command, SHOW).failed

    with user(devices, settings, "comes", 1, 1) as process:
        assert process.wait(PATIENCE_S) == 0
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
    with user(devices, settings, "horse", 1, session_user.FOR_EVER) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
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
