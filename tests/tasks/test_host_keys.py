"""Host keys: the first one of a host is taken, no other from then on, and nothing secret is sent before."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncssh
import paramiko
import pytest
from nornir.core.task import Result

from app.demo.network.devices import SimulatedDevice
from app.demo.network.journal import EventKind
from app.demo.network.server import Network
from app.demo.network.threaded import run_in_thread
from inventory.host_keys import HostKeyPolicy, MemoryHostKeys, ShownKey
from inventory.hosts import OpsHost
from inventory.records import HostRecord, Login
from tasks import sessions
from tasks.dialing import Line
from tasks.sessions.host_keys import Check, fingerprint_of
from tasks.ssh import SshCommandParams, ssh_command
from tests.support.node_lab import Lab, error_class, nornir_of

pytestmark = pytest.mark.usefixtures("either_transport")

SHOW = SshCommandParams(command="show privilege", timeout=5)
ID = "0192f0c0-0000-7000-8000-000000000001"


class Place:
    """A port on which devices with one host key or another can be set up."""

    def __init__(self, tmp_path: Path, policy: HostKeyPolicy) -> None:
        self.tmp_path = tmp_path
        self.keys = MemoryHostKeys(policy)
        self.port = 0

    @contextmanager
    def device(self, key: str) -> Iterator[Network]:
        """Set up a device with a host key; the same name is the same key."""
        device = SimulatedDevice(name="sw1", port=self.port)
        with run_in_thread([device], host_key_path=self.tmp_path / key) as network:
            self.port = network.ports["sw1"]
            yield network

    def log_in(self, device_id: str | None = ID) -> Result:
        """Log in as the service does."""
        record = HostRecord(
            key="sw1", id=device_id, name="sw1", address="127.0.0.1", port=self.port, platform="cisco_ios"
        )
        host = OpsHost("sw1", record, login_source=lambda *_: [_login()], host_keys=self.keys)
        found = Lab(network=None, nornir=nornir_of([host])).one(ssh_command, SHOW)  # type: ignore[arg-type]
        sessions.close_sessions(host)
        return found

    def fingerprint(self, key: str) -> str:
        """Return the fingerprint of a device's key."""
        return asyncssh.read_private_key(self.tmp_path / key).get_fingerprint()


MakePlace = Callable[[HostKeyPolicy], Place]


def _login() -> Login:
    fields = {"username": "admin", "password": "admin"}
    return Login(credential_id="core", credential_name="core", credential_type="ssh", version=1, fields=fields)


@pytest.fixture
def place(tmp_path: Path) -> MakePlace:
    return lambda policy: Place(tmp_path, policy)


def test_the_first_key_is_taken_and_the_same_one_again(place: MakePlace) -> None:
    here = place("tofu")
    for _ in range(2):
        with here.device("own") as network:
            assert not here.log_in().failed
            assert len(network.journal.select(EventKind.LOGIN)) == 1


def test_another_key_is_refused_before_anything_secret_is_sent(place: MakePlace) -> None:
    here = place("tofu")
    with here.device("own"):
        here.log_in()
    with here.device("foreign") as network:
        result = here.log_in()
        assert not network.journal.select(EventKind.LOGIN)
        assert not network.journal.select(EventKind.LOGIN_FAILED)
    assert error_class(result) == "host_key"
    told = str(result.exception)
    assert here.fingerprint("own") in told
    assert here.fingerprint("foreign") in told
    assert f"sw1 (127.0.0.1:{here.port})" in told
    assert f"/inventory/v1/devices/{ID}/host-keys" in told


def test_strictness_takes_known_keys_only(place: MakePlace) -> None:
    here = place("strict")
    with here.device("own") as network:
        refused = here.log_in()
        assert not network.journal.select(EventKind.LOGIN)
        here.keys.learn(
            HostRecord(key="sw1", name="sw1", address="127.0.0.1", platform="cisco_ios"), _shown(here.tmp_path / "own")
        )
        assert not here.log_in().failed
    assert error_class(refused) == "host_key"
    assert "HOST_KEYS=strict" in str(refused.exception)
    assert here.fingerprint("own") in str(refused.exception)


def test_any_key_is_taken_where_nobody_looks(place: MakePlace) -> None:
    here = place("off")
    for key in ("own", "foreign"):
        with here.device(key):
            assert not here.log_in().failed


def test_the_kinds_of_known_keys_are_asked_for_first(place: MakePlace) -> None:
    here = place("tofu")
    record = HostRecord(key="sw1", name="sw1", address="127.0.0.1", platform="cisco_ios")
    rsa = paramiko.RSAKey.generate(2048)
    here.keys.learn(
        record, ShownKey(address="127.0.0.1", port=22, key_type=rsa.get_name(), public_key=rsa.get_base64())
    )
    check = Check(OpsHost("sw1", record, host_keys=here.keys), Line("127.0.0.1", 22))
    offered = ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256"]
    assert check.preferred(offered) == ["rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519", "ecdsa-sha2-nistp256"]
    check.look_at("ssh-rsa", rsa.asbytes())
    unknown = Check(OpsHost("sw2", record, host_keys=MemoryHostKeys()), Line("127.0.0.1", 22))
    assert unknown.preferred(offered) == offered


def test_fingerprints_are_written_as_openssh_does() -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    shown = _shown_of(key)
    assert shown.fingerprint == key.get_fingerprint() == fingerprint_of(key.public_data)


def _shown(path: Path) -> ShownKey:
    return _shown_of(asyncssh.read_private_key(path))


def _shown_of(key: asyncssh.SSHKey) -> ShownKey:
    kind, blob = key.export_public_key("openssh").decode().split()[:2]
    return ShownKey(address="127.0.0.1", port=22, key_type=kind, public_key=blob)
