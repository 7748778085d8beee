"""Simulated devices over real SSH: what netmiko sees of them, what their faults look like, what the journal keeps."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from netmiko import ConnectHandler
from netmiko.exceptions import (
    ConfigInvalidException,
    NetmikoAuthenticationException,
    NetmikoTimeoutException,
    ReadTimeout,
)

from app.demo.network.devices import Fault, Link, Platform, SimulatedDevice, SimulationError
from app.demo.network.fleet import ROSTER, demo_fleet, numbered_fleet
from app.demo.network.journal import EventKind
from app.demo.network.server import Network
from app.demo.network.threaded import run_in_thread

pytestmark = [
    # netmiko finds ntc-templates with an importlib-resources call that is deprecated
    pytest.mark.filterwarnings("ignore:path is deprecated:DeprecationWarning"),
]

SAOS = Platform.CIENA_SAOS
DEVICES = [
    SimulatedDevice(name="lab1-sw-1", latency_s=0.01),
    SimulatedDevice(name="lab1-sw-2", privilege=1, enable_secret="s3cret"),
    SimulatedDevice(name="lab1-sw-3"),
    SimulatedDevice(name="lab1-sw-4"),
    SimulatedDevice(name="lab1-agg-1", platform=SAOS, links=(Link(local_port="5", remote_name="x", remote_port="6"),)),
    SimulatedDevice(name="refuses", fault=Fault.REFUSE_PASSWORD),
    SimulatedDevice(name="hangs", fault=Fault.HANG),
    SimulatedDevice(name="hangs-too", fault=Fault.HANG, platform=SAOS),
    SimulatedDevice(name="down", fault=Fault.DOWN),
    SimulatedDevice(name="drops", fault=Fault.DROP),
    SimulatedDevice(name="babbles", fault=Fault.GARBAGE),
]


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with run_in_thread(DEVICES) as running:
        yield running


@contextmanager
def netmiko(network: Network, name: str, **settings: Any) -> Iterator[Any]:
    device = next(device for device in network.devices if device.name == name)
    connection = ConnectHandler(
        device_type=device.platform.value,
        host="127.0.0.1",
        port=device.port,
        username=device.username,
        password=device.password,
        **settings,
    )
    try:
        yield connection
    finally:
        connection.paramiko_cleanup()


@asynccontextmanager
async def asyncssh_client(network: Network, name: str) -> AsyncIterator[asyncssh.SSHClientConnection]:
    async with asyncssh.connect(
        "127.0.0.1", network.ports[name], username="admin", password="admin", known_hosts=None, config=None,
        client_keys=None, agent_path=None,
    ) as connection:  # fmt: skip
        yield connection


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until the network's thread has caught up; the test fails if it does not within ten seconds."""
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


def test_netmiko_finds_the_prompt_and_parses_the_version(network: Network) -> None:
    with netmiko(network, "lab1-sw-1") as connection:
        assert connection.find_prompt() == "lab1-sw-1#"
        (version,) = connection.send_command("show version", use_textfsm=True)
    assert version["hostname"] == "lab1-sw-1"
    assert version["version"].startswith("15.2(")
    assert version["serial"][0].startswith("FOC")
    assert version["hardware"][0].startswith("WS-C")
    assert version["uptime_weeks"]


def test_netmiko_parses_the_tables_of_the_interfaces(network: Network) -> None:
    with netmiko(network, "lab1-sw-2") as connection:
        addresses = connection.send_command("show ip interface brief", use_textfsm=True)
        descriptions = connection.send_command("show interfaces description", use_textfsm=True)
    assert [row["interface"] for row in addresses][-1] == "Vlan1"
    assert len(addresses) == len(descriptions) == 11
    assert descriptions[-1]["description"] == "management"


def test_netmiko_configures_and_sees_the_merged_configuration(network: Network) -> None:
    with netmiko(network, "lab1-sw-3") as connection:
        connection.send_config_set(["interface Loopback7", "description first", "ip address 10.7.7.7 255.255.255.255"])
        connection.send_config_set(["interface Loopback7", "description second"])
        assert connection.save_config().count("[OK]") == 1
        shown = connection.send_command("show running-config interface Loopback7")
    assert "interface Loopback7\n description second\n ip address 10.7.7.7 255.255.255.255\nend" in shown


