"""Starts a simulated network in a process of its own, for a parent that has other work for its event loop."""

import os
import selectors
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.demo.network.devices import SimulationError
from app.demo.network.process import PARENT_PID_VARIABLE, read_ready_line
from app.demo.network.spec_file import NetworkSpec, write_spec

STOP_TIMEOUT_S = 10.0


@contextmanager
def network_process(spec: NetworkSpec, spec_path: Path, *, ready_timeout_s: float = 30.0) -> Iterator[dict[str, int]]:
    """Write the spec to a file, serve it from a process and give the port of every device.

    Raise SimulationError if it is not ready in time. The process ends with the block, and with the thread
    that entered it, if that one dies: enter it from the main thread.
    """
    write_spec(spec_path, spec)
    log_path = spec_path.with_suffix(".log")
    with (
        log_path.open("wb") as log,
        subprocess.Popen(  # noqa: S603 — a program of this package, by full path and without a shell
            [sys.executable, "-m", "app.demo.network", str(spec_path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, PARENT_PID_VARIABLE: str(os.getpid())},
        ) as child,
    ):
        try:
            yield _await_ports(child, log_path, ready_timeout_s)
        finally:
            _stop(child)


def _await_ports(child: subprocess.Popen[bytes], log_path: Path, timeout_s: float) -> dict[str, int]:
    if child.stdout is None:
        raise SimulationError("The simulated network was started without a pipe to say that it is ready.")
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        if not selector.select(timeout_s):
            raise SimulationError(f"The simulated network is not ready after {timeout_s} s; see {log_path}.")
    line = child.stdout.readline().decode()
    if not line:
        raise SimulationError(log_path.read_text(encoding="utf-8").strip() or f"It ended with {child.wait()}.")
    return read_ready_line(line)


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        child.kill()
