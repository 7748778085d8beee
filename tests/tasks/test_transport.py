"""What carries a session: the library that was chosen where it can, and paramiko everywhere else."""

import pytest
from nornir.core.task import Task

from app.demo.network.devices import Platform, SimulatedDevice
from app.demo.network.journal import EventKind
from tasks.sessions import netmiko_session, ssh2_shell, transport
from tasks.sessions.ssh2_shell import Ssh2Shell
from tasks.ssh import SshCommandParams, ssh_command
from tests.support.node_lab import MakeLab, error_class

pytestmark = pytest.mark.usefixtures("either_transport")

SHOW = SshCommandParams(command="show privilege", timeout=5)


def test_the_library_that_was_chosen_carries_the_session(lab: MakeLab, either_transport: str) -> None:
    devices = lab(SimulatedDevice(name="sw1"), SimulatedDevice(name="wide1", platform=Platform.CIENA_SAOS))
    carried: dict[str, bool] = {}

    def looks(task: Task, params: object) -> None:
        with netmiko_session(task) as connection:
            carried[task.host.name] = isinstance(connection.remote_conn, Ssh2Shell)

    devices.run(looks, SHOW)
    assert carried == {"sw1": either_transport == "ssh2", "wide1": False}


def test_a_device_that_takes_answers_only_is_given_the_password_as_one(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="sw1", asks=True))
    assert not devices.one(ssh_command, SHOW).failed
    assert (devices.count(EventKind.LOGIN), devices.count(EventKind.LOGIN_FAILED)) == (1, 0)


def test_a_wrong_answer_is_refused_like_a_wrong_password(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="sw1", asks=True), password="hunter2")
    assert error_class(devices.one(ssh_command, SHOW)) == "auth"
    assert (devices.count(EventKind.LOGIN), devices.count(EventKind.LOGIN_FAILED)) == (0, 1)


def test_paramiko_takes_over_where_the_other_library_has_no_algorithm_in_common(
    lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = lab(SimulatedDevice(name="sw1"))
    monkeypatch.setattr(ssh2_shell, "_exchange_keys", lambda *_: _raise(ssh2_shell.NotOurs()))
    assert not devices.one(ssh_command, SHOW).failed
    assert (devices.count(EventKind.LOGIN), devices.count(EventKind.LOGIN_FAILED)) == (1, 0)


def test_a_library_that_is_demanded_and_not_installed_is_told(lab: MakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh2_shell, "IS_INSTALLED", False)
    transport.choose("ssh2")
    demanded = lab(SimulatedDevice(name="sw1")).one(ssh_command, SHOW)
    transport.choose("auto")
    assert not lab(SimulatedDevice(name="sw1")).one(ssh_command, SHOW).failed
    assert error_class(demanded) == "unsupported"
    assert "pip install ssh2-python" in str(demanded.exception)


def _raise(error: Exception) -> None:
    raise error