def test_netmiko_stops_at_a_refused_line(network: Network) -> None:
    with (
        netmiko(network, "lab1-sw-3") as connection,
        pytest.raises(ConfigInvalidException, match="bogus line"),
    ):
        connection.send_config_set(["vlan 99", "bogus line", "vlan 98"], error_pattern=r"% Invalid input")
    sent = {entry.text for entry in network.journal.select(EventKind.CONFIG, "lab1-sw-3")}
    assert {"vlan 99", "bogus line"} <= sent
    assert "vlan 98" not in sent


def test_netmiko_enables_with_the_secret(network: Network) -> None:
    with netmiko(network, "lab1-sw-2", secret="s3cret") as connection:
        assert connection.find_prompt() == "lab1-sw-2>"
        connection.enable()
        assert connection.find_prompt() == "lab1-sw-2#"
        connection.exit_enable_mode()
        assert connection.find_prompt() == "lab1-sw-2>"


def test_netmiko_cannot_enable_with_a_wrong_secret(network: Network) -> None:
    with (
        netmiko(network, "lab1-sw-2", secret="guess") as connection,
        pytest.raises(ValueError, match="Failed to enter enable mode"),
    ):
        connection.enable()


def test_netmiko_reads_and_changes_a_saos_device(network: Network) -> None:
    with netmiko(network, "lab1-agg-1") as connection:
        assert connection.find_prompt() == "lab1-agg-1>"
        ports = connection.send_command("port show", use_textfsm=True)
        connection.send_config_set(['port set port 1 description "to the roof"'])
        shown = connection.send_command("configuration show")
        refused = connection.send_command("bogus")
    assert [port["name"] for port in ports if port["link"] == "Up"][-1:] == ["5"]
    assert 'port set port 1 description "to the roof"' in shown
    assert refused == "SHELL PARSER FAILURE: 'bogus' - invalid input"


def test_a_refused_password_is_an_authentication_error(network: Network) -> None:
    with pytest.raises(NetmikoAuthenticationException), netmiko(network, "refuses"):
        pytest.fail("the device let us in")
    assert network.journal.select(EventKind.LOGIN_FAILED, "refuses")
    assert not network.journal.select(EventKind.LOGIN, "refuses")


@pytest.mark.parametrize("name", ["hangs", "hangs-too"])
def test_a_hanging_device_lets_in_and_times_out_at_the_first_command(network: Network, name: str) -> None:
    with netmiko(network, name) as connection:
        assert connection.find_prompt().startswith(name)
        with pytest.raises(ReadTimeout):
            connection.send_command("show version", read_timeout=0.5)
    assert [entry.text for entry in network.journal.select(EventKind.COMMAND, name)] == ["show version"]


def test_a_device_that_is_down_refuses_the_connection(network: Network) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", network.ports["down"]))
    with pytest.raises(NetmikoTimeoutException, match="TCP connection to device failed"), netmiko(network, "down"):
        pytest.fail("the device let us in")


def test_a_dropping_device_closes_halfway_through_an_answer(network: Network) -> None:
    with netmiko(network, "drops") as connection:
        with pytest.raises(ReadTimeout):
            connection.send_command("show version", read_timeout=0.5)
        assert not connection.is_alive()


def test_a_babbling_device_answers_with_noise(network: Network) -> None:
    with netmiko(network, "babbles") as connection:
        noise = connection.send_command("show version")
    assert "Version" not in noise
    assert len(noise) > 100


def test_the_journal_tells_of_every_session_and_line(network: Network) -> None:
    def logouts() -> int:
        return len(network.journal.select(EventKind.LOGOUT, "lab1-sw-4"))

    with netmiko(network, "lab1-sw-4") as first, netmiko(network, "lab1-sw-4") as second:
        assert network.journal.open_sessions["lab1-sw-4"] == 2
        first.send_command("show version")
        second.send_config_set(["vlan 55"])
    wait_until(lambda: logouts() == 2)
    mine = [entry for entry in network.journal.entries if entry.device == "lab1-sw-4"]
    assert [entry.text for entry in mine if entry.kind is EventKind.COMMAND] == [
        "show version", "configure terminal", "end",
    ]  # fmt: skip
    assert [entry.text for entry in mine if entry.kind is EventKind.CONFIG] == ["vlan 55"]
    assert len({entry.connection for entry in mine if entry.kind is EventKind.LOGIN}) == 2
    assert network.journal.peak_sessions["lab1-sw-4"] == 2
    assert network.journal.peak_total >= 2
    assert "lab1-sw-4" not in network.journal.open_sessions


