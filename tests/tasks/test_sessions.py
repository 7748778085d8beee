"""Sessions: logins in order, every way to fail, reuse, and being cut from another thread."""

import logging
import re
import socket
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from nornir.core.inventory import Host
from nornir.core.task import Result, Task
from nornir_netmiko.tasks import netmiko_send_command

from app.demo.network.devices import Fault, SimulatedDevice
from app.demo.network.journal import EventKind
from inventory.records import Login
from tasks import sessions
from tasks.channel import LiveChannel
from tasks.context import SessionTimeouts
from tasks.errors import SessionError
from tasks.sessions import netmiko_session
from tasks.ssh import SshCommandParams, ssh_command
from tasks.terminal import run_command
from tests.support.node_lab import Lab, MakeLab, error_class, nornir_of

pytestmark = pytest.mark.usefixtures("either_transport")

SHOW = SshCommandParams(command="show privilege", timeout=1)
IMPATIENT = SessionTimeouts(connect_s=0.3, banner_s=0.3, login_s=5)


class VaultHost(Host):
    """A host that asks a vault for its logins, as the service's hosts do."""

    def __init__(self, device: SimulatedDevice, port: int, *, vault: Callable[..., Sequence[Login]]) -> None:
        super().__init__(device.name, hostname="127.0.0.1", port=port, platform=device.platform.value)
        self.vault = vault

    def logins(self, credential_type: str, explicit: str | None) -> Sequence[Login]:
        """Ask the vault."""
        return self.vault(credential_type, explicit)


def login(name: str, **fields: Any) -> Login:
    return Login(
        credential_id=name,
        credential_name=name,
        credential_type="ssh",
        version=1,
        fields={"username": "admin", "password": "admin", **fields},
    )


def vaulted(lab: MakeLab, *logins: Login, **device: Any) -> Lab:
    return lab(SimulatedDevice(name="sw1", **device), host=VaultHost, vault=lambda *_: logins)


@contextmanager
def listener(answer: bytes | None = None, backlog: int = 5) -> Iterator[int]:
    """Listen on a port; say something to whoever comes, or nothing at all."""
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as server:
        port = server.getsockname()[1]
        over = threading.Event()

        def serve() -> None:
            server.settimeout(0.05)
            while not over.is_set():
                try:
                    guest, _ = server.accept()
                except TimeoutError:
                    continue
                with guest:
                    if answer is not None:
                        guest.sendall(answer)
                    over.wait()

        thread = threading.Thread(target=serve)
        if backlog:
            thread.start()
        try:
            yield port
        finally:
            over.set()
            if backlog:
                thread.join()


def session_on(port: int, address: str = "127.0.0.1", **surroundings: Any) -> Result:
    host = Host("far", hostname=address, port=port, username="admin", password="hunter2", platform="cisco_ios")
    found = Lab(network=None, nornir=nornir_of([host])).one(ssh_command, SHOW, **surroundings)  # type: ignore[arg-type]
    sessions.close_sessions(host)
    return found


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.REFUSE_PASSWORD, "auth"),
        (Fault.DOWN, "tcp_refused"),
        (Fault.HANG, "read_timeout"),
        (Fault.DROP, "connection_lost"),
        (Fault.GARBAGE, "read_timeout"),
    ],
)
def test_each_fault_of_a_device_has_its_class_and_names_the_device(lab: MakeLab, fault: Fault, expected: str) -> None:
    devices = lab(SimulatedDevice(name="sick", fault=fault))
    result = devices.one(ssh_command, SHOW)
    assert error_class(result) == expected
    assert f"sick (127.0.0.1:{devices.network.ports['sick']})" in str(result.exception)


def test_a_name_without_an_address_is_a_dns_error() -> None:
    result = session_on(22, "no-such-device.invalid")
    assert error_class(result) == "dns"
    assert "no-such-device.invalid" in str(result.exception)


def test_a_name_that_is_no_name_is_a_dns_error() -> None:
    assert error_class(session_on(22, f"{'a' * 70}.invalid")) == "dns"


def test_a_host_that_accepts_no_connection_times_out() -> None:
    with listener(backlog=0) as port, socket.create_connection(("127.0.0.1", port)):
        result = session_on(port, timeouts=IMPATIENT)
    assert error_class(result) == "tcp_timeout"
    assert "0.3 s" in str(result.exception)


@pytest.mark.parametrize("answer", [None, b"HTTP/1.0 400 Bad Request\r\n\r\n"])
def test_a_port_that_speaks_no_ssh_is_a_protocol_error(answer: bytes | None) -> None:
    with listener(answer) as port:
        assert error_class(session_on(port, timeouts=IMPATIENT)) == "protocol"


def test_a_session_is_kept_for_the_next_node(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="sw1"))
    assert not devices.one(ssh_command, SHOW).failed
    assert not devices.one(ssh_command, SHOW).failed
    assert devices.count(EventKind.LOGIN) == 1


