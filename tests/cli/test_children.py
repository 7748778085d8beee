import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from app.cli import children
from app.cli.children import PARENT, Child, ChildFailedError, end_with_parent, own_command
from app.core.errors import UnavailableError

GOES_ON = "import signal, time; print('ready', flush=True); time.sleep(300)"
DRAINS = f"import signal; signal.signal(signal.SIGTERM, lambda *_: exit(0)); {GOES_ON}"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {GOES_ON}"
PATIENCE_S = 30.0

Make = Callable[[str], Child]


def never() -> int:
    return 0


def wait_for(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.02)


def keep_alive_until(child: Child, condition: Callable[[], bool]) -> None:
    def look() -> bool:
        child.keep_alive()
        return condition()

    wait_for(look)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Return a function that starts a child with a program of Python, and says when that has begun."""
    made: list[Child] = []

    def start(program: str) -> Child:
        child = Child(f"child-{len(made)}", [sys.executable, "-c", program], os.environ, tmp_path)
        made.append(child)
        child.start()
        log = child.log
        assert log is not None
        wait_for(lambda: "ready" in log.read_text() or child.status is not None)
        return child

    yield start
    for child in made:
        if child.pid is not None:
            os.kill(child.pid, signal.SIGKILL)
            wait_for(lambda child=child: child.pid is None)  # type: ignore[misc]


def test_a_child_logs_into_the_folder_and_finishes_what_it_has_in_hand(make: Make) -> None:
    child = make(DRAINS)
    assert child.log is not None
    assert child.log.read_text() == "ready\n"
    assert (child.status, child.pid is not None) == (None, True)
    child.stop(never)
    assert (child.status, child.pid) == (0, None)


def test_a_child_that_takes_its_time_is_killed_when_asked_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "KILL_AFTER_S", 0.0)
    asked = iter([1, 1, *[2] * 1000])
    child = make(STUBBORN)
    child.stop(lambda: next(asked))
    assert child.status == -signal.SIGKILL


def test_a_child_that_is_not_running_needs_no_stopping(tmp_path: Path) -> None:
    child = Child("nobody", [sys.executable], os.environ, tmp_path)
    child.stop(never)
    assert (child.status, child.pid) == (None, None)


def test_a_child_that_dies_is_started_again_after_a_pause(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "FIRST_PAUSE_S", 0.0)
    child = make(GOES_ON)
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: child.pid is None)
    keep_alive_until(child, lambda: child.pid is not None)
    assert child.pid != first


def test_a_child_that_keeps_dying_is_given_up(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "FIRST_PAUSE_S", 0.0)
    child = make("exit(3)")
    with pytest.raises(ChildFailedError, match=r"died 5 times within 120 s \(status 3\)"):
        keep_alive_until(child, lambda: False)
    assert issubclass(ChildFailedError, UnavailableError)


def test_the_pause_grows_with_each_death(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "FIRST_PAUSE_S", 3600.0)
    child = make("exit(3)")
    for _ in range(3):
        child.keep_alive()
        assert child.pid is None


def run(program: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command: Sequence[str] = [sys.executable, "-c", program]
    return subprocess.run(
        command, env={**os.environ, **environ}, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_a_child_whose_parent_is_gone_ends() -> None:
    program = "import app.cli.children as c, os; c.end_with_parent(); print('went on')"
    orphan = run(program, {PARENT: "1" if os.getpid() != 1 else "2"})
    assert (orphan.returncode, orphan.stdout) == (-signal.SIGTERM, "")
    assert run(program, {PARENT: str(os.getpid())}).stdout == "went on\n"


def test_a_process_that_is_nobodys_child_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PARENT, raising=False)
    before = signal.getsignal(signal.SIGTERM)
    end_with_parent()
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_command_line_calls_itself_as_a_module() -> None:
    assert own_command("api")[1:] == ["-m", "app.cli", "api"]