async def test_a_single_command_is_answered_without_a_prompt() -> None:
    async with Network([SimulatedDevice(name="solo")]) as network, asyncssh_client(network, "solo") as connection:
        done = await connection.run("show privilege")
        assert (done.stdout, done.exit_status) == ("Current privilege level is 15\r\n", 0)


async def test_what_was_sent_before_the_end_of_input_is_still_answered() -> None:
    device = SimulatedDevice(name="solo", latency_s=0.01)
    async with Network([device]) as network, asyncssh_client(network, "solo") as connection:
        done = await connection.run("show privilege", stdin=asyncssh.DEVNULL)
        assert done.stdout == "Current privilege level is 15\r\n"
        channel = await connection.create_process(term_type="vt100")
        channel.stdin.write("show priv\nshow priv\n")
        channel.stdin.write_eof()
        shown = await channel.stdout.read()
        assert str(shown).count("Current privilege level is 15\r\n") == 2


async def test_lines_typed_ahead_are_answered_in_order() -> None:
    device = SimulatedDevice(name="solo", latency_s=0.01, privilege=1, enable_secret="s3cret")
    async with Network([device]) as network, asyncssh_client(network, "solo") as connection:
        channel = await connection.create_process(term_type="vt100")
        channel.stdin.write("shx\x7f\x7fhow priv\r\nenab\x15enable\ns3cret\rshow priv\rexit\r")
        shown = await channel.stdout.read()
        assert shown == (
            "solo>show priv\r\nCurrent privilege level is 1\r\n"
            "solo>enable\r\nPassword: \r\n"
            "solo#show priv\r\nCurrent privilege level is 15\r\n"
            "solo#exit\r\n"
        )


async def test_a_line_that_has_arrived_is_done_although_its_sender_is_gone() -> None:
    device = SimulatedDevice(name="solo", latency_s=0.2)
    async with Network([device]) as network:
        async with asyncssh_client(network, "solo") as connection:
            channel = await connection.create_process(term_type="vt100")
            channel.stdin.write("configure terminal\n")
            await channel.stdout.readuntil("(config)#")
            channel.stdin.write("snmp-server location here\n")
            await channel.stdout.readuntil("here")
            connection.abort()
        await asyncio.sleep(2 * device.latency_s)
        async with asyncssh_client(network, "solo") as connection:
            shown = await connection.run("show running-config")
            assert "snmp-server location here" in str(shown.stdout)


async def test_only_passwords_open_a_device() -> None:
    async with Network([SimulatedDevice(name="solo")]) as network:
        with pytest.raises(asyncssh.PermissionDenied):
            await asyncssh.connect(
                "127.0.0.1", network.ports["solo"], username="admin", known_hosts=None, config=None,
                client_keys=[asyncssh.generate_private_key("ssh-ed25519")], agent_path=None,
            )  # fmt: skip
        with pytest.raises(asyncssh.PermissionDenied):
            await asyncssh.connect(
                "127.0.0.1", network.ports["solo"], username="other", password="admin", known_hosts=None,
                client_keys=None, config=None, agent_path=None,
            )  # fmt: skip
        assert [entry.text for entry in network.journal.select(EventKind.LOGIN_FAILED)] == ["other"]


async def test_a_stopped_network_closes_its_sessions_and_ports() -> None:
    async with Network(numbered_fleet(1)) as network:
        port = network.ports["sim-0001"]
        async with asyncssh.connect(
            "127.0.0.1", port, username="netops", password="demo-network", known_hosts=None, config=None,
            client_keys=None, agent_path=None,
        ) as connection:  # fmt: skip
            await network.stop()
            await connection.wait_closed()
    assert not network.journal.open_sessions
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_the_host_key_in_a_file_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "host_key"

    async def host_key() -> bytes:
        async with Network([SimulatedDevice(name="solo")], host_key_path=path) as network:
            key = await asyncssh.get_server_host_key("127.0.0.1", network.ports["solo"], config=None)
            assert key is not None
            return key.public_data

    assert await host_key() == await host_key()
    assert path.stat().st_mode & 0o077 == 0


