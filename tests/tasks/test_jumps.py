"""Jump hosts: one connection for all who go through, a login and a host key of its own, and errors that name it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from nornir.core.task import Result

from app.demo.network.devices import Fault, SimulatedDevice
from app.demo.network.journal import EventKind
from app.demo.network.server import Network
from app.demo.network.threaded import run_in_thread
from inventory.host_keys import MemoryHostKeys
from inventory.hosts import OpsHost
from inventory.records import HostRecord, Login
from tasks import sessions
from tasks.sessions import jumps
from tasks.ssh import SshCommandParams, ssh_command
from tests.support.node_lab import Lab, error_class, nornir_of

SHOW = SshCommandParams(command="show privilege", timeout=20)
PASSWORDS = {"jump": "jump-password", "far": "far-password"}


class Country:
    """Devices on loopback, some of which are reached through others."""

    def __init__(self, network: Network, keys: MemoryHostKeys) -> None:
        self.network = network
        self.keys = keys
        self.asked: list[str] = []

    def record(self, name: str, jump: HostRecord | None = None, **more: Any) -> HostRecord:
        """Describe a device."""
        fields = {"key": name, "name": name, "address": "127.0.0.1", "platform": "cisco_ios", **more}
        return HostRecord(port=self.network.ports.get(name), jump=jump, **fields)

    def login(self, record: HostRecord, *_: object) -> list[Login]:
        """Give each device its own login."""
        self.asked.append(record.name)
        fields = {"username": "admin", "password": PASSWORDS[record.name.rstrip("0123456789")]}
        return [
            Login(
                credential_id=record.name, credential_name=record.name, credential_type="ssh", version=1, fields=fields
            )
        ]

    def run(self, *records: HostRecord, params: SshCommandParams = SHOW) -> dict[str, Result]:
        """Run a command on devices, and close their sessions."""
        hosts = [OpsHost(one.name, one, login_source=self.login, host_keys=self.keys) for one in records]
        found = Lab(network=self.network, nornir=nornir_of(list(hosts))).run(ssh_command, params)
        for host in hosts:
            sessions.close_sessions(host)
        return found

    def logins_at(self, name: str, kind: EventKind = EventKind.LOGIN) -> int:
        """Count the logins at a device."""
        return len([entry for entry in self.network.journal.select(kind) if entry.device == name])


MakeCountry = Callable[..., Country]


@pytest.fixture
def country() -> Iterator[MakeCountry]:
    with ExitStack() as stack:

        def settle(*devices: SimulatedDevice) -> Country:
            return Country(stack.enter_context(run_in_thread(devices)), MemoryHostKeys())

        yield settle
        jumps.JUMPS.close_idle(0)


def jump(name: str = "jump", **more: Any) -> SimulatedDevice:
    return SimulatedDevice(**{"name": name, "password": PASSWORDS["jump"], "forwards": True, **more})


def far(number: int = 1, **more: Any) -> SimulatedDevice:
    return SimulatedDevice(name=f"far{number}", password=PASSWORDS["far"], **more)


def test_many_sessions_share_one_connection_to_their_jump_host(country: MakeCountry) -> None:
    here = country(jump(), *(far(number) for number in range(5)))
    via = here.record("jump")
    for _ in range(2):
        results = here.run(*(here.record(f"far{number}", via) for number in range(5)))
        assert {result.result["stdout"] for result in results.values()} == {"Current privilege level is 15"}
    assert here.logins_at("jump") == 1
    assert here.asked.count("jump") == 1


def test_a_connection_that_nobody_uses_is_closed(country: MakeCountry) -> None:
    here = country(jump(), far())
    here.run(here.record("far1", here.record("jump")))
    jumps.JUMPS.close_idle(0)
    here.run(here.record("far1", here.record("jump")))
    assert here.logins_at("jump") == 2


def test_a_jump_host_may_stand_behind_another_but_not_without_end(country: MakeCountry) -> None:
    here = country(jump("jump1"), jump("jump2"), far())
    way = here.record("jump1", here.record("jump2"))
    assert not here.run(here.record("far1", way))["far1"].failed
    assert (here.logins_at("jump1"), here.logins_at("jump2")) == (1, 1)
    long = here.record(
        "jump1", here.record("jump2", here.record("jump1", here.record("jump2"), key="a"), key="b"), key="c"
    )
    assert error_class(here.run(here.record("far1", long))["far1"]) == "validation"


def test_a_jump_host_that_refuses_the_login_is_named_and_no_other_login_is_tried(country: MakeCountry) -> None:
    here = country(jump(fault=Fault.REFUSE_PASSWORD), far())
    result = here.run(here.record("far1", here.record("jump")))["far1"]
    assert error_class(result) == "auth"
    assert "The jump host jump refused" in str(result.exception)
    assert (here.logins_at("jump", EventKind.LOGIN_FAILED), here.asked.count("far1")) == (1, 1)


def test_a_jump_host_that_is_down_is_named(country: MakeCountry) -> None:
    here = country(jump(fault=Fault.DOWN), far())
    result = here.run(here.record("far1", here.record("jump")))["far1"]
    assert error_class(result) == "tcp_refused"
    assert "The jump host failed: jump (127.0.0.1" in str(result.exception)


@pytest.mark.parametrize(("forwards", "fault"), [(False, Fault.NONE), (True, Fault.DOWN)])
def test_what_a_jump_host_does_not_reach_names_both(country: MakeCountry, forwards: bool, fault: Fault) -> None:
    here = country(jump(forwards=forwards), far(fault=fault))
    result = here.run(here.record("far1", here.record("jump")))["far1"]
    assert error_class(result) == "tcp_refused"
    assert f"far1 (127.0.0.1:{here.network.ports['far1']}) was not reached" in str(result.exception)
    assert f"jump (127.0.0.1:{here.network.ports['jump']})" in str(result.exception)


def test_the_host_key_of_a_jump_host_is_looked_at_too(country: MakeCountry) -> None:
    before, after = country(jump(), far()), country(jump(), far())
    before.run(before.record("far1", before.record("jump")))
    jumps.JUMPS.close_idle(0)
    after.keys = before.keys
    result = after.run(after.record("far1", after.record("jump")))["far1"]
    assert error_class(result) == "host_key"
    assert "The jump host failed: jump" in str(result.exception)
    assert after.logins_at("jump") == after.logins_at("jump", EventKind.LOGIN_FAILED) == 0


def test_a_session_through_a_jump_host_is_cut_at_once(country: MakeCountry) -> None:
    here = country(jump(), far(fault=Fault.HANG))
    results: dict[str, Result] = {}
    patient = SshCommandParams(command="show version", timeout=600)
    record = here.record("far1", here.record("jump"))
    thread = threading.Thread(target=lambda: results.update(here.run(record, params=patient)))
    thread.start()
    while not here.network.journal.select(EventKind.COMMAND):
        threading.Event().wait(0.01)
    sessions.interrupt_all()
    thread.join()
    assert error_class(results["far1"]) == "cancelled"
