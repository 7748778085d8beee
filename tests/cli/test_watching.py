import io
import sys
from collections.abc import Iterator
from typing import Any

import click
import pytest
from rich.console import Console

from app.cli import watching
from app.cli.client import Api
from app.cli.following import Event, Following
from app.cli.logins import GivenToken
from app.cli.outcomes import code_of, total_line
from app.cli.output import cell, printable, spelled
from app.cli.progress import Progress
from app.cli.watching import Detached, LiveScreen, PlainScreen, totals, watch
from app.core.errors import ConflictError

ID = "01900000-0000-7000-8000-000000000001"
REFUSED = {"class": "auth", "message": "sw2 refused\nevery \x1b[31mlogin"}


def started(device: str, node_id: str) -> Event:
    return Event("device.started", {"device": device, "node_id": node_id, "host_key": device})


def ended(device: str, node_id: str, status: str = "success", **more: Any) -> Event:
    body = {"device": device, "node_id": node_id, "host_key": device, "status": status, "duration_ms": 1500, **more}
    return Event("device.finished", body)


RUN = [
    Event("execution.queued", {"devices": 3}),
    Event("execution.started", {"status": "running"}),
    started("sw1", "version"),
    started("sw2", "version"),
    ended("sw1", "version"),
    started("sw1", "check"),
    ended("sw2", "version", "failed", error=REFUSED, handled=False),
    Event("node.finished", {"node_id": "report", "host_key": "-", "status": "success", "duration_ms": 10}),
]
FINISH = Event("execution.finished", {"status": "partial", "counts": {}})


def noted(*events: Event) -> Progress:
    progress = Progress()
    for event in events:
        progress.note(event)
    return progress


def test_events_say_where_each_device_is_and_what_became_of_it() -> None:
    progress = noted(*RUN)
    first, second = progress.devices["sw1"], progress.devices["sw2"]
    assert (first.node_id, first.running, first.status, first.duration_ms) == ("check", True, "running", 1500)
    assert (second.failed_node, second.error_class, second.lost) == ("version", "auth", True)
    assert progress.once == {"report": "success"}
    assert (progress.status, progress.running(), progress.lost()) == ("running", 1, 1)
    assert totals(progress) == "running: 3 devices, 1 at work, 1 failed, 1 waiting"


def test_a_handled_failure_loses_no_device() -> None:
    progress = noted(ended("sw1", "version", "failed", error=REFUSED, handled=True))
    assert (progress.devices["sw1"].status, progress.lost()) == ("success", 0)


def test_the_first_failure_of_a_device_is_the_one_that_counts() -> None:
    later = {"class": "timeout", "message": "late"}
    progress = noted(
        ended("sw1", "a", "failed", error=REFUSED), started("sw1", "b"), ended("sw1", "b", "failed", error=later)
    )
    assert (progress.devices["sw1"].failed_node, progress.devices["sw1"].error_class) == ("a", "auth")


def test_a_skipped_step_moves_no_device() -> None:
    progress = noted(
        ended("sw1", "a"), Event("device.skipped", {"device": "sw1", "node_id": "b", "status": "skipped"}),
        Event("execution.cancelling", {}), Event("node.ended", {"node_id": "a"}),
    )  # fmt: skip
    assert (progress.devices["sw1"].node_id, progress.status) == ("a", "cancelling")


def test_without_a_terminal_each_step_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    screen, progress = PlainScreen(), Progress()
    for event in RUN:
        screen.show(event, progress)
    assert capsys.readouterr().out.splitlines() == [
        "sw1  version  success  1.5 s",
        "sw2  version  failed  auth  1.5 s  sw2 refused every  [31mlogin",
        "(once)  report  success  0.0 s",
    ]


def drawn(progress: Progress, *, height: int = 20) -> str:
    console = Console(file=io.StringIO(), width=100, height=height, force_terminal=True, color_system=None)
    console.print(LiveScreen(progress))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_on_a_terminal_each_device_has_a_line() -> None:
    text = drawn(noted(*RUN))
    assert "✗  sw2  version  auth  sw2 refused every" in text
    assert "sw1  check" in text
    assert "\x1b[31m" not in text
    assert "✓  sw1" in drawn(noted(*RUN, ended("sw1", "check")))


def test_where_not_all_devices_fit_those_at_work_and_those_that_failed_are_shown() -> None:
    many = [ended(f"done{number}", "version") for number in range(30)]
    text = drawn(noted(*many, *RUN), height=8)
    assert "sw1" in text
    assert "sw2" in text
    assert "28 not shown" in text