async def test_a_broken_host_key_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "host_key"
    path.write_text("no key")
    with pytest.raises(SimulationError, match=r"host_key cannot be read.*Delete the file"):
        await Network([SimulatedDevice(name="solo")], host_key_path=path).start()


async def test_files_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    missing = tmp_path / "none" / "file"
    with pytest.raises(SimulationError, match=r"host key cannot be written to .*none/file: No such file"):
        await Network([SimulatedDevice(name="solo")], host_key_path=missing).start()
    with pytest.raises(SimulationError, match=r"journal cannot be written to .*none/file: No such file"):
        Network([SimulatedDevice(name="solo")], journal_path=missing)


async def test_the_journal_is_appended_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    for _ in range(2):
        network = Network([SimulatedDevice(name="solo")], journal_path=path)
        async with network, asyncssh_client(network, "solo") as connection:
            await connection.run("show version")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(row["device"], row["kind"], row["text"]) for row in rows] == [
        ("solo", "login", "admin"), ("solo", "command", "show version"), ("solo", "logout", "admin"),
    ] * 2  # fmt: skip


async def test_a_port_in_use_starts_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        devices = [SimulatedDevice(name="free"), SimulatedDevice(name="late", port=port)]
        network = Network(devices)
        with pytest.raises(SimulationError, match=rf"late cannot use 127.0.0.1:{port}: Address already in use"):
            await network.start()
    assert network.boxes.keys() == {"free"}


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        ([SimulatedDevice(name="a"), SimulatedDevice(name="a")], "two devices named 'a'"),
        ([SimulatedDevice(name="a", port=4000), SimulatedDevice(name="b", port=4000)], "b: port 4000 is another"),
        ([SimulatedDevice(name="a", port=65536)], "a: port 65536 is not from 0 to 65535"),
    ],
)
def test_devices_that_cannot_be_are_refused(devices: list[SimulatedDevice], message: str) -> None:
    with pytest.raises(SimulationError, match=message):
        Network(devices)


async def test_a_hundred_devices_answer() -> None:
    async with Network(numbered_fleet(100, platforms=(Platform.CISCO_IOS, SAOS))) as network:
        assert len(set(network.ports.values())) == 100

        async def ask(name: str) -> str:
            async with asyncssh.connect(
                "127.0.0.1", network.ports[name], username="netops", password="demo-network", known_hosts=None,
                client_keys=None, config=None, agent_path=None,
            ) as connection:  # fmt: skip
                return str((await connection.run("exit")).stdout)

        assert await asyncio.gather(*(ask(name) for name in network.ports)) == [""] * 100
        assert len(network.journal.select(EventKind.LOGIN)) == 100


def test_the_demo_fleet_is_as_the_demo_promises() -> None:
    fleet = demo_fleet(base_port=21000)
    devices = [member.device for member in fleet]
    assert [device.port for device in devices] == list(range(21000, 21012))
    assert sorted(device.fault for device in devices if device.fault is not Fault.NONE) == [
        Fault.DOWN, Fault.HANG, Fault.REFUSE_PASSWORD,
    ]  # fmt: skip
    assert sum(device.platform is Platform.CISCO_IOS for device in devices) == 8
    for platform in Platform:
        healthy = [device for device in devices if device.platform is platform and device.fault is Fault.NONE]
        assert len({device.release for device in healthy}) == 2
    assert {(member.site, member.role) for member in fleet} >= {("ber1", "core"), ("ham1", "aggregation")}


def test_the_cables_of_the_demo_have_two_ends() -> None:
    devices = {member.device.name: member.device for member in demo_fleet()}
    assert len(devices) == len(ROSTER)
    ends = {
        (name, link.local_port, link.remote_name, link.remote_port) for name in devices for link in devices[name].links
    }
    assert ends == {(there, far, here, near) for here, near, there, far in ends}
    assert len({end[:2] for end in ends}) == len(ends)
