"""The bytes of a shell, whatever carries them: a reader sleeps until something arrives, and a dead line wakes it."""

import codecs
import time
from typing import Protocol

import paramiko
from netmiko.channel import Channel
from netmiko.exceptions import ReadException
from netmiko.utilities import write_bytes

CHUNK_BYTES = 65_536
SEND_TIMEOUT_S = 20.0
"""How long a device may refuse to take what it is sent."""
LINE_END_S = 0.02
"""How long a return that came last is held back for the line feed that belongs to it."""


class Shell(Protocol):
    """A remote shell, in the hands of one thread at a time."""

    @property
    def closed(self) -> bool:
        """Say whether nothing can be sent or received any more."""

    def receive(self, wait_s: float) -> bytes | None:
        """Return what has arrived, waiting for it; None where nothing came in time, and no bytes at the end of all."""

    def sendall(self, data: bytes) -> None:
        """Send; raises OSError where that cannot be."""

    def close(self) -> None:
        """Close it, without waiting for the other side."""


class ParamikoShell:
    """A shell in a channel of paramiko's."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel

    @property
    def closed(self) -> bool:
        """Say whether nothing can be sent or received any more."""
        channel = self._channel
        return bool(channel.closed or channel.eof_received) or not channel.get_transport().is_active()

    def receive(self, wait_s: float) -> bytes | None:
        """Return what has arrived, waiting for it."""
        self._channel.settimeout(wait_s)
        try:
            return self._channel.recv(CHUNK_BYTES)
        except TimeoutError:
            return None

    def sendall(self, data: bytes) -> None:
        """Send; raises OSError where that cannot be."""
        self._channel.settimeout(SEND_TIMEOUT_S)
        self._channel.sendall(data)

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()


class LiveChannel(Channel):
    """Netmiko's channel, over a shell of ours: a closed one is an error at once instead of a timeout later.

    It also keeps together the bytes of a character that arrive in two pieces.
    """

    def __init__(self, shell: Shell, encoding: str) -> None:
        self.shell = shell
        self.encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)("ignore")
        self._arrived = ""
        self._ended = False

    @property
    def is_open(self) -> bool:
        """Say whether the session can still carry something."""
        return not self._ended and not self.shell.closed

    def write_channel(self, out_data: str) -> None:
        """Send a text."""
        self.shell.sendall(write_bytes(out_data, self.encoding))

    def read_buffer(self) -> str:
        """Return what has arrived; raises ReadException when nothing more can."""
        if not self._arrived and not self._ended:
            self._take(0.0)
        text, self._arrived = self._arrived, ""
        if not text and self._ended:
            raise ReadException("the device closed the session")
        return text

    def read_channel(self) -> str:
        """Return all that has arrived; raises ReadException when there is nothing, and nothing more can come."""
        while not self._ended and self._take(0.0):
            continue
        if self._arrived.endswith("\r") and not self._ended:
            self._take(LINE_END_S)
        return self.read_buffer()

    def wait(self, seconds: float) -> bool:
        """Wait until there is something to read, or nothing more can come; return whether that is so."""
        give_up_at = time.monotonic() + seconds
        while not self._arrived and not self._ended:
            left_s = give_up_at - time.monotonic()
            if left_s <= 0:
                return False
            self._take(left_s)
        return True

    def _take(self, wait_s: float) -> bool:
        """Take in what has arrived; return whether anything has."""
        data = self.shell.receive(wait_s)
        self._ended = data == b""
        if data:
            self._arrived += self._decoder.decode(data)
        return bool(data)
