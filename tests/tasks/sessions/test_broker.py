"""Sessions that outlive their job: kept for the next on the same device, and only where a login would be the same."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from nornir.core.task import Result, Task
from nornir_netmiko.tasks import netmiko_send_command

from app.demo.network.devices import Fault, Platform
from app.demo.network.journal import EventKind
from tasks import sessions
from tasks.config import ConfigPushParams, config_push
from tasks.context import SessionTimeouts
from tasks.sessions import netmiko_session
from tasks.ssh import SshCommandParams, ssh_command
from tests.support.node_lab import Lab, error_class
from tests.support.vaults import Vault, login

SHOW = SshCommandParams(command="show privilege", timeout=5)
PRIVILEGED = SshCommandParams(command="show privilege", timeout=5, enable=True)
Jobs = Callable[..., tuple[Lab, Callable[[], Lab]]]


def all_closed(devices: Lab) -> bool:
    """Wait until the devices have no session open."""
    give_up = threading.Event()
    for _ in range(500):
        if not devices.network.journal.open_sessions:
            return True
        give_up.wait(0.01)
    return False


def level(result: Result) -> str:
    assert not result.failed, result.exception
    return str(result.result["stdout"]).rpartition(" ")[2]


def test_the_next_job_on_a_device_needs_no_login(jobs: Jobs) -> None:
    vault = Vault(login("lab"))
    devices, next_job = jobs(vault)
    for _ in range(3):
        job = next_job()
        assert level(job.one(ssh_command, SHOW)) == "15"
        sessions.leave(job.host("sw1"))
    assert (devices.count(EventKind.LOGIN), vault.opened) == (1, 1)


def test_nornir_does_not_close_what_the_next_job_may_use(jobs: Jobs) -> None:
    devices, next_job = jobs()
    job = next_job()
    job.one(ssh_command, SHOW)
    job.nornir.close_connections()
    assert level(next_job().one(ssh_command, SHOW)) == "15"
    assert devices.count(EventKind.LOGIN) == 1


@pytest.mark.parametrize("timeouts", [SessionTimeouts(idle_s=0.0), SessionTimeouts(max_age_s=0.0)])
def test_an_idle_session_is_closed_by_itself_when_its_time_is_over(jobs: Jobs, timeouts: SessionTimeouts) -> None:
    sessions.begin(timeouts=timeouts)
    devices, next_job = jobs()
    next_job().one(ssh_command, SHOW)
    assert all_closed(devices)
    assert level(next_job().one(ssh_command, SHOW)) == "15"
    assert devices.count(EventKind.LOGIN) == 2


@pytest.mark.parametrize("now", [[login("lab", version=2)], [login("other")], [login("first"), login("lab")]])
def test_a_session_is_not_used_where_a_login_would_now_be_another(jobs: Jobs, now: list[Any]) -> None:
    vault = Vault(login("lab"))
    devices, next_job = jobs(vault)
    next_job().one(ssh_command, SHOW)
    vault.assigned = now
    assert level(next_job().one(ssh_command, SHOW)) == "15"
    assert devices.count(EventKind.LOGIN) == 2
    assert devices.network.journal.open_sessions["sw1"] == 1


def test_a_session_is_not_used_where_its_credential_may_not_be_any_more(jobs: Jobs) -> None:
    vault = Vault(lab=login("lab"))
    devices, next_job = jobs(vault)
    named = SshCommandParams(command="show privilege", credential="lab")
    assert not next_job().one(ssh_command, named).failed
    vault.named.clear()
    assert error_class(next_job().one(ssh_command, named)) == "credential"
    assert devices.count(EventKind.COMMAND) == 1


def test_a_login_that_was_refused_before_does_not_keep_a_session_from_being_used(jobs: Jobs) -> None:
    vault = Vault(login("stale", password="old"), login("lab"))
    devices, next_job = jobs(vault)
    for _ in range(2):
        assert level(next_job().one(ssh_command, SHOW)) == "15"
    assert (devices.count(EventKind.LOGIN_FAILED), devices.count(EventKind.LOGIN)) == (1, 1)
    vault.assigned[0] = login("stale", version=2, password="old")
    assert level(next_job().one(ssh_command, SHOW)) == "15"
    assert (devices.count(EventKind.LOGIN_FAILED), devices.count(EventKind.LOGIN)) == (2, 2)


def test_a_blocked_credential_is_neither_opened_nor_tried(jobs: Jobs) -> None:
    vault = Vault(login("lab"), blocked="lab was refused by three devices.")
    devices, next_job = jobs(vault)
    result = next_job().one(ssh_command, SHOW)
    assert error_class(result) == "auth"
    assert str(result.exception) == "sw1: lab was refused by three devices."
    assert (vault.opened, devices.count(EventKind.LOGIN)) == (0, 0)


def test_a_session_that_was_cut_is_never_used_again(jobs: Jobs) -> None:
    devices, next_job = jobs()

    def is_cut(task: Task, params: object) -> None:
        with netmiko_session(task):
            sessions.interrupt_all()

    next_job().one(is_cut, SHOW)
    assert level(next_job().one(ssh_command, SHOW)) == "15"
    assert devices.count(EventKind.LOGIN) == 2


def test_cutting_all_that_is_in_use_leaves_alone_what_is_kept(jobs: Jobs) -> None:
    devices, next_job = jobs()
    next_job().one(ssh_command, SHOW)
    sessions.interrupt_all()
    assert level(next_job().one(ssh_command, SHOW)) == "15"
    assert devices.count(EventKind.LOGIN) == 1


def test_nornirs_own_tasks_find_a_session_while_it_is_lent(jobs: Jobs) -> None:
    devices, next_job = jobs()
    job = next_job()

    def asks(task: Task, params: object) -> Any:
        with netmiko_session(task):
            return netmiko_send_command(task, "show privilege").result

    assert job.one(asks, SHOW).result == "Current privilege level is 15"
    assert "netmiko" not in job.host("sw1").connections
    assert level(next_job().one(ssh_command, SHOW)) == "15"
    assert devices.count(EventKind.LOGIN) == 1


def test_one_jobs_interruption_leaves_another_jobs_session_alone(jobs: Jobs) -> None:
    devices, next_job = jobs()
    next_job().one(ssh_command, SHOW)
    sessions.interrupt(next_job().host("sw1"))
    assert level(next_job().one(ssh_command, SHOW)) == "15"
    assert devices.count(EventKind.LOGIN) == 1


def test_a_session_whose_call_was_abandoned_is_closed_while_the_call_lives_on(jobs: Jobs) -> None:
    devices, next_job = jobs()
    job, begun, over = next_job(), threading.Event(), threading.Event()

    def lives_on(task: Task, params: object) -> None:
        with netmiko_session(task):
            begun.set()
            over.wait()

    thread = threading.Thread(target=lambda: job.one(lives_on, SHOW, node_id="deaf"))
    thread.start()
    begun.wait()
    sessions.interrupt(job.host("sw1"), "timeout", ("deaf", ""))
    assert all_closed(devices)
    assert [level(next_job().one(ssh_command, SHOW)) for _ in range(2)] == ["15", "15"]
    over.set()
    thread.join()
    assert devices.count(EventKind.LOGIN) == 2


def test_a_session_left_in_configuration_mode_is_never_used_again(jobs: Jobs) -> None:
    devices, next_job = jobs()

    def stays_in_configuration(task: Task, params: object) -> None:
        with netmiko_session(task) as connection:
            connection.config_mode()

    assert not next_job().one(stays_in_configuration, SHOW).failed
    assert level(next_job().one(ssh_command, SHOW)) == "15"
    assert devices.count(EventKind.LOGIN) == 2


def test_a_session_left_in_a_question_is_never_used_again(jobs: Jobs) -> None:
    devices, next_job = jobs(privilege=1, enable_secret="s3cret")

    def asks_for_the_secret(task: Task, params: object) -> None:
        with netmiko_session(task) as connection:
            connection.write_channel("enable\n")
            connection.read_until_pattern("ssword")

    assert not next_job().one(asks_for_the_secret, SHOW).failed
    assert level(next_job().one(ssh_command, SHOW)) == "1"
    assert devices.count(EventKind.LOGIN) == 2


def test_a_session_is_kept_after_a_change(jobs: Jobs) -> None:
    devices, next_job = jobs()
    lines = ConfigPushParams(lines="hostname renamed\ninterface GigabitEthernet0/1\n description to here")
    assert not next_job().one(config_push, lines).failed
    assert level(next_job().one(ssh_command, SHOW)) == "15"
    assert devices.count(EventKind.LOGIN) == 1


def test_privilege_that_one_node_took_is_not_anothers(jobs: Jobs) -> None:
    vault = Vault(login("lab", enable_secret="s3cret"))
    devices, next_job = jobs(vault, privilege=1, enable_secret="s3cret")
    levels = [level(next_job().one(ssh_command, params)) for params in (SHOW, PRIVILEGED, PRIVILEGED, SHOW, PRIVILEGED)]
    assert levels == ["1", "15", "15", "1", "15"]
    assert devices.count(EventKind.LOGIN) == 1


def test_privilege_that_came_with_the_login_stays(jobs: Jobs) -> None:
    devices, next_job = jobs()
    assert [level(next_job().one(ssh_command, params)) for params in (PRIVILEGED, SHOW)] == ["15", "15"]
    assert devices.count(EventKind.LOGIN) == 1


def test_sessions_of_two_credentials_are_kept_beside_each_other(jobs: Jobs) -> None:
    devices, next_job = jobs(Vault(login("lab"), backup=login("backup")))
    backup = SshCommandParams(command="show privilege", credential="backup")
    for params in (SHOW, backup, SHOW, backup):
        assert level(next_job().one(ssh_command, params)) == "15"
    assert devices.count(EventKind.LOGIN) == 2


def test_a_kept_session_of_another_credential_makes_room(jobs: Jobs) -> None:
    devices, next_job = jobs(Vault(login("lab"), backup=login("backup")), most=1)
    backup = SshCommandParams(command="show privilege", credential="backup")
    for params in (SHOW, backup, SHOW):
        assert level(next_job().one(ssh_command, params)) == "15"
    assert devices.count(EventKind.LOGIN) == 3
    assert devices.network.journal.peak_sessions["sw1"] == 1


def test_a_device_that_moved_is_logged_in_to_anew(jobs: Jobs) -> None:
    devices, next_job = jobs()
    next_job().one(ssh_command, SHOW)
    moved = next_job()
    moved.host("sw1").hostname = "localhost"
    assert level(moved.one(ssh_command, SHOW)) == "15"
    assert devices.count(EventKind.LOGIN) == 2


def test_jobs_side_by_side_share_the_devices_limit(jobs: Jobs) -> None:
    devices, next_job = jobs(most=2, latency_s=0.05)
    found: list[Result] = []
    made = [next_job() for _ in range(6)]
    threads = [threading.Thread(target=lambda job=job: found.append(job.one(ssh_command, SHOW))) for job in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [level(result) for result in found] == ["15"] * 6
    assert devices.network.journal.peak_sessions["sw1"] == 2


def test_a_session_of_another_platform_is_kept_as_well(jobs: Jobs) -> None:
    devices, next_job = jobs(platform=Platform.CIENA_SAOS)
    show = SshCommandParams(command="port show", timeout=5)
    assert [next_job().one(ssh_command, show).failed for _ in range(2)] == [False, False]
    assert devices.count(EventKind.LOGIN) == 1


def test_everything_is_closed_at_once(jobs: Jobs) -> None:
    devices, next_job = jobs()
    next_job().one(ssh_command, SHOW)
    sessions.close_all()
    assert all_closed(devices)
    assert level(next_job().one(ssh_command, SHOW)) == "15"


def test_a_failed_login_leaves_no_session_behind(jobs: Jobs) -> None:
    devices, next_job = jobs(fault=Fault.REFUSE_PASSWORD)
    assert error_class(next_job().one(ssh_command, SHOW)) == "auth"
    assert error_class(next_job().one(ssh_command, SHOW)) == "auth"
    assert devices.count(EventKind.LOGIN_FAILED) == 2
