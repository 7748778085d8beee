"""Puts simulated devices behind SSH on loopback: one listener each, one journal for all."""

import asyncio
import dataclasses
import itertools
import socket
from collections.abc import Iterable, Mapping, Sequence
from hmac import compare_digest
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncssh

from app.demo.network.ciena_saos import CienaSaos
from app.demo.network.cisco_ios import CiscoIos
from app.demo.network.devices import Fault, Platform, SimulatedDevice, SimulationError
from app.demo.network.journal import EventKind, Journal
from app.demo.network.session import TerminalSession
from app.demo.network.terminal import Box

HOST = "127.0.0.1"
HIGHEST_PORT = 65535
LISTEN_BACKLOG = 16

BOXES: Mapping[Platform, type[CiscoIos] | type[CienaSaos]] = {
    Platform.CISCO_IOS: CiscoIos,
    Platform.CIENA_SAOS: CienaSaos,
}


class Network:
    """Simulated devices with their listeners, from `start` to `stop` or within `async with`."""

    def __init__(
        self,
        devices: Iterable[SimulatedDevice],
        *,
        host_key_path: Path | None = None,
        journal_path: Path | None = None,
    ) -> None:
        """Prepare the devices; a host key kept in a named file outlives a restart."""
        self.devices = tuple(devices)
        _check(self.devices)
        self.journal = Journal(journal_path)
        self.boxes: dict[str, Box] = {}
        self._host_key_path = host_key_path
        self._acceptors: list[asyncssh.SSHAcceptor] = []
        self._reserved: list[socket.socket] = []
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._connection_numbers = itertools.count(1)

    @property
    def ports(self) -> dict[str, int]:
        """Return the port of every device, the ones that are down included; known once started."""
        return {device.name: device.port for device in self.devices}

    async def start(self) -> None:
        """Listen for every device, or for none and raise SimulationError if a port cannot be had."""
        options = _server_options(_host_key(self._host_key_path))
        try:
            self.devices = tuple([await self._listen(device, options) for device in self.devices])
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close listeners and connections, and wait until they are closed."""
        for acceptor in self._acceptors:
            acceptor.close()
        connections = list(self._connections)
        for connection in connections:
            connection.abort()
        await asyncio.gather(*(connection.wait_closed() for connection in connections))
        await asyncio.gather(*(acceptor.wait_closed() for acceptor in self._acceptors))
        for reserved in self._reserved:
            reserved.close()
        self._acceptors.clear()
        self._reserved.clear()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def opened(self, connection: asyncssh.SSHServerConnection) -> int:
        """Note a connection and return its number."""
        self._connections.add(connection)
        return next(self._connection_numbers)

    def closed(self, connection: asyncssh.SSHServerConnection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)

    async def _listen(self, device: SimulatedDevice, options: asyncssh.SSHServerConnectionOptions) -> SimulatedDevice:
        """Listen for a device and return it with the port it got; for one that is down only hold the port."""
        listener = _bind(device)
        device = dataclasses.replace(device, port=listener.getsockname()[1])
        if device.fault is Fault.DOWN:
            self._reserved.append(listener)
            return device
        box = self.boxes[device.name] = BOXES[device.platform](device)
        self._acceptors.append(
            await asyncssh.listen(
                sock=listener,
                options=options,
                backlog=LISTEN_BACKLOG,
                server_factory=lambda: Door(self, device, box),
            )
        )
        return device


class Door(asyncssh.SSHServer):
    """One connection to a device: checks the password and opens terminals."""

    def __init__(self, network: Network, device: SimulatedDevice, box: Box) -> None:
        self._network = network
        self._device = device
        self._box = box
        self._logged_in = False
        self._username = ""

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Take the connection in."""
        self._connection = conn
        self._number = self._network.opened(conn)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Let the connection go."""
        self._network.closed(self._connection)
        if self._logged_in:
            self._record(EventKind.LOGOUT, self._username)

    def begin_auth(self, username: str) -> bool:
        """Demand a password of everybody."""
        self._username = username
        return True

    def password_auth_supported(self) -> bool:
        """Offer passwords and nothing else, unless the device asks."""
        return not self._device.asks

    def kbdint_auth_supported(self) -> bool:
        """Ask, if the device is one that does."""
        return self._device.asks

    def get_kbdint_challenge(
        self, _username: str, _lang: str, _submethods: str
    ) -> tuple[str, str, str, list[tuple[str, bool]]]:
        """Ask for the password."""
        return "", "", "", [("Password: ", False)]

    def validate_kbdint_response(self, username: str, responses: Sequence[str]) -> bool:
        """Tell whether the answer is the password."""
        return len(responses) == 1 and self.validate_password(username, responses[0])

    def validate_password(self, username: str, password: str) -> bool:
        """Tell whether name and password are the device's; never so if it is one that refuses."""
        known = compare_digest(username.encode(), self._device.username.encode())
        right = compare_digest(password.encode(), self._device.password.encode())
        granted = known and right and self._device.fault is not Fault.REFUSE_PASSWORD
        if not granted:
            self._record(EventKind.LOGIN_FAILED, username)
        return granted

    def auth_completed(self) -> None:
        """Note the login."""
        self._logged_in = True
        self._record(EventKind.LOGIN, self._username)

    def connection_requested(self, _host: str, _port: int, _orig_host: str, _orig_port: int) -> bool:
        """Connect to somewhere else, if the device is a jump host."""
        return self._device.forwards

    def session_requested(self) -> TerminalSession:
        """Open a terminal."""
        return TerminalSession(self._device, self._box.open_terminal(), self._record)

    def _record(self, kind: EventKind, text: str) -> None:
        self._network.journal.record(self._device.name, kind, text, self._number)


