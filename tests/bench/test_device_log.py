from pathlib import Path

from app.demo.network.journal import EventKind, Journal
from tests.bench.journal import DeviceLog


def test_sessions_are_counted_now_and_at_their_peak(tmp_path: Path) -> None:
    journal, log = Journal(tmp_path / "journal.jsonl"), DeviceLog(tmp_path / "journal.jsonl")
    for kind, connection in (("login", 1), ("login", 2), ("logout", 1), ("login", 3), ("logout", 2), ("logout", 3)):
        journal.record("r1", EventKind(kind), "netops", connection)
    journal.record("r2", EventKind.LOGIN, "netops", 4)
    assert (log.peak_sessions(), log.open_sessions()) == ({"r1": 2, "r2": 1}, {"r1": 0, "r2": 1})


def test_behind_a_mark_only_what_is_new_is_seen_and_half_a_line_is_not(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal, log = Journal(path), DeviceLog(path)
    journal.record("r1", EventKind.COMMAND, "show version", 1)
    mark = log.mark()
    journal.record("r1", EventKind.CONFIG, "mtu 9000", 1)
    with path.open("a") as file:
        file.write('{"time": "2026-')
    assert [(event.kind, event.text) for event in log.since(mark)] == [(EventKind.CONFIG, "mtu 9000")]
    assert (log.count(EventKind.COMMAND), log.count(EventKind.COMMAND, mark)) == (1, 0)
