"""The runner's window, and the shard's turn: which hosts begin, which are left to others, and what is kept of them."""

import gc
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from nornir.core import Nornir
from nornir.core.inventory import Defaults, Groups, Host, Hosts, Inventory
from nornir.core.state import GlobalState
from nornir.core.task import Result, Task

from app.automation.executions.engine import oversight
from app.automation.executions.engine.oversight import InHand, Oversight
from app.automation.executions.engine.runner import LeftBehind, WindowRunner
from app.automation.executions.engine.yielding import Turn
from app.automation.executions.records import Place
from inventory.records import HostRecord

PATIENCE_S = 20.0


class Answer:
    """What a host answers; only counted."""


def key_of(host: Host) -> str:
    return str(host.name)


def always() -> bool:
    return True


def look_away(_: WindowRunner) -> None:
    return None


def nornir_with(runner: WindowRunner, count: int) -> Nornir:
    hosts = Hosts({f"r{number}": Host(f"r{number}") for number in range(count)})
    inventory = Inventory(hosts=hosts, groups=Groups(), defaults=Defaults())
    return Nornir(inventory=inventory, data=GlobalState(), runner=runner)


def window(
    size: int, *, admits: Callable[[], bool] = always, look: Callable[[WindowRunner], None] = look_away
) -> WindowRunner:
    return WindowRunner(size, key_of=key_of, admits=admits, look=look)


def test_all_hosts_pass_through_the_window_and_nothing_of_them_is_kept() -> None:
    answers: weakref.WeakSet[Answer] = weakref.WeakSet()
    lock, present, most, alive, ran = threading.Lock(), [0], [0], [0], []

    def walk(task: Task) -> Result:
        with lock:
            present[0] += 1
            most[0] = max(most[0], present[0])
        answer = Answer()
        answers.add(answer)
        time.sleep(0.001)
        with lock:
            present[0] -= 1
            ran.append(str(task.host))
            alive[0] = max(alive[0], len(answers))
        return Result(host=task.host, result=answer)

    ended = nornir_with(window(4), 300).run(task=walk)
    assert sorted(ran) == sorted(f"r{number}" for number in range(300))
    assert most[0] <= 4
    assert alive[0] <= 2 * 4
    gc.collect()
    assert (len(ended), len(answers)) == (0, 0)


def test_what_breaks_a_walk_off_is_raised_when_the_others_have_ended() -> None:
    ran: list[str] = []

    def walk(task: Task) -> Result:
        if str(task.host) == "r0":
            raise KeyError("a node type that is gone")
        ran.append(str(task.host))
        return Result(host=task.host)

    with pytest.raises(KeyError, match="gone"):
        nornir_with(window(2), 5).run(task=walk)
    assert len(ran) == 4


def test_nobody_begins_who_is_not_admitted() -> None:
    ran: list[str] = []
    runner = window(2, admits=lambda: len(ran) < 3)
    nornir_with(runner, 50).run(task=lambda task: ran.append(str(task.host)))
    assert 3 <= len(ran) <= 4
    assert runner.waiting == 50 - len(ran)


def test_a_host_that_does_not_come_back_is_left_behind_and_another_takes_its_place() -> None:
    never, ran = threading.Event(), []

    def walk(task: Task) -> Result:
        if str(task.host) == "r0":
            never.wait(PATIENCE_S)
            raise LeftBehind
        ran.append(str(task.host))
        return Result(host=task.host)

    nornir_with(window(1, look=lambda runner: runner.leave("r0")), 4).run(task=walk)
    assert ran == ["r1", "r2", "r3"]
    never.set()


def in_hand(interrupt: Callable[[Any], None], free: Callable[[], None]) -> InHand:
    host = HostRecord(key="k1", name="r1", address="", platform="")
    return InHand(node_id="n", place=Place(host), interrupt=interrupt, free=free, changes=False)


def test_a_call_without_an_end_is_cut_and_then_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oversight, "GRACE_S", 0.1)
    watched, never = Oversight(), threading.Event()
    cuts: list[str] = []
    ends: list[BaseException] = []

    def call() -> Result:
        never.wait(PATIENCE_S)
        return Result(host=None)

    def work() -> None:
        try:
            watched.watch(hung, call, 0.05)
        except BaseException as error:  # noqa: BLE001 — looked at below
            ends.append(error)

    hung = in_hand(cuts.append, lambda: None)
    thread = threading.Thread(target=work)
    thread.start()
    given_up: list[InHand] = []
    until = time.monotonic() + PATIENCE_S
    while not given_up and time.monotonic() < until:
        given_up = watched.look()
        time.sleep(0.01)
    assert (given_up, cuts) == ([hung], ["timeout"])
    assert watched.is_cut(hung.key)
    never.set()
    thread.join(PATIENCE_S)
    assert isinstance(ends[0], LeftBehind)


def test_a_call_that_heeds_its_cut_ends_as_a_timeout() -> None:
    watched, cut = Oversight(), threading.Event()
    ends: list[BaseException] = []

    def call() -> Result:
        assert cut.wait(PATIENCE_S)
        raise OSError("the line was cut")

    def work() -> None:
        try:
            watched.watch(slow, call, 0.05)
        except Exception as error:  # noqa: BLE001 — looked at below
            ends.append(error)

    slow = in_hand(lambda _: cut.set(), lambda: None)
    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        assert watched.look() == []
        time.sleep(0.01)
    assert getattr(ends[0], "error_class", None) == "timeout"
    assert not watched.is_cut(slow.key)


class Handed:
    """Hosts that were handed over, and with how many threads."""

    def __init__(self) -> None:
        self.hosts: list[str] = []
        self.threads: list[int] = []

    def __call__(self, host_keys: Sequence[str], threads: int) -> None:
        """Take hosts on."""
        self.hosts += host_keys
        self.threads.append(threads)


def turn(handed: Handed, **more: Any) -> Turn:
    """Return the turn of a shard in a process that is to come to its end."""
    return Turn(hand_over=handed, others_wait=always, is_draining=always, **more)


@pytest.mark.parametrize(("limits", "threads"), [({}, 0), ({"threads": 2}, 2), ({"slots": True}, 0)])
def test_a_process_that_drains_ends_what_it_has_begun_and_hands_the_rest_over(
    limits: dict[str, Any], threads: int
) -> None:
    handed, ran = Handed(), []

    def walk(task: Task) -> Result:
        time.sleep(0.4)
        ran.append(str(task.host))
        return Result(host=task.host)

    nornir_with(window(2, look=turn(handed, **limits).look), 6).run(task=walk)
    assert sorted(ran + handed.hosts) == [f"r{number}" for number in range(6)]
    assert len(ran) in {2, 4}
    assert handed.threads == [threads]


def test_hosts_that_may_only_go_one_by_one_are_not_handed_over_beside_one_that_is_under_way() -> None:
    handed, under_way = Handed(), threading.Event()
    ends = turn(handed, threads=1)

    def look(runner: WindowRunner) -> None:
        ends.look(runner)
        assert not handed.hosts or runner.in_flight == 0
        under_way.set()

    nornir_with(window(1, look=look), 3).run(task=lambda _: under_way.wait(PATIENCE_S), name="walk")
    assert handed.hosts == ["r1", "r2"]