def test_a_session_that_is_too_old_is_not_used_again(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="sw1"))
    devices.one(ssh_command, SHOW)
    devices.one(ssh_command, SHOW, timeouts=SessionTimeouts(max_age_s=0))
    assert devices.count(EventKind.LOGIN) == 2


def test_a_session_with_something_unread_is_not_used_again(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="sw1"))

    def leaves_something_unread(task: Task, params: object) -> None:
        with netmiko_session(task) as connection:
            connection.write_channel("show privilege\n")
            assert isinstance(connection.channel, LiveChannel)
            assert connection.channel.wait(60)

    devices.one(leaves_something_unread, SHOW)
    result = devices.one(ssh_command, SHOW)
    assert result.result["stdout"] == "Current privilege level is 15"
    assert devices.count(EventKind.LOGIN) == 2


def test_a_session_that_the_device_has_closed_is_not_used_again(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="sw1"))

    def says_goodbye(task: Task, params: object) -> None:
        with netmiko_session(task) as connection:
            connection.write_channel("exit\n")
            assert isinstance(connection.channel, LiveChannel)
            while connection.channel.is_open:
                threading.Event().wait(0.01)

    devices.one(says_goodbye, SHOW)
    assert not devices.one(ssh_command, SHOW).failed
    assert devices.count(EventKind.LOGIN) == 2


def test_a_session_is_dropped_after_an_error(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="sw1"))

    def fails(task: Task, params: object) -> None:
        with netmiko_session(task):
            raise RuntimeError("the node's own mistake")

    assert error_class(devices.one(fails, SHOW)) == "RuntimeError"
    assert not devices.one(ssh_command, SHOW).failed
    assert devices.count(EventKind.LOGIN) == 2


def test_an_error_of_the_node_itself_is_not_taken_for_one_of_the_session(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="sw1"))

    def misses_a_file(task: Task, params: object) -> None:
        with netmiko_session(task), open("/no/such/file"):  # noqa: PTH123 — the error is the point
            pass

    assert error_class(devices.one(misses_a_file, SHOW)) == "FileNotFoundError"


def test_nornirs_own_tasks_use_the_same_session(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="sw1"))
    devices.one(ssh_command, SHOW)
    results = devices.nornir.run(task=netmiko_send_command, command_string="show privilege")
    assert results["sw1"][0].result == "Current privilege level is 15"
    assert devices.count(EventKind.LOGIN) == 1


def test_nornir_closes_a_session_with_the_others(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="sw1"))
    devices.one(ssh_command, SHOW)
    devices.nornir.close_connections()
    assert devices.host("sw1").connections == {}
    assert not devices.one(ssh_command, SHOW).failed


def test_the_next_login_is_tried_when_one_is_refused(lab: MakeLab) -> None:
    devices = vaulted(lab, login("stale", password="old-password"), login("fresh"), login("never-needed"))
    assert not devices.one(ssh_command, SHOW).failed
    assert (devices.count(EventKind.LOGIN_FAILED), devices.count(EventKind.LOGIN)) == (1, 1)


def test_a_login_is_tried_once_in_the_life_of_a_host(lab: MakeLab) -> None:
    devices = vaulted(lab, login("one", password="hunter2"), login("two", password="hunter3"))
    first = devices.one(ssh_command, SHOW)
    again = devices.one(ssh_command, SHOW)
    assert error_class(first) == error_class(again) == "auth"
    assert "one (user admin), two (user admin)" in str(again.exception)
    assert devices.count(EventKind.LOGIN_FAILED) == 2


def test_another_error_than_a_refusal_ends_the_trying(lab: MakeLab) -> None:
    devices = vaulted(lab, login("one"), login("two"), fault=Fault.HANG)
    assert error_class(devices.one(ssh_command, SHOW)) == "read_timeout"
    assert devices.count(EventKind.LOGIN) == 1


def test_a_login_may_bring_the_enable_secret(lab: MakeLab) -> None:
    devices = vaulted(lab, login("core", enable_secret="s3cret"), privilege=1, enable_secret="s3cret")
    result = devices.one(ssh_command, SshCommandParams(command="show privilege", enable=True))
    assert result.result["stdout"].endswith(" 15")


def test_a_named_credential_is_asked_for_by_name_and_has_its_own_session(lab: MakeLab) -> None:
    asked: list[tuple[str, str | None]] = []

    def vault(credential_type: str, explicit: str | None) -> list[Login]:
        asked.append((credential_type, explicit))
        return [login(explicit or "assigned")]

    devices = lab(SimulatedDevice(name="sw1"), host=VaultHost, vault=vault)
    devices.one(ssh_command, SHOW)
    devices.one(ssh_command, SshCommandParams(command="show privilege", credential="backup"))
    devices.one(ssh_command, SshCommandParams(command="show privilege", credential="backup"))
    assert asked == [("ssh", None), ("ssh", "backup")]
    assert devices.count(EventKind.LOGIN) == 2


