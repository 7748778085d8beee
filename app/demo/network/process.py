"""Runs a simulated network as a process of its own that says when it is ready and dies with its parent."""

import asyncio
import ctypes
import json
import os
import signal
import sys
from pathlib import Path

from app.demo.network.devices import SimulationError
from app.demo.network.server import Network
from app.demo.network.spec_file import NetworkSpec, read_spec

PARENT_PID_VARIABLE = "OPSCONDUCTOR_DEMO_PARENT_PID"
READY = "READY "
PR_SET_PDEATHSIG = 1  # linux/prctl.h
EXIT_REFUSED = 2


def main(arguments: list[str]) -> int:
    """Serve the network of a spec file until SIGTERM or SIGINT; return the exit status."""
    if len(arguments) != 1:
        sys.stderr.write("Usage: python -m app.demo.network SPEC.json\n")
        return EXIT_REFUSED
    try:
        asyncio.run(_serve(read_spec(Path(arguments[0]))))
    except SimulationError as error:
        sys.stderr.write(f"The simulated network does not start. {error}\n")
        return EXIT_REFUSED
    return 0


def read_ready_line(line: str) -> dict[str, int]:
    """Return the port of every device from the line that says the network is ready."""
    if not line.startswith(READY):
        raise SimulationError(f"The simulated network said {line!r} in place of {READY}and its ports.")
    ports: dict[str, int] = json.loads(line.removeprefix(READY))
    return ports


def die_with_parent() -> None:
    """Ask Linux for a SIGTERM when the thread that started this process ends; elsewhere do nothing.

    A parent that named itself in the environment and is gone already cannot send one any more: stop at once.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.environ.get(PARENT_PID_VARIABLE, str(os.getppid())) != str(os.getppid()):
        os.kill(os.getpid(), signal.SIGTERM)


async def _serve(spec: NetworkSpec) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    die_with_parent()
    network = Network(spec.devices, host_key_path=spec.host_key_path, journal_path=spec.journal_path)
    async with network:
        sys.stdout.write(f"{READY}{json.dumps(network.ports)}\n")
        sys.stdout.flush()
        await stopped.wait()
