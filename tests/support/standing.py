"""`opsconductor up` in a process of its own, and a look at what it keeps running."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

PATIENCE_S = 90.0


def wait_for(condition: Callable[[], Any]) -> Any:
    """Wait until something holds, and return it."""
    give_up_at = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < give_up_at
        time.sleep(0.05)
    return found


def children_of(pid: int) -> dict[int, str]:
    """Return the living children of a process, with what each was called as."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                words = (folder / "cmdline").read_text().split("\0")
            except OSError:
                continue
            if int(parent) == pid and any(words):
                found[int(folder.name)] = " ".join(words)
    return found


def lives(pid: int) -> bool:
    """Say whether a process still runs."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def running_up(environment: dict[str, str], log: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `opsconductor up`, and give its process and what it says of itself once everything runs."""
    with log.open("a") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "up", *options],
            env={**os.environ, "API_PORT": free_port(), "WORKERS": "1", **environment},
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        )
    try:
        yield process, read_announcement(process, log)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def read_announcement(process: subprocess.Popen[str], log: Path) -> str:
    """Return what `up` says of itself once everything runs."""
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if line == "}\n" or "create-admin" in line:
            return text
    raise AssertionError(log.read_text())


def is_alive(url: str) -> bool:
    """Say whether a service answers."""
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.TransportError:
        return False


def free_port() -> str:
    """Return a port that is free just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])
