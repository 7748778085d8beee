"""Carries a terminal over one SSH channel: echo, lines typed ahead, latency, and the faults of the device."""

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable

import asyncssh

from app.demo.network.devices import Fault, SimulatedDevice
from app.demo.network.journal import EventKind
from app.demo.network.terminal import LineKind, Terminal

LONGEST_LINE = 4096
NOISE_BYTES = 2048
INTERRUPT, KILL_LINE, BACKSPACES = 0x03, 0x15, (0x08, 0x7F)
FIRST_PRINTABLE = 0x20

Record = Callable[[EventKind, str], None]


class LineReader:
    """Makes lines of typed bytes: CR, LF and CR LF end one; backspace, ^U and ^C work on the open one."""

    def __init__(self) -> None:
        self._typed = bytearray()
        self._after_return = False

    def feed(self, typed: bytes) -> list[str]:
        """Take bytes in and return the lines they complete."""
        lines: list[str] = []
        for byte in typed:
            if byte == ord("\r") or (byte == ord("\n") and not self._after_return):
                lines.append(self._typed.decode("utf-8", "replace"))
                self._typed.clear()
            elif byte in BACKSPACES:
                del self._typed[-1:]
            elif byte in {INTERRUPT, KILL_LINE}:
                self._typed.clear()
            elif byte >= FIRST_PRINTABLE and len(self._typed) < LONGEST_LINE:
                self._typed.append(byte)
            self._after_return = byte == ord("\r")
        return lines


class TerminalSession(asyncssh.SSHServerSession[bytes]):
    """One shell or one command sent by `exec`, answered by a terminal."""

    def __init__(self, device: SimulatedDevice, terminal: Terminal, record: Record) -> None:
        self._device = device
        self._terminal = terminal
        self._record = record
        self._reader = LineReader()
        self._waiting: deque[str] = deque()
        self._busy = False
        self._stuck = False
        self._input_ended = False
        self._command: str | None = None

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        """Keep the channel."""
        self._channel = chan

    def pty_requested(self, *_request: object) -> bool:
        """Allow a terminal of any kind and size."""
        return True

    def shell_requested(self) -> bool:
        """Allow a shell."""
        return True

    def exec_requested(self, command: str) -> bool:
        """Allow a single command."""
        self._command = command
        return True

    def session_started(self) -> None:
        """Show the first prompt, or do the single command."""
        if self._command is None:
            self._write(self._terminal.prompt)
        else:
            self._take(self._command)

    def data_received(self, data: bytes, _datatype: int | None) -> None:
        """Take what was typed; while a command runs it waits for its turn."""
        self._waiting.extend(self._reader.feed(data))
        self._go_on()

    def eof_received(self) -> bool:
        """Keep the channel open until what was typed is answered."""
        self._input_ended = True
        self._go_on()
        return True

    def _go_on(self) -> None:
        while self._waiting and not (self._busy or self._stuck or self._terminal.closed):
            line = self._waiting.popleft()
            self._write(("" if self._terminal.hides_input else line) + "\n")
            self._take(line)
        if self._input_ended and self._command is None and not (self._busy or self._stuck or self._terminal.closed):
            self._channel.exit(0)

    def _take(self, line: str) -> None:
        """Note a line and answer it, after the latency of the device if it is a real command."""
        kind = self._terminal.classify(line)
        if kind not in {LineKind.COMMAND, LineKind.CONFIG}:
            self._finish(line, Fault.NONE)
            return
        self._record(EventKind.CONFIG if kind is LineKind.CONFIG else EventKind.COMMAND, line.strip())
        if self._device.fault is Fault.HANG:
            self._stuck = True
        elif self._device.latency_s > 0:
            self._busy = True
            asyncio.get_running_loop().call_later(self._device.latency_s, self._finish_late, line, self._device.fault)
        else:
            self._finish(line, self._device.fault)

    def _finish_late(self, line: str, fault: Fault) -> None:
        self._busy = False
        if self._channel.is_closing():
            self._terminal.answer(line)  # nobody hears what it says, but it was told to
        else:
            self._finish(line, fault)
            self._go_on()

    def _finish(self, line: str, fault: Fault) -> None:
        text = self._terminal.answer(line)
        if fault is Fault.DROP:
            self._write(text[: len(text) // 2])
            self._stuck = True
            self._channel.get_extra_info("connection").abort()
            return
        if fault is Fault.GARBAGE:
            self._channel.write(hashlib.shake_256(line.encode()).digest(NOISE_BYTES))
            text = ""
        ends = self._terminal.closed or self._command is not None
        self._write(f"{text}\n" if text else "")
        if ends:
            self._channel.exit(0)
        else:
            self._write(self._terminal.prompt)

    def _write(self, text: str) -> None:
        self._channel.write(text.replace("\n", "\r\n").encode())
