"""What processes of a worker owe each other: to end together, and to end alone where one was left hanging."""

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1


def die_with(parent: int, sig: signal.Signals) -> None:
    """Have the kernel send ``sig`` when the parent dies (Linux); elsewhere a lost parent is found by its lease.

    The signal comes when the thread that forked ends, so fork from main threads only (prctl(2)).
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, sig)
    if os.getppid() != parent:
        os.kill(os.getpid(), sig)


def lead_a_group(pid: int = 0) -> None:
    """Give a process (or this one) a group of its own.

    Both sides of a fork call it, so that it holds for whoever is first: else the child's group would for a moment be
    its parent's, and a signal to it would hit both.
    """
    with suppress(ProcessLookupError, PermissionError):  # it has ended, or has become another program
        os.setpgid(pid, 0)


def end_group(pid: int) -> None:
    """Kill a process and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def resident_bytes() -> int:
    """Return how much memory this process holds, in bytes; 0 where the system does not say (macOS)."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except FileNotFoundError:
        return 0
