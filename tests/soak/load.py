"""The mixed load: no-ops, reads and pushes, first as fast as they go, then at a steady rate."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count

from tests.bench.shapes import chain
from tests.bench.stack import WAIT_S, Stack

CLIENTS = 64
READ_BY, PUSHED_BY = 10, 2
"""How many devices one read, and one push, goes to."""
MIX = ("noop", "read", "noop", "push")


@dataclass
class Load:
    """What is started, and how it ended."""

    stack: Stack
    devices: Sequence[str]
    ended: Counter[str] = field(default_factory=Counter)
    left_out: int = 0
    """Starts that were due while every client still waited for an earlier one."""

    def __post_init__(self) -> None:
        self._numbers = count()
        self._lock = threading.Lock()
        line = "interface Loopback1\ndescription soak {{ execution.id }}"
        self._workflows = {
            "noop": self.stack.add_workflow("soak noop", chain("bench:noop-once", 1)),
            "read": self.stack.add_workflow("soak read", chain("ssh:command", 1, command="show version")),
            "push": self.stack.add_workflow("soak push", chain("config:push", 1, lines=line)),
        }

    def capacity(self, clients: int, seconds: float) -> float:
        """Run as many as some clients can, one after the other each, and return how many a second that were."""
        until = time.monotonic() + seconds

        def go_on() -> int:
            done = 0
            while time.monotonic() < until:
                self.run_one()
                done += 1
            return done

        begin = time.monotonic()
        with ThreadPoolExecutor(clients) as pool:
            done = sum(future.result() for future in [pool.submit(go_on) for _ in range(clients)])
        return done / (time.monotonic() - begin)

    def keep_up(self, rate: float, over: threading.Event) -> None:
        """Start so many a second until told that it is over, and wait for those that run."""
        running: set[Future[None]] = set()
        begin = time.monotonic()
        with ThreadPoolExecutor(CLIENTS) as pool:
            for number in count():
                if over.wait(max(0.0, begin + number / rate - time.monotonic())):
                    break
                running = {future for future in running if not future.done()}
                if len(running) < CLIENTS:
                    running.add(pool.submit(self.run_one))
                else:
                    self.left_out += 1

    def run_one(self) -> None:
        """Run the next of the mix to its end, and note how it ended."""
        with self._lock:
            number = next(self._numbers)
        kind = MIX[number % len(MIX)]
        width = {"noop": 0, "read": READ_BY, "push": PUSHED_BY}[kind]
        names = [self.devices[(number * width + place) % len(self.devices)] for place in range(width)]
        try:
            status = str(self.stack.start(self._workflows[kind], names, WAIT_S)["status"])
        except Exception as error:  # noqa: BLE001 — a start that fails is a finding, told at the end
            status = f"not started: {error}"
        with self._lock:
            self.ended[status] += 1
