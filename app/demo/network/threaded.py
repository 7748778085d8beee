"""Runs a simulated network in a thread with an event loop of its own, for callers that block."""

import asyncio
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.demo.network.devices import SimulatedDevice
from app.demo.network.server import Network


@contextmanager
def run_in_thread(
    devices: Iterable[SimulatedDevice], *, host_key_path: Path | None = None, journal_path: Path | None = None
) -> Iterator[Network]:
    """Give a started network and stop it at the end; raise SimulationError if it cannot start."""
    network = Network(devices, host_key_path=host_key_path, journal_path=journal_path)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="simulated network", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(network.start(), loop).result()
        try:
            yield network
        finally:
            asyncio.run_coroutine_threadsafe(network.stop(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
