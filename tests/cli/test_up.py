import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import httpx
import pytest

from app.core.embedded import erase_embedded
from tests.cli.conftest import Shell
from tests.support.standing import PATIENCE_S, children_of, free_port, is_alive, lives, running_up, wait_for


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes by /proc")
def test_what_dies_is_started_again_and_the_end_leaves_nothing(
    services: object, tmp_path: Path, database: None
) -> None:
    state, log = tmp_path / "state", tmp_path / "log"
    with running_up({"OPSCONDUCTOR_STATE_DIR": str(state)}, log, "--json") as (process, text):
        told = json.loads(text)
        assert httpx.get(f"{told['api']}/ready").status_code == 200
        parts = children_of(process.pid)
        assert sorted(words.split()[-1] for words in parts.values()) == ["api", "worker"]
        assert [words for words in parts.values() if "PASSWORD" in words or os.environ["SECRET_KEY"] in words] == []
        api = next(pid for pid, words in parts.items() if words.split()[-1] == "api")
        os.kill(api, signal.SIGKILL)
        wait_for(lambda: "starting it again" in log.read_text())
        wait_for(partial(is_alive, told["api"]))
        family = {**children_of(process.pid), process.pid: "up"}
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
        assert [pid for pid in family if lives(pid)] == []
    assert "Traceback" not in log.read_text()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes by /proc")
def test_with_nothing_configured_it_brings_its_own_and_finds_it_again(shell: Shell, tmp_path: Path) -> None:
    state, log = tmp_path / "state", tmp_path / "log"
    own = {"OPSCONDUCTOR_STATE_DIR": str(state), "SECRET_KEY": "", "CREDENTIAL_MASTER_KEY": ""}
    own |= {"PG_HOST": "", "PG_DATABASE": "", "REDIS_URL": ""}
    try:
        with running_up(own, log) as (process, text):
            assert f"OPSCONDUCTOR_STATE_DIR={state} opsconductor user create-admin" in text
            made = shell("user", "create-admin", "--username", "ann", **own, OPSCONDUCTOR_ADMIN_PASSWORD="x" * 12)
            assert made.returncode == 0, made.stderr
            family = children_of(process.pid)
            process.kill()
            process.wait()
            wait_for(lambda: not [pid for pid, words in family.items() if "app.cli" in words and lives(pid)])
        with running_up(own, log) as (process, text):
            url = text.partition("runs at ")[2].partition(";")[0]
            login = {"username": "ann", "password": "x" * 12}
            assert httpx.post(f"{url}/identity/v1/auth/login", json=login).status_code == 200
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE_S) == 0
        assert [pid for pid in family if lives(pid)] == []
        assert sorted(path.name for path in state.glob("keys*")) == ["keys.env", "keys.lock"]
    finally:
        erase_embedded(state)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_the_start_leaves_nothing_behind(
    tmp_path: Path, number: signal.Signals, services: object
) -> None:
    state = tmp_path / "state"
    own = {"OPSCONDUCTOR_STATE_DIR": str(state), "PG_HOST": "", "PG_DATABASE": "", "REDIS_URL": ""}
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "up"],
        env={**os.environ, **own, "API_PORT": free_port()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for((state / "valkey.secret").exists)
    process.send_signal(number)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "Aborted!" in said
    erase_embedded(state)