@pytest.fixture
def api() -> Iterator[Api]:
    with Api("http://127.0.0.1:1", GivenToken()) as opened:
        yield opened


def script(monkeypatch: pytest.MonkeyPatch, *rounds: list[Event | type[BaseException]]) -> None:
    """Let each reading of the events give what its round holds."""
    left = list(rounds)

    def events(_: Following) -> Iterator[Event]:
        for item in left.pop(0):
            if isinstance(item, type):
                raise item
            yield item

    monkeypatch.setattr(Following, "events", events)


def answers(monkeypatch: pytest.MonkeyPatch, answer: str | type[BaseException]) -> list[str]:
    """Answer the question that Ctrl-C leads to, and return the paths that are posted to."""
    posted: list[str] = []

    def prompt(*_: object, **__: object) -> str:
        if isinstance(answer, type):
            raise answer
        return answer

    monkeypatch.setattr(click, "prompt", prompt)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(Api, "post", lambda _, path: posted.append(path))
    return posted


def test_watching_ends_with_the_execution(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, [*RUN, FINISH])
    assert watch(api, ID, quiet=True).status == "partial"


def test_on_a_terminal_the_picture_is_live(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = io.StringIO()
    monkeypatch.setattr(watching, "console", lambda: Console(file=picture, force_terminal=True, width=80, height=20))
    script(monkeypatch, [*RUN, FINISH])
    watch(api, ID)
    assert "sw2" in picture.getvalue()


def test_ctrl_c_can_cancel_and_then_watches_the_end(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    posted = answers(monkeypatch, "cancel")
    script(monkeypatch, [*RUN, KeyboardInterrupt], [Event("execution.finished", {"status": "cancelled"})])
    assert watch(api, ID).status == "cancelled"
    assert posted == [f"/automation/v1/executions/{ID}/cancel"]


def test_ctrl_c_can_go_on_watching(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    posted = answers(monkeypatch, "watch")
    script(monkeypatch, [KeyboardInterrupt], [FINISH])
    assert watch(api, ID).status == "partial"
    assert posted == []


@pytest.mark.parametrize("answer", ["detach", click.Abort])
def test_ctrl_c_can_leave_the_execution_to_itself(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str | type[BaseException]
) -> None:
    posted = answers(monkeypatch, answer)
    script(monkeypatch, [KeyboardInterrupt])
    with pytest.raises(Detached) as caught:
        watch(api, ID)
    caught.value.show()
    assert f"opsconductor executions follow {ID}" in capsys.readouterr().err
    assert (posted, caught.value.exit_code) == ([], 1)


def test_ctrl_c_asks_nobody_where_nobody_can_answer(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, "cancel")
    script(monkeypatch, [KeyboardInterrupt], [KeyboardInterrupt])
    with pytest.raises(Detached):
        watch(api, ID, quiet=True)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    with pytest.raises(Detached):
        watch(api, ID)


def test_ctrl_c_is_raised_where_it_means_the_end_of_everything(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, [KeyboardInterrupt])
    with pytest.raises(KeyboardInterrupt):
        watch(api, ID, ask=False)


def test_cancelling_what_has_just_ended_is_no_failure(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def post(_: Api, path: str) -> None:
        raise ConflictError("The execution has ended already: success.")

    monkeypatch.setattr(Api, "post", post)
    watching.cancel(api, ID)
    assert "ended already" in capsys.readouterr().err


def test_the_total_names_what_happened_and_why() -> None:
    counts = {"devices": 3, "succeeded": 2, "failed": 1, "unknown": 0, "skipped": 0, "cancelled": 0}
    execution = {
        "status": "failed",
        "counts": counts,
        "started_at": "2026-01-02T03:04:05Z",
        "error": {"node_id": "report", "message": "502 came back"},
    }
    line = total_line(execution)
    assert line.startswith("failed: 3 devices, started 2026-01-0")
    assert line.endswith("2 succeeded, 1 failed. At report: 502 came back")
    assert total_line({**execution, "started_at": None, "error": None, "counts": dict.fromkeys(counts, 0)}).endswith(
        "0 devices: nothing done yet."
    )
    assert (code_of({"status": "success"}), code_of({"status": "partial"})) == (0, 1)


def test_cells_are_plain_text_on_one_line() -> None:
    assert [spelled(value) for value in (None, True, False, ["a", 1], 5)] == ["", "yes", "no", "a, 1", "5"]
    assert printable("a\tb\x07\n c ") == "a b   c"
    assert cell("[red]x[/red]").plain == "[red]x[/red]"
    assert str(cell("failed").style) == "red"
