"""The embedded Valkey and both servers together, really started."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, BusyLoadingError
from redis.retry import Retry

from app.core import embedded
from app.core.embedded import EmbeddedServices, RunningValkey, binaries, locks, sockets, valkey
from app.core.embedded.files import ServerFiles

REPOSITORY = Path(__file__).resolve().parents[2]
OWNER = """
import sys
from pathlib import Path
from app.core.embedded import start_valkey
print(start_valkey(Path(sys.argv[1])).url, flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def state() -> Iterator[Path]:
    """Return the path of a state folder; what runs on it is ended after the test."""
    folder = Path(tempfile.mkdtemp(prefix="opsc-test-")).resolve()
    folder.chmod(0o711)
    state = folder / "state"
    yield state
    if state.is_dir() and locks.lives(files_of(state).life):
        embedded.start_valkey(state).stop()
    shutil.rmtree(folder)


def files_of(state: Path) -> ServerFiles:
    return ServerFiles(state=state, name="valkey")


def socket_of(running: RunningValkey) -> Path:
    return Path(urlsplit(running.url).path)


def test_the_url_lets_in_and_nothing_else_does(state: Path) -> None:
    running = embedded.start_valkey(state)
    password = urlsplit(running.url).password
    assert running.url == f"unix://:{password}@{state}/valkey/valkey.sock"
    with Redis.from_url(running.url) as client:
        assert client.ping()
    for guess in (None, "guessed"):
        stranger = Redis(unix_socket_path=str(socket_of(running)), password=guess, retry=Retry(NoBackoff(), 0))
        with stranger, pytest.raises(AuthenticationError):
            stranger.ping()
    assert running.stop()


def test_it_keeps_everything_and_listens_on_its_private_socket_only(state: Path) -> None:
    running = embedded.start_valkey(state)
    with Redis.from_url(running.url) as client:
        set_to = client.config_get("*")
    assert (set_to["port"], set_to["appendonly"], set_to["maxmemory-policy"]) == ("0", "yes", "noeviction")
    assert set_to["maxmemory"] == "0"
    status = socket_of(running).stat()
    assert stat.S_ISSOCK(status.st_mode)
    assert status.st_mode & 0o077 == 0
    assert running.stop()


def test_what_was_written_survives_a_restart(state: Path) -> None:
    running = embedded.start_valkey(state)
    with Redis.from_url(running.url) as client:
        client.set("kept", "42")
    pid = running.pid
    assert running.stop()
    assert not socket_of(running).exists()
    assert running.pid is None
    assert not Path(f"/proc/{pid}").exists()
    again = embedded.start_valkey(state)
    assert not again.attached
    with Redis.from_url(again.url) as client:
        assert client.get("kept") == b"42"
    assert again.stop()


def test_a_second_start_attaches_and_only_the_last_stop_ends_it(state: Path) -> None:
    first, second = embedded.start_valkey(state), embedded.start_valkey(state)
    assert (first.attached, second.attached) == (False, True)
    assert not first.stop()
    assert second.alive()
    assert second.stop()
    assert not second.alive()


def test_it_outlives_its_owners_kill_and_is_found_by_the_next_start(state: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, state],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    ) as owner:
        assert owner.stdout is not None
        url = owner.stdout.readline().strip()
        owner.kill()
    found = embedded.start_valkey(state)
    assert found.attached
    assert found.url == url
    assert found.stop()


def test_a_killed_one_leaves_a_stale_socket_and_is_started_again_with_its_data(state: Path) -> None:
    running = embedded.start_valkey(state)
    with Redis.from_url(running.url) as client:
        client.set("kept", "42")
    assert not running.ensure_running()
    assert running.pid is not None
    os.kill(running.pid, signal.SIGKILL)
    while running.alive():
        time.sleep(0.01)
    assert socket_of(running).is_socket()
    assert running.ensure_running()
    with Redis.from_url(running.url) as client:
        assert client.get("kept") == b"42"
    assert running.stop()