def _check(devices: tuple[SimulatedDevice, ...]) -> None:
    names, ports = set(), set()
    for device in devices:
        if device.name in names:
            raise SimulationError(f"There are two devices named {device.name!r}; give each its own name.")
        if not 0 <= device.port <= HIGHEST_PORT:
            raise SimulationError(
                f"Device {device.name}: port {device.port} is not from 0 to {HIGHEST_PORT}; choose another."
            )
        if device.port and device.port in ports:
            raise SimulationError(f"Device {device.name}: port {device.port} is another device's; give each its own.")
        names.add(device.name)
        ports.add(device.port)


def _bind(device: SimulatedDevice) -> socket.socket:
    """Return a socket bound to the device's port; until something listens on it connections are refused.

    Only a port to listen on may be taken again at once after a restart: Linux lets two that merely hold
    one share it.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if device.port and device.fault is not Fault.DOWN:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, device.port))
    except OSError as error:
        listener.close()
        raise SimulationError(
            f"Device {device.name} cannot use {HOST}:{device.port}: {error.strerror}. "
            "Stop what uses the port or choose another one (0 takes any free one)."
        ) from error
    return listener


def _host_key(path: Path | None) -> asyncssh.SSHKey:
    """Return the key kept in a file, or a new one, which is then kept there for its owner only."""
    if path is not None and path.exists():
        try:
            return asyncssh.read_private_key(path)
        except (OSError, asyncssh.KeyImportError) as error:
            raise SimulationError(
                f"The host key in {path} cannot be read: {error}. Delete the file to get a new key."
            ) from error
    key = asyncssh.generate_private_key("ssh-ed25519")
    if path is not None:
        _keep_host_key(path, key)
    return key


def _keep_host_key(path: Path, key: asyncssh.SSHKey) -> None:
    try:
        path.touch(mode=0o600)
        path.write_bytes(key.export_private_key())
    except OSError as error:
        raise SimulationError(f"The host key cannot be written to {path}: {error.strerror}.") from error


def _server_options(key: asyncssh.SSHKey) -> asyncssh.SSHServerConnectionOptions:
    return asyncssh.SSHServerConnectionOptions(
        server_host_keys=[key],
        encoding=None,
        line_editor=False,
        gss_host=None,
        public_key_auth=False,
        host_based_auth=False,
        compression_algs=["none"],
        agent_forwarding=False,
        allow_scp=False,
        server_factory=asyncssh.SSHServer,
    )
