"""Sessions of branches that run side by side on one host: never shared, never too many."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from nornir.core.inventory import Host
from nornir.core.task import Result, Task

from app.demo.network.devices import Fault, SimulatedDevice
from app.demo.network.journal import EventKind
from inventory.hosts import OpsHost
from inventory.records import HostRecord, Login
from tasks import sessions
from tasks.context import SessionTimeouts
from tasks.sessions import netmiko_session
from tasks.ssh import SshCommandParams, ssh_command
from tasks.terminal import run_command
from tests.support.node_lab import Lab, MakeLab, error_class

pytestmark = pytest.mark.usefixtures("either_transport")

SHOW = SshCommandParams(command="show privilege", timeout=10)
FOREVER = SshCommandParams(command="show version", timeout=600)


def limited(most: int) -> Callable[..., Host]:
    """Return what makes a host of a device that allows so many sessions."""

    def make(device: SimulatedDevice, port: int) -> OpsHost:
        record = HostRecord(
            key=device.name,
            name=device.name,
            address="127.0.0.1",
            platform=device.platform.value,
            port=port,
            max_sessions=most,
        )
        fields = {"username": "admin", "password": "admin"}
        login = Login(credential_id="1", credential_name="lab", credential_type="ssh", version=1, fields=fields)
        return OpsHost(device.name, record, login_source=lambda *_: [login])

    return make


@dataclass
class Holding:
    """A node that holds its session until it is let go, and counts how many do so at once."""

    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    let_go: threading.Event = field(default_factory=threading.Event)
    held: list[Any] = field(default_factory=list)

    def __call__(self, task: Task, **_: object) -> str:
        """Be the node."""
        with netmiko_session(task) as connection:
            self.held.append(connection)
            self.begun.release()
            self.let_go.wait()
            return run_command(connection, "show privilege", 10)


def side_by_side(devices: Lab, nodes: Sequence[Callable[..., Any]], **surroundings: Any) -> list[Result]:
    """Run nodes on the only host in threads of their own, and return their results in order."""
    with ThreadPoolExecutor(len(nodes)) as pool:
        runs = [
            pool.submit(devices.one, node, SHOW, node_id=f"n{number}", **surroundings)
            for number, node in enumerate(nodes)
        ]
        return [run.result() for run in runs]


def test_two_branches_have_a_session_each(lab: MakeLab) -> None:
    devices, holding = lab(SimulatedDevice(name="sw1")), Holding()

    def lets_go(task: Task, params: object) -> str:
        for _ in range(2):
            holding.begun.acquire()
        holding.let_go.set()
        return "both held theirs"

    results = side_by_side(devices, [holding, holding, lets_go])
    assert [result.failed for result in results] == [False] * 3
    first, second = holding.held
    assert first is not second
    assert devices.count(EventKind.LOGIN) == 2


@pytest.mark.parametrize("most", [1, 2])
def test_a_host_never_has_more_sessions_than_it_allows(lab: MakeLab, most: int) -> None:
    devices = lab(SimulatedDevice(name="sw1", latency_s=0.05), host=limited(most))
    results = side_by_side(devices, [ssh_command] * 6)
    assert [result.result["stdout"] for result in results] == ["Current privilege level is 15"] * 6
    assert devices.network.journal.peak_sessions["sw1"] == most
    assert devices.count(EventKind.LOGIN) == most


def test_a_plain_host_has_at_most_two_sessions(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="sw1", latency_s=0.05))
    assert not any(result.failed for result in side_by_side(devices, [ssh_command] * 5))
    assert devices.network.journal.peak_sessions["sw1"] == sessions.MAX_SESSIONS


def test_branches_that_follow_each_other_share_a_session(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="sw1"))
    for number in range(3):
        assert not devices.one(ssh_command, SHOW, node_id=f"n{number}").failed
    assert devices.count(EventKind.LOGIN) == 1


def test_a_refused_login_is_tried_by_one_branch_only(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="sw1", fault=Fault.REFUSE_PASSWORD), host=limited(2))
    results = side_by_side(devices, [ssh_command] * 4)
    assert [error_class(result) for result in results] == ["auth"] * 4
    assert devices.count(EventKind.LOGIN_FAILED) == 1


def test_a_branch_that_waits_for_a_session_ends_when_it_is_cancelled(lab: MakeLab) -> None:
    devices, holding = lab(SimulatedDevice(name="sw1"), host=limited(1)), Holding()
    results: list[Result] = []
    thread = threading.Thread(target=lambda: results.append(devices.one(holding, SHOW, node_id="holds")))
    thread.start()
    holding.begun.acquire()
    waited = devices.one(ssh_command, SHOW, node_id="waits", cancelled=lambda: True)
    holding.let_go.set()
    thread.join()
    assert error_class(waited) == "cancelled"
    assert not results[0].failed


def test_a_branch_that_fails_closes_its_own_session_only(lab: MakeLab) -> None:
    devices, holding = lab(SimulatedDevice(name="sw1")), Holding()

    def fails(task: Task, params: object) -> None:
        holding.begun.acquire()
        try:
            with netmiko_session(task):
                raise ZeroDivisionError
        finally:
            holding.let_go.set()

    held, failed = side_by_side(devices, [holding, fails])
    assert (error_class(failed), held.failed) == ("ZeroDivisionError", False)
    assert held.result == "Current privilege level is 15"


def test_all_sessions_of_a_host_are_closed_together(lab: MakeLab) -> None:
    devices, holding = lab(SimulatedDevice(name="sw1")), Holding()

    def lets_go(task: Task, params: object) -> None:
        for _ in range(2):
            holding.begun.acquire()
        holding.let_go.set()

    side_by_side(devices, [holding, holding, lets_go])
    sessions.close_sessions(devices.host("sw1"))
    while devices.network.journal.open_sessions:
        threading.Event().wait(0.01)
    assert devices.count(EventKind.LOGOUT) == devices.count(EventKind.LOGIN) == 2


@pytest.mark.parametrize(("user", "cut"), [(None, {"n0", "n1"}), (("n1", ""), {"n1"})])
def test_the_sessions_of_all_branches_or_of_one_are_cut(
    lab: MakeLab, user: tuple[str, str] | None, cut: set[str]
) -> None:
    devices = lab(SimulatedDevice(name="hang", fault=Fault.HANG))
    results: dict[str, Result] = {}

    def runs(node_id: str) -> None:
        results[node_id] = devices.one(ssh_command, FOREVER, node_id=node_id)

    threads = [threading.Thread(target=runs, args=(node_id,)) for node_id in ("n0", "n1")]
    for thread in threads:
        thread.start()
    while devices.count(EventKind.COMMAND) < 2:
        threading.Event().wait(0.01)
    sessions.interrupt(devices.host("hang"), "timeout", user)
    while len(results) < len(cut):
        threading.Event().wait(0.01)
    assert {node_id: error_class(result) for node_id, result in results.items()} == dict.fromkeys(cut, "timeout")
    sessions.interrupt_all()
    for thread in threads:
        thread.join()
    assert set(results) == {"n0", "n1"}


def test_a_session_that_is_too_old_makes_room_for_a_new_one(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="sw1"), host=limited(1))
    for node_id in ("a", "b"):
        assert not devices.one(ssh_command, SHOW, node_id=node_id, timeouts=SessionTimeouts(max_age_s=0)).failed
    assert devices.count(EventKind.LOGIN) == 2