@pytest.mark.parametrize("arguments", [(), ("--requirepass", "theirs")], ids=["open", "closed"])
def test_a_stranger_at_the_socket_is_reported_and_left_alone(state: Path, arguments: tuple[str, ...]) -> None:
    folder = files_of(state).folder
    folder.mkdir(parents=True, mode=0o700)
    state.chmod(0o700)
    with subprocess.Popen(
        [binaries.valkey_program(), "--port", "0", "--unixsocket", folder / "valkey.sock", *arguments],
        stdout=subprocess.DEVNULL,
        cwd=folder,
    ) as stranger:
        try:
            while not sockets.answers(folder / "valkey.sock"):
                time.sleep(0.01)
            with pytest.raises(embedded.AddressInUseError, match="not our Valkey"):
                embedded.start_valkey(state)
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_one_that_will_not_end_is_reported_and_can_be_stopped_later(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = embedded.start_valkey(state)
    assert running.pid is not None
    pid = running.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        monkeypatch.setattr(valkey, "STOP_TIMEOUT_S", 0.1)
        with pytest.raises(embedded.StopError, match="cannot be ended"):
            running.stop()
        monkeypatch.undo()
    finally:
        os.kill(pid, signal.SIGCONT)
    running.ensure_running()
    assert running.stop()


def test_one_that_loads_for_too_long_is_reported(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Redis) -> None:
        raise BusyLoadingError("Redis is loading the dataset in memory")

    running = embedded.start_valkey(state)
    monkeypatch.setattr(valkey, "START_TIMEOUT_S", 0.0)
    monkeypatch.setattr(Redis, "ping", refuse)
    with pytest.raises(embedded.StartError, match="still loading"):
        embedded.start_valkey(state)
    assert running.stop()


def test_a_file_in_the_place_of_the_socket_is_reported_and_kept(state: Path) -> None:
    embedded.start_valkey(state).stop()
    file = files_of(state).folder / "valkey.sock"
    file.write_text("precious")
    with pytest.raises(embedded.StartError, match="not a socket"):
        embedded.start_valkey(state)
    assert file.read_text() == "precious"


def test_damaged_data_is_reported_with_the_end_of_the_log(state: Path) -> None:
    embedded.start_valkey(state).stop()
    (files_of(state).folder / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")
    with pytest.raises(embedded.StartError, match=r"(?s)ended while starting.*valkey\.log:.*manifest"):
        embedded.start_valkey(state)


def test_a_path_too_long_for_a_socket_gets_a_short_one_that_later_starts_find(state: Path) -> None:
    state = state / ("long-" * 20) / "with space, comma and 'quote'"
    first, second = embedded.start_valkey(state), embedded.start_valkey(state)
    assert second.attached
    assert first.url == second.url
    with Redis.from_url(first.url) as client:
        assert client.ping()
    assert len(str(socket_of(first))) < 108
    assert not second.stop()
    assert first.stop()
    assert not socket_of(first).parent.exists()


def test_the_password_is_in_no_command_line_no_log_and_no_open_file(state: Path) -> None:
    running = embedded.start_valkey(state)
    password = urlsplit(running.url).password
    assert password is not None
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        if path.parent.exists():
            assert password.encode() not in read_if_there(path)
    assert password not in running.log.read_text()
    assert password not in repr(running)
    assert running.stop()
    exposed = [path.name for path in state.rglob("*") if path.is_file() and path.stat().st_mode & 0o077]
    assert exposed == []


def read_if_there(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def start_both(state: Path) -> EmbeddedServices:
    return embedded.start_embedded(state, settings={"fsync": "off"}, data_root=state.parent / "data-root")


def test_both_are_started_watched_ended_and_erased_together(state: Path) -> None:
    with start_both(state) as services:
        assert services.postgres is not None
        assert services.valkey is not None
        assert services.ensure_running() == ()
        assert services.valkey.pid is not None
        os.kill(services.valkey.pid, signal.SIGKILL)
        while services.valkey.alive():
            time.sleep(0.01)
        assert services.ensure_running() == ("Valkey",)
        with pytest.raises(embedded.StateFolderError, match="still runs"):
            embedded.erase_embedded(state)
        assert services.ensure_running() == ()
    assert not services.postgres.alive()
    assert not services.valkey.alive()
    embedded.erase_embedded(state)
    assert not services.postgres.data.exists()
    assert all(path.suffix == ".lock" for path in state.iterdir())


def test_only_what_is_asked_for_is_started(state: Path) -> None:
    services = embedded.start_embedded(state, postgres=False)
    assert services.postgres is None
    assert services.valkey is not None
    assert services.stop()


def test_when_postgresql_cannot_start_no_valkey_is_left(state: Path) -> None:
    with pytest.raises(embedded.EmbeddedError, match="cannot be given"):
        embedded.start_embedded(state, settings={"port": "1"})
    assert not locks.lives(files_of(state).life)
