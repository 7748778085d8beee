"""The runner: a Nornir runner that takes hosts through a window of threads, and keeps nothing of those that ended."""

import threading
import time
from collections import deque
from collections.abc import Callable

from nornir.core.inventory import Host
from nornir.core.task import AggregatedResult, Task

LOOK_S = 0.25


class LeftBehind(BaseException):
    """What ends the thread of a host that nobody waits for any more, should it come back from its call."""


class WindowRunner:
    """Runs a task on at most ``size`` hosts at once, as long as ``admits`` lets another begin.

    ``look`` is called in the runner's own thread every quarter of a second, and once more when no host is under way:
    it may close the window, take away the hosts that have not begun, and leave one behind that does not come back.
    What breaks a host's walk off is raised when all others have ended; what a host returned is dropped at once.
    """

    def __init__(
        self,
        size: int,
        *,
        key_of: Callable[[Host], str],
        admits: Callable[[], bool],
        look: Callable[["WindowRunner"], None],
    ) -> None:
        self.size = size
        self._key_of, self._admits, self._look = key_of, admits, look
        self._changed = threading.Condition()
        self._waiting: deque[Host] = deque()
        self._hands: dict[threading.Thread, str] = {}
        """The threads of the window, and the host that each is busy with."""
        self._closed = False
        self._error: BaseException | None = None
        self._ended_at = time.monotonic()

    @property
    def waiting(self) -> int:
        """Return how many hosts have not begun."""
        return len(self._waiting)

    @property
    def in_flight(self) -> int:
        """Return how many hosts are under way."""
        with self._changed:
            return sum(bool(key) for key in self._hands.values())

    @property
    def quiet_s(self) -> float:
        """Return how long ago a host ended, or the first began."""
        return time.monotonic() - self._ended_at

    def run(self, task: Task, hosts: list[Host]) -> AggregatedResult:
        """Run the task on hosts and return an empty result: whoever wants to know more has a processor."""
        self._waiting.extend(hosts)
        while self._is_under_way(task):
            self._call_look()
        self._call_look()
        if self._error is not None:
            raise self._error
        return AggregatedResult(task.name)

    def close(self) -> None:
        """Let no further host begin."""
        with self._changed:
            self._closed = True

    def take_rest(self) -> list[str]:
        """Take the hosts away that have not begun, and return their keys."""
        with self._changed:
            rest = [self._key_of(host) for host in self._waiting]
            self._waiting.clear()
        return rest

    def leave(self, key: str) -> None:
        """Wait no longer for a host: another takes its place in the window."""
        with self._changed:
            for thread in [thread for thread, busy_with in self._hands.items() if busy_with == key]:
                del self._hands[thread]
            self._changed.notify()

    def _is_under_way(self, task: Task) -> bool:
        """Fill the window, and wait a moment; False when nothing is left to wait for."""
        with self._changed:
            wanted = 0 if self._closed else min(self.size - len(self._hands), len(self._waiting))
            for _ in range(wanted):
                thread = threading.Thread(target=self._work, args=(task,), name="host", daemon=True)
                self._hands[thread] = ""
                thread.start()
            if not self._hands:
                return False
            self._changed.wait_for(lambda: not self._hands, LOOK_S)
            return True

    def _call_look(self) -> None:
        try:
            self._look(self)
        except Exception as error:  # noqa: BLE001 — raised when the hosts under way have ended
            self._fail(error)

    def _work(self, task: Task) -> None:
        me = threading.current_thread()
        while (host := self._next(me)) is not None:
            error = _walked(task, host)
            with self._changed:
                self._ended_at = time.monotonic()
                if me not in self._hands:
                    return
                self._hands[me] = ""
            if error is not None:
                self._keep(error)

    def _next(self, me: threading.Thread) -> Host | None:
        try:
            admitted = self._admits()
        except Exception as error:  # noqa: BLE001 — raised when the hosts under way have ended
            self._fail(error)
            admitted = False
        with self._changed:
            self._closed = self._closed or not admitted
            if self._closed or not self._waiting:
                del self._hands[me]
                self._changed.notify()
                return None
            host = self._waiting.popleft()
            self._hands[me] = self._key_of(host)
            return host

    def _keep(self, error: BaseException) -> None:
        self._error = self._error or error

    def _fail(self, error: BaseException) -> None:
        self._keep(error)
        self.close()


def _walked(task: Task, host: Host) -> BaseException | None:
    """Run the task on a host and return what broke it off, if anything did."""
    try:
        return task.copy().start(host)[0].exception
    except LeftBehind:
        return None
    except BaseException as error:  # noqa: BLE001 — the host's door: raised again in the runner's own thread
        return error
