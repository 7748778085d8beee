"""The simulated network as a process of its own: it says when it is ready, stops cleanly and outlives nobody."""

import asyncio
import json
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from app.demo.network.devices import Fault, Link, Platform, SimulatedDevice, SimulationError
from app.demo.network.fleet import demo_fleet
from app.demo.network.launch import network_process
from app.demo.network.process import main, read_ready_line
from app.demo.network.spec_file import NetworkSpec, read_spec, write_spec

PARENT = """
import sys, time
from pathlib import Path
from app.demo.network.devices import SimulatedDevice
from app.demo.network.launch import network_process
from app.demo.network.spec_file import NetworkSpec
with network_process(NetworkSpec(devices=(SimulatedDevice(name="solo"),)), Path(sys.argv[1])) as ports:
    print(ports["solo"], flush=True)
    time.sleep(60)
"""


def refuses_connections(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def wait_until_refused(port: int) -> None:
    """Wait until nothing listens any more; the test fails if something still does after twenty seconds."""
    deadline = time.monotonic() + 20
    while not refuses_connections(port) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert refuses_connections(port)


async def python(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)


async def first_line(child: asyncio.subprocess.Process) -> str:
    assert child.stdout is not None
    return (await child.stdout.readline()).decode()


def test_a_spec_survives_being_written_and_read(tmp_path: Path) -> None:
    spec = NetworkSpec(devices=tuple(member.device for member in demo_fleet(30000)), journal_path=Path("journal.jsonl"))
    write_spec(tmp_path / "spec.json", spec)
    assert read_spec(tmp_path / "spec.json") == spec
    assert (tmp_path / "spec.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "an object with a list named devices"),
        ({"devices": {}}, "an object with a list named devices"),
        ({"devices": ["x"]}, r"devices\[0\] must be an object"),
        ({"devices": [{"port": 1}]}, r"devices\[0\] lacks name"),
        ({"devices": [{"name": "a", "colour": "red"}]}, "unknown fields: colour. Known are name"),
        ({"devices": [{"name": "a", "port": "22"}]}, r"devices\[0\].port must be int, not '22'"),
        ({"devices": [{"name": "a", "port": True}]}, "port must be int, not True"),
        ({"devices": [{"name": "a", "latency_s": "slow"}]}, "latency_s must be float"),
        ({"devices": [{"name": "a", "fault": "tired"}]}, "fault is 'tired'; it must be one of none, refuse_password"),
        ({"devices": [{"name": "a", "platform": None}]}, "platform is None; it must be one of cisco_ios, ciena_saos"),
        ({"devices": [{"name": "a", "links": {}}]}, r"devices\[0\].links must be a list"),
        ({"devices": [{"name": "a", "links": [{}]}]}, r"links\[0\] lacks local_port, remote_name, remote_port"),
        ({"devices": [], "journal_path": 5}, "journal_path must be a path in quotes, not 5"),
    ],
)
def test_a_spec_that_is_no_network_is_refused_with_the_reason(tmp_path: Path, content: Any, message: str) -> None:
    path = tmp_path / "spec.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(SimulationError, match=message):
        read_spec(path)


def test_a_spec_is_read_with_its_enumerations_and_links(tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    link = {"local_port": "5", "remote_name": "b", "remote_port": "6", "remote_platform": "ciena_saos"}
    path.write_text(json.dumps({"devices": [{"name": "a", "fault": "hang", "latency_s": 1, "links": [link]}]}))
    (device,) = read_spec(path).devices
    assert device == SimulatedDevice(
        name="a",
        fault=Fault.HANG,
        latency_s=1,
        links=(Link(local_port="5", remote_name="b", remote_port="6", remote_platform=Platform.CIENA_SAOS),),
    )


def test_without_a_spec_the_usage_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "Usage: python -m app.demo.network SPEC.json" in capsys.readouterr().err


def test_a_spec_that_is_missing_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.json")]) == 2
    assert "none.json cannot be read" in capsys.readouterr().err


def test_another_line_than_the_ready_one_is_not_taken_for_it() -> None:
    with pytest.raises(SimulationError, match="said 'Hello' in place of READY"):
        read_ready_line("Hello")


def test_a_network_in_a_process_listens_until_it_is_stopped(tmp_path: Path) -> None:
    devices = (SimulatedDevice(name="up"), SimulatedDevice(name="down", fault=Fault.DOWN))
    with network_process(NetworkSpec(devices=devices), tmp_path / "spec.json") as ports:
        assert not refuses_connections(ports["up"])
        assert refuses_connections(ports["down"])
    assert refuses_connections(ports["up"])


def test_a_network_that_cannot_start_tells_its_parent_why(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        spec = NetworkSpec(devices=(SimulatedDevice(name="solo", port=taken.getsockname()[1]),))
        with (
            pytest.raises(SimulationError, match=r"does not start. Device solo cannot use"),
            network_process(spec, tmp_path / "spec.json"),
        ):
            pytest.fail("the network started on a taken port")


def test_a_network_that_is_not_ready_in_time_is_given_up(tmp_path: Path) -> None:
    spec = NetworkSpec(devices=(SimulatedDevice(name="solo"),))
    with (
        pytest.raises(SimulationError, match=r"not ready after 0 s; see .*spec.log"),
        network_process(spec, tmp_path / "spec.json", ready_timeout_s=0),
    ):
        pytest.fail("the network was ready in no time")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_process_with_success(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "spec.json"
    write_spec(path, NetworkSpec(devices=(SimulatedDevice(name="solo"),)))
    child = await python("-m", "app.demo.network", str(path))
    assert list(read_ready_line(await first_line(child))) == ["solo"]
    child.send_signal(number)
    assert await child.wait() == 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
async def test_a_network_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent = await python("-c", PARENT, str(tmp_path / "spec.json"))
    port = int(await first_line(parent))
    assert not refuses_connections(port)
    parent.kill()
    await parent.wait()
    wait_until_refused(port)
