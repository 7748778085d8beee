"""An SFTP server on loopback, for the node that carries files to and from such."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

USER, PASSWORD = "ops", "Sftp-Mictlantecuhtli-7"


@dataclass
class SftpServer:
    """A running SFTP server, its folder, and how often it was logged in to."""

    folder: Path
    port: int = 0
    fingerprint: str = ""
    logins: list[str] = field(default_factory=list)
    keys: list[asyncssh.SSHKey] = field(default_factory=list)


@contextmanager
def sftp_server(folder: Path, *, without_sftp: bool = False) -> Iterator[SftpServer]:
    """Run an SFTP server over a folder, in a thread of its own."""
    running = SftpServer(folder)
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    running.fingerprint = host_key.get_fingerprint()
    user_key = asyncssh.generate_private_key("ssh-ed25519")
    running.keys.append(user_key)

    connections: list[asyncssh.SSHServerConnection] = []

    class Doorkeeper(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            connections.append(conn)

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            running.logins.append(username)
            return (username, password) == (USER, PASSWORD)

        def public_key_auth_supported(self) -> bool:
            return True

        def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
            return username == USER and key == user_key.convert_to_public()

    def serve_folder(channel: "asyncssh.SSHServerChannel[bytes]") -> asyncssh.SFTPServer:
        return asyncssh.SFTPServer(channel, chroot=str(folder).encode())

    async def start() -> asyncssh.SSHAcceptor:
        factory = None if without_sftp else serve_folder
        keys = [host_key]
        return await asyncssh.create_server(Doorkeeper, "127.0.0.1", 0, server_host_keys=keys, sftp_factory=factory)

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        acceptor = asyncio.run_coroutine_threadsafe(start(), loop).result(30)
        running.port = acceptor.get_port()
        yield running
        asyncio.run_coroutine_threadsafe(_stop(acceptor, connections), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _stop(acceptor: asyncssh.SSHAcceptor, connections: Sequence[asyncssh.SSHServerConnection]) -> None:
    acceptor.close()
    for connection in connections:
        connection.abort()
        await connection.wait_closed()
    await acceptor.wait_closed()
    await asyncio.sleep(0)  # a transport closes its socket in the loop's next round
    await asyncio.get_running_loop().shutdown_default_executor()
