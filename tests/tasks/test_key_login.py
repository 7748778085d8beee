"""Logging in with private keys that exist in memory only, on a server that takes nothing but keys."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import asyncssh
import pytest
from nornir.core.inventory import Host

from app.demo.network.cisco_ios import CiscoIos
from app.demo.network.devices import SimulatedDevice
from app.demo.network.session import TerminalSession
from inventory.records import Login
from tasks import sessions
from tasks.errors import SessionError
from tasks.keys import read_private_key
from tasks.ssh import SshCommandParams, ssh_command
from tests.support.node_lab import Lab, error_class, nornir_of

PASSPHRASE = "open-sesame"


class KeyDoor(asyncssh.SSHServer):
    """Lets in who holds the private half of one key."""

    def __init__(self, key: asyncssh.SSHKey, guests: list[asyncssh.SSHServerConnection]) -> None:
        self._key = key
        self._guests = guests

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Note who comes."""
        self._guests.append(conn)

    def begin_auth(self, _username: str) -> bool:
        """Demand a key of everybody."""
        return True

    def public_key_auth_supported(self) -> bool:
        """Offer keys and nothing else."""
        return True

    def validate_public_key(self, _username: str, key: asyncssh.SSHKey) -> bool:
        """Tell whether it is the one key."""
        return bool(key.public_data == self._key.public_data)

    def session_requested(self) -> TerminalSession:
        """Open a terminal."""
        device = SimulatedDevice(name="sw1")
        return TerminalSession(device, CiscoIos(device).open_terminal(), lambda *_: None)


@dataclass
class KeyHost:
    """A port that takes one key."""

    port: int
    key: asyncssh.SSHKey


@pytest.fixture(params=["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"])
def key_host(request: pytest.FixtureRequest) -> Iterator[KeyHost]:
    key = asyncssh.generate_private_key(request.param)
    guests: list[asyncssh.SSHServerConnection] = []
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=lambda: KeyDoor(key, guests),
            server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            encoding=None,
            line_editor=False,
            gss_host=None,
        )

    async def stop(acceptor: asyncssh.SSHAcceptor) -> None:
        acceptor.close()
        for guest in guests:
            guest.abort()
            await guest.wait_closed()
        await acceptor.wait_closed()

    acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result()
    yield KeyHost(acceptor.get_port(), key)
    asyncio.run_coroutine_threadsafe(stop(acceptor), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


class KeyHolder(Host):
    """A host whose login holds a key."""

    def __init__(self, port: int, **fields: Any) -> None:
        super().__init__("sw1", hostname="127.0.0.1", port=port, platform="cisco_ios")
        self.fields = fields

    def logins(self, *_: object) -> list[Login]:
        """Give the one login."""
        fields = {"username": "admin", **self.fields}
        return [Login(credential_id="key", credential_name="key", credential_type="ssh", version=1, fields=fields)]


def exported(key: asyncssh.SSHKey, form: str, passphrase: str | None = None) -> str:
    return key.export_private_key(form, passphrase).decode()


@pytest.mark.usefixtures("either_transport")
def test_a_key_in_memory_opens_a_session(key_host: KeyHost) -> None:
    for form, passphrase in (("openssh", None), ("openssh", PASSPHRASE), ("pkcs8-pem", PASSPHRASE)):
        if form == "pkcs8-pem" and key_host.key.get_algorithm() == "ssh-ed25519" and passphrase:
            continue
        text = exported(key_host.key, form, passphrase)
        host = KeyHolder(key_host.port, private_key=text, passphrase=passphrase)
        devices = Lab(network=None, nornir=nornir_of([host]))  # type: ignore[arg-type]
        result = devices.one(ssh_command, SshCommandParams(command="show privilege"))
        sessions.close_sessions(host)
        assert result.result["stdout"] == "Current privilege level is 15"


@pytest.mark.usefixtures("either_transport")
def test_another_key_is_refused(key_host: KeyHost) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519")
    host = KeyHolder(key_host.port, private_key=exported(other, "openssh"))
    devices = Lab(network=None, nornir=nornir_of([host]))  # type: ignore[arg-type]
    result = devices.one(ssh_command, SshCommandParams(command="show privilege"))
    sessions.close_sessions(host)
    assert error_class(result) == "auth"


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp384", "ssh-rsa"])
def test_keys_are_read_with_and_without_a_passphrase_nobody_needs(kind: str) -> None:
    text = exported(asyncssh.generate_private_key(kind), "openssh")
    assert read_private_key(text, None, "core").get_name() == kind
    assert read_private_key(f"\n{text}\n", PASSPHRASE, "core").get_name() == kind


def test_old_pem_keys_are_read() -> None:
    text = exported(asyncssh.generate_private_key("ssh-rsa"), "pkcs1-pem")
    assert text.startswith("-----BEGIN RSA")
    assert read_private_key(text, "", "core").get_name() == "ssh-rsa"


@pytest.mark.parametrize(
    ("passphrase", "words"), [(None, "it is encrypted; add its passphrase"), ("wrong-one", "the passphrase is wrong")]
)
def test_a_missing_or_wrong_passphrase_is_told_without_showing_anything(passphrase: str | None, words: str) -> None:
    text = exported(asyncssh.generate_private_key("ssh-ed25519"), "openssh", PASSPHRASE)
    with pytest.raises(SessionError, match=words) as raised:
        read_private_key(text, passphrase, "core")
    assert raised.value.error_class == "credential"
    assert "'core'" in str(raised.value)
    assert "wrong-one" not in str(raised.value)
    assert text.splitlines()[1] not in str(raised.value)


@pytest.mark.parametrize("text", ["", "hunter2", "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END"])
def test_what_is_no_key_is_told(text: str) -> None:
    with pytest.raises(SessionError, match="it is no private key") as raised:
        read_private_key(text, None, "core")
    assert "hunter2" not in str(raised.value)


def test_a_key_of_an_unsupported_kind_is_told() -> None:
    text = exported(asyncssh.generate_private_key("ssh-dss"), "pkcs1-pem")
    with pytest.raises(SessionError, match="Ed25519") as raised:
        read_private_key(text, None, "core")
    assert raised.value.error_class == "credential"
