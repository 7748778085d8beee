import httpx
import pytest

from app.cli import following
from app.cli.client import Api
from app.cli.following import Event, Following, read_events
from app.cli.logins import GivenToken
from app.core.errors import UnavailableError

ID = "01900000-0000-7000-8000-000000000001"


def text(*events: tuple[int, str, str]) -> str:
    return "".join(f"id: {number}\nevent: {kind}\ndata: {body}\n\n" for number, kind, body in events)


class Script:
    """A service whose streams are given: what each says before it is cut, or None where it cannot be reached."""

    def __init__(self, *streams: str | None, ended: bool = True) -> None:
        self.streams = list(streams)
        self.ended = ended
        self.asked: list[str | None] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        if not request.url.path.endswith("/events"):
            execution = {"finished_at": "2026-01-01T00:00:00Z" if self.ended else None}
            return httpx.Response(200, json={"success": True, "data": execution, "message": None, "meta": {}})
        self.asked.append(request.headers.get("Last-Event-ID"))
        said = self.streams.pop(0)
        if said is None:
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(200, text=said)

    def follow(self) -> list[Event]:
        """Return all events, read without pauses."""
        with Api("http://127.0.0.1:1", GivenToken("t"), transport=httpx.MockTransport(self.answer)) as api:
            return list(Following(api, ID, sleep=lambda _: None).events())


def test_events_are_read_with_their_number_kind_and_content() -> None:
    lines = ["id: 7", "event: device.started", 'data: {"a":', "data:  1}", "", ": a comment", "retry: 5", "", "data: 2"]
    assert list(read_events(lines)) == [Event("device.started", {"a": 1}, "7")]


def test_the_end_of_the_execution_is_the_end_of_the_stream() -> None:
    script = Script(text((1, "execution.queued", "{}"), (2, "execution.finished", '{"status": "success"}')))
    assert [event.kind for event in script.follow()] == ["execution.queued", "execution.finished"]
    assert script.asked == [None]


def test_after_a_cut_it_goes_on_behind_the_last_event() -> None:
    script = Script(
        text((1, "execution.queued", "{}"), (2, "device.started", "{}")) + "id: 3\nevent: device.fin",
        None,
        "",
        text((3, "execution.finished", "{}")),
        ended=False,
    )
    assert [event.number for event in script.follow()] == ["1", "2", "3"]
    assert script.asked == [None, "2", "2", "2"]


def test_a_stream_without_a_last_event_is_over_when_the_execution_is() -> None:
    assert [event.kind for event in Script(text((1, "execution.queued", "{}"))).follow()] == ["execution.queued"]


def test_a_service_that_stays_away_is_told_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "PATIENCE_S", 0.0)
    with pytest.raises(UnavailableError, match="cannot be reached"):
        Script(None, None, None).follow()