def test_a_vault_without_a_login_says_why(lab: MakeLab) -> None:
    def vault(*_: object) -> list[Login]:
        raise LookupError("sw1: its credential has expired")

    devices = lab(SimulatedDevice(name="sw1"), host=VaultHost, vault=vault)
    result = devices.one(ssh_command, SHOW)
    assert error_class(result) == "credential"
    assert str(result.exception) == "sw1: its credential has expired"


def test_no_login_at_all_is_a_credential_error(lab: MakeLab) -> None:
    assert error_class(vaulted(lab).one(ssh_command, SHOW)) == "credential"


def test_a_plain_host_without_a_username_is_a_credential_error(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="sw1"), username=None)
    result = devices.one(ssh_command, SHOW)
    assert error_class(result) == "credential"
    assert "no username" in str(result.exception)


def test_a_plain_host_has_no_credentials_by_name(lab: MakeLab) -> None:
    params = SshCommandParams(command="show privilege", credential="core")
    result = lab(SimulatedDevice(name="sw1")).one(ssh_command, params)
    assert error_class(result) == "credential"
    assert "'core'" in str(result.exception)


@pytest.mark.parametrize("platform", [None, "cisco_ios_telnet", "abacus"])
def test_a_platform_that_is_not_spoken_over_ssh_is_unsupported(lab: MakeLab, platform: str | None) -> None:
    result = lab(SimulatedDevice(name="sw1"), platform=platform).one(ssh_command, SHOW)
    assert error_class(result) == "unsupported"


def test_no_secret_stands_in_messages_tracebacks_or_the_log(lab: MakeLab, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = ("hunter2-password", "hunter3-enable", "hunter4-passphrase")
    wrong = login("wrong", password="hunter2-password")
    unusable = login("key", private_key="hunter5-key", passphrase="hunter4-passphrase")
    badly_enabled = login("right", enable_secret="hunter3-enable")
    texts = []
    for found, enable in ((wrong, False), (unusable, False), (badly_enabled, True)):
        devices = vaulted(lab, found, privilege=1)
        result = devices.one(ssh_command, SshCommandParams(command="show privilege", enable=enable, timeout=1))
        assert result.exception is not None
        texts += [repr(found), *traceback.format_exception(result.exception)]
    assert not re.search("|".join((*secrets, "hunter5-key")), "\n".join([*texts, caplog.text]))


def test_nothing_of_a_closed_session_stays_in_netmikos_log_filters(lab: MakeLab) -> None:
    filters = logging.getLogger("netmiko").filters
    before = list(filters)
    devices = lab(SimulatedDevice(name="sw1"), SimulatedDevice(name="bad", fault=Fault.REFUSE_PASSWORD))
    devices.run(ssh_command, SHOW)
    sessions.close_sessions(devices.host("sw1"))
    assert filters == before


def test_everybody_waiting_is_woken_when_all_lines_are_cut(lab: MakeLab) -> None:
    devices = lab(*(SimulatedDevice(name=f"hang{number}", fault=Fault.HANG) for number in range(3)))
    results: dict[str, Result] = {}
    params = SshCommandParams(command="show version", timeout=600)
    thread = threading.Thread(target=lambda: results.update(devices.run(ssh_command, params)))
    thread.start()
    while devices.count(EventKind.COMMAND) < 3:
        threading.Event().wait(0.01)
    sessions.interrupt_all()
    thread.join()
    assert [error_class(result) for result in results.values()] == ["cancelled"] * 3


def test_one_host_is_woken_when_its_time_is_over(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="hang", fault=Fault.HANG))
    results: list[Result] = []
    params = SshCommandParams(command="show version", timeout=600)
    thread = threading.Thread(target=lambda: results.append(devices.one(ssh_command, params)))
    thread.start()
    while not devices.count(EventKind.COMMAND):
        threading.Event().wait(0.01)
    sessions.interrupt(devices.host("hang"))
    thread.join()
    assert error_class(results[0]) == "timeout"


def test_a_host_without_a_session_may_be_interrupted(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="sw1"))
    sessions.interrupt(devices.host("sw1"))
    sessions.interrupt_all()
    assert not devices.one(ssh_command, SHOW).failed


def test_a_command_is_given_its_time_and_no_more(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="slow", latency_s=0.4))

    def asks_twice(task: Task, params: object) -> str:
        with netmiko_session(task) as connection:
            return run_command(connection, "show privilege", 5)

    assert devices.one(asks_twice, SHOW).result == "Current privilege level is 15"


def test_the_session_error_is_what_a_task_author_catches(lab: MakeLab) -> None:
    devices = lab(SimulatedDevice(name="down", fault=Fault.DOWN))

    def copes(task: Task, params: object) -> str:
        try:
            with netmiko_session(task):
                return "up"
        except SessionError as error:
            return error.error_class

    assert devices.one(copes, SHOW).result == "tcp_refused"
