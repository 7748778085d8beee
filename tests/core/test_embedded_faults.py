"""What the embedded PostgreSQL refuses, and that each refusal says what to do and leaves nothing half done."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from app.core import embedded
from app.core.embedded import RunningPostgres, accounts, binaries, cluster, files, locks, placement, postgres, sockets
from app.core.embedded.files import ServerFiles

Start = Callable[..., RunningPostgres]
ROOT = os.geteuid() == 0
NOBODY = 65534
as_root = pytest.mark.skipif(not ROOT, reason="only root runs PostgreSQL as another account")


@pytest.fixture
def ground() -> Iterator[Path]:
    """Return a folder that other accounts can enter, as an unprivileged server must."""
    folder = Path(tempfile.mkdtemp(prefix="opsc-test-")).resolve()
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def seasoned() -> Iterator[Path]:
    """Return a ground on which a server ran once and was stopped."""
    folder = Path(tempfile.mkdtemp(prefix="opsc-test-")).resolve()
    folder.chmod(0o711)
    start_on(folder).stop()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def used(seasoned: Path) -> Iterator[Path]:
    """Return the seasoned ground, on which no server runs before and after the test."""
    yield seasoned
    if locks.lives(files_on(seasoned).life):
        start_on(seasoned).stop()


def start_on(ground: Path, **more: Any) -> RunningPostgres:
    wanted = {"settings": {"fsync": "off"}, **more}
    return embedded.start_postgres(ground / "state", data_root=ground / "data-root", **wanted)


def files_on(ground: Path) -> ServerFiles:
    return ServerFiles(state=ground / "state", name="postgres")


def data_on(ground: Path) -> Path:
    placed = placement.read_placement(files_on(ground))
    assert placed is not None
    return placed.data


@contextmanager
def moved_away(path: Path) -> Iterator[None]:
    aside = path.with_name(f"{path.name}.aside")
    path.rename(aside)
    try:
        yield
    finally:
        if path.is_dir():
            shutil.rmtree(path)
        aside.replace(path)


def test_a_state_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for state in (tmp_path / "file", tmp_path / "file" / "state"):
        with pytest.raises(embedded.StateFolderError, match="OPSCONDUCTOR_STATE_DIR"):
            embedded.start_postgres(state)


def test_a_state_folder_open_to_others_is_refused_and_not_changed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(embedded.StateFolderError, match=f"chmod 700 {tmp_path}"):
        embedded.start_postgres(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert not list(tmp_path.iterdir())


def test_a_state_folder_of_someone_else_is_refused(tmp_path: Path) -> None:
    theirs = Path("/usr")
    if ROOT:
        theirs = tmp_path / "theirs"
        theirs.mkdir(mode=0o700)
        os.chown(theirs, NOBODY, NOBODY)
    with pytest.raises(embedded.StateFolderError, match="belongs to uid"):
        embedded.start_postgres(theirs)


def test_a_full_disk_is_reported_as_a_fault_of_the_state_folder(ground: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(placement, "write_placement", refuse)
    with pytest.raises(embedded.StateFolderError, match="No space left on device"):
        start_on(ground)


def test_a_failed_initdb_quotes_it_and_leaves_no_data_folder(ground: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "LIBC_LOCALE", "xx_NOWHERE")
    with pytest.raises(embedded.StartError, match=r'(?s)initdb says.*invalid locale name "xx_NOWHERE"'):
        start_on(ground)
    home = data_on(ground).parent
    assert not [path.name for path in home.iterdir() if path.name != "run"]
    monkeypatch.undo()
    running = start_on(ground)
    assert not running.attached
    running.stop()


def test_a_program_that_takes_too_long_is_ended_with_all_it_started(tmp_path: Path) -> None:
    script = 'sleep 300 & echo $! > "$1"; wait'
    finished = accounts.run_as(accounts.own_account(), ["/bin/sh", "-c", script, "sh", tmp_path / "pid"], timeout_s=0.5)
    assert not finished.succeeded
    assert "timed out" in finished.said
    started = Path("/proc") / (tmp_path / "pid").read_text().strip() / "cmdline"
    give_up_at = time.monotonic() + 60
    while started.exists() and started.read_bytes() and time.monotonic() < give_up_at:
        time.sleep(0.01)
    assert not started.exists() or not started.read_bytes()  # gone, or a zombie nobody has reaped yet


def test_a_failed_start_quotes_the_log_and_leaves_nothing_running(used: Path) -> None:
    with pytest.raises(embedded.StartError, match=r'(?s)postgres\.log:.*parameter "shared_buffers"'):
        start_on(used, settings={"shared_buffers": "plenty"})
    assert not locks.lives(files_on(used).life)


def test_a_server_that_cannot_be_prepared_is_not_left_running(used: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.core.embedded.postgres.BOOTSTRAP", "SELECT no_such_column;\n")
    with pytest.raises(embedded.StartError, match="no_such_column"):
        start_on(used)
    assert not locks.lives(files_on(used).life)


@pytest.mark.parametrize("name", ["listen_addresses", "unix_socket_directories", "Fsync", "x=1 -c y"])
def test_a_setting_that_would_open_the_server_is_refused(ground: Path, name: str) -> None:
    with pytest.raises(embedded.EmbeddedError, match=r"postgresql\.conf"):
        start_on(ground, settings={name: "*"})


def test_data_of_another_major_version_is_refused_with_the_way_out(used: Path) -> None:
    version = data_on(used) / "PG_VERSION"
    made_by = version.read_text()
    version.write_text("17\n")
    try:
        with pytest.raises(embedded.DataVersionError, match=r"(?s)PostgreSQL 17.*pg_dump.*pg_restore"):
            start_on(used)
    finally:
        version.write_text(made_by)


def test_a_lost_data_folder_is_reported_and_not_replaced(used: Path) -> None:
    data = data_on(used)
    with moved_away(data):
        with pytest.raises(embedded.DataLostError, match="Mount or restore"):
            start_on(used)
        assert not data.exists()


def test_a_data_folder_without_a_version_is_refused(used: Path) -> None:
    with moved_away(data_on(used) / "PG_VERSION"), pytest.raises(embedded.DataLostError, match="PG_VERSION"):
        start_on(used)


def test_lost_passwords_are_reported_and_not_replaced(used: Path) -> None:
    secret = files_on(used).secret
    with moved_away(secret):
        with pytest.raises(embedded.DataLostError, match=secret.name):
            start_on(used)
        assert not secret.exists()


def test_a_damaged_record_is_reported(used: Path) -> None:
    record = files_on(used).record
    with moved_away(record):
        record.write_text('{"home": 7}')
        with pytest.raises(embedded.StateFolderError, match="damaged"):
            start_on(used)


def test_a_living_server_that_refuses_our_passwords_is_not_taken_for_ours(used: Path) -> None:
    running = start_on(used)
    try:
        with moved_away(running.passfile):
            running.passfile.write_text("*:*:*:postgres:guessed\n*:*:*:opsconductor:guessed\n")
            running.passfile.chmod(0o600)
            with pytest.raises(embedded.AddressInUseError, match="refuses the passwords"):
                start_on(used)
        assert running.alive()
    finally:
        assert running.stop()


def test_a_stranger_at_the_socket_is_reported_and_left_alone(used: Path) -> None:
    address = data_on(used).parent / "run" / cluster.SOCKET_NAME
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.bind(str(address))
        stranger.listen()
        threading.Thread(target=answer_nonsense, args=(stranger,), daemon=True).start()
        try:
            with pytest.raises(embedded.AddressInUseError, match="not PostgreSQL"):
                start_on(used)
            assert sockets.answers(address)
        finally:
            stranger.shutdown(socket.SHUT_RDWR)
            address.unlink()


def answer_nonsense(stranger: socket.socket) -> None:
    with suppress(OSError):  # the end of the listener ends this
        while True:
            client, _ = stranger.accept()
            with client, suppress(BrokenPipeError, ConnectionResetError):
                client.sendall(b"?")


def test_a_living_server_without_a_socket_is_reported(used: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = start_on(used)
    address = Path(running.address.host) / cluster.SOCKET_NAME
    monkeypatch.setattr("app.core.embedded.server.LIFE_WAIT_S", 0.0)
    try:
        with moved_away(address), pytest.raises(embedded.StartError, match="still lives, but nothing answers"):
            start_on(used)
    finally:
        assert running.stop()


def test_a_server_that_never_gets_ready_is_reported(used: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = start_on(used)
    monkeypatch.setattr(postgres, "START_TIMEOUT_S", 0.0)
    monkeypatch.setattr(RunningPostgres, "_ask_readiness", lambda _: postgres.REJECTING)
    try:
        with pytest.raises(embedded.StartError, match="still starting or ending"):
            start_on(used)
    finally:
        assert running.stop()


def test_a_server_an_operator_started_elsewhere_is_reported_and_left_alone(used: Path) -> None:
    data, status = data_on(used), data_on(used).stat()
    account: dict[str, Any] = {"user": status.st_uid, "group": status.st_gid} if ROOT else {}
    program = binaries.wheel_postgres() / "bin" / "postgres"
    with subprocess.Popen(
        [program, "-D", data, "-k", data, "-c", "listen_addresses=", "-c", "fsync=off"],
        stderr=subprocess.DEVNULL,
        cwd="/",
        **account,
    ) as manual:
        try:
            while not (data / "postmaster.pid").exists():
                time.sleep(0.01)
            with pytest.raises(embedded.StartError, match=f"kill -INT {manual.pid}"):
                start_on(used)
            assert manual.poll() is None
            assert (data / "postmaster.pid").exists()
        finally:
            manual.send_signal(signal.SIGINT)


def test_a_first_start_cut_off_after_initdb_is_taken_up(used: Path) -> None:
    record = files_on(used).record
    written = record.read_text()
    record.write_text(written.replace('"initialised":true', '"initialised":false'))
    running = start_on(used)
    assert record.read_text() == written
    assert running.stop()


@as_root
def test_the_database_of_a_deleted_state_folder_is_neither_used_nor_overwritten(used: Path) -> None:
    data = data_on(used)
    with moved_away(used / "state"):
        with pytest.raises(embedded.DataLostError, match=f"mv {data.parent}"):
            start_on(used)
        assert data.exists()


@as_root
def test_data_made_with_another_account_is_refused(used: Path) -> None:
    with pytest.raises(embedded.AccountError, match="OPSCONDUCTOR_OS_USER to nobody"):
        start_on(used, os_user="daemon")


@as_root
@pytest.mark.parametrize(("account", "fault"), [("root", "is root"), ("no-such-account", "no account")])
def test_an_account_that_cannot_run_postgresql_is_refused(ground: Path, account: str, fault: str) -> None:
    with pytest.raises(embedded.AccountError, match=fault):
        start_on(ground, os_user=account)


@as_root
def test_a_place_the_account_cannot_reach_is_refused_and_not_opened(ground: Path) -> None:
    closed = ground / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(embedded.StateFolderError, match="nobody cannot enter it"):
        embedded.start_postgres(ground / "state", data_root=closed)
    assert closed.stat().st_mode & 0o777 == 0o700


@as_root
def test_without_a_lasting_place_the_temporary_folder_is_taken_and_written_down(
    ground: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ground / "file").touch()
    monkeypatch.setattr(placement, "LASTING_ROOT", ground / "file" / "below")
    monkeypatch.setattr(tempfile, "tempdir", str(ground))
    server = ServerFiles(state=files.open_state_folder(ground / "state"), name="postgres")
    account = accounts.server_account(None)
    placed = placement.place(server, account, None)
    assert Path(placed.home).parent == ground
    assert placement.place(server, account, ground / "elsewhere") == placed


@as_root
def test_a_home_that_others_can_write_to_is_refused(ground: Path) -> None:
    server = ServerFiles(state=files.open_state_folder(ground / "state"), name="postgres")
    account = accounts.server_account(None)
    home = Path(placement.place(server, account, ground / "data-root").home)
    home.chmod(0o777)
    with pytest.raises(embedded.StateFolderError, match="Restore its owner and mode"):
        placement.place(server, account, ground / "data-root")


def test_an_account_without_a_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(embedded.AccountError, match="no entry in the passwd database"):
        accounts.server_account(None)


def test_only_root_may_name_another_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: pwd.getpwnam("nobody").pw_uid)
    assert accounts.server_account("nobody").lowered is False
    with pytest.raises(embedded.AccountError, match="Only root"):
        accounts.server_account("daemon")


def test_missing_packages_name_the_settings_that_replace_them(ground: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "find_spec", lambda _: None)
    with pytest.raises(embedded.BinariesError, match="PG_HOST or DATABASE_URL"):
        start_on(ground)
    with pytest.raises(embedded.BinariesError, match="REDIS_HOST or REDIS_URL"):
        embedded.start_valkey(ground / "state")


def test_a_package_without_programs_for_this_platform_is_reported(
    ground: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "_package_folder", lambda *_: ground)
    with pytest.raises(embedded.BinariesError, match="no PostgreSQL for this platform"):
        start_on(ground)
    with pytest.raises(embedded.BinariesError, match="no Valkey for this platform"):
        embedded.start_valkey(ground / "state")


def test_programs_of_another_platform_are_reported(ground: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for program in ("pginstall/bin/postgres", "_binaries/other/valkey-server"):
        path = ground / "package" / program
        path.parent.mkdir(parents=True)
        path.write_bytes(b"\x7fELF of another kind")
        path.chmod(0o755)
    monkeypatch.setattr(binaries, "_package_folder", lambda *_: ground / "package")
    with pytest.raises(embedded.BinariesError, match="made for another platform"):
        start_on(ground)
    with pytest.raises(embedded.BinariesError, match="cannot be run"):
        embedded.start_valkey(ground / "state")
