import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from app.core.embedded import erase_embedded

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes by /proc"),
]
PATIENCE_S = 120.0


@contextmanager
def demo(state: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run the demo beside an installation whose settings it has to leave alone."""
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "demo", *options],
        env={
            **os.environ,
            "OPSCONDUCTOR_STATE_DIR": str(state),
            "PG_HOST": "192.0.2.1",
            "REDIS_URL": "redis://192.0.2.1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
        erase_embedded(state / "demo")


def processes_of(state: Path) -> list[str]:
    """Return the processes that have the demo's state folder in their environment or command line."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                text = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            except OSError:
                continue
            if str(state).encode() in text:
                found.append(folder.name)
    return found


def test_once_runs_it_judges_it_and_leaves_nothing(tmp_path: Path) -> None:
    with demo(tmp_path, "--once", "--json") as process:
        said, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, told
    result = json.loads(said)
    assert result["differences"] == []
    assert result["execution"]["status"] == "partial"
    failed = {row["device"]: row["error_class"] for row in result["devices"] if row["status"] != "success"}
    assert failed == {"ham1-acc-1": "auth", "fra1-acc-1": "read_timeout", "muc1-agg-1": "tcp_refused"}
    assert len(result["reports"]) == 1
    assert sorted(result["reports"][0]["failed"]) == sorted(failed)
    assert processes_of(tmp_path) == []


def test_it_serves_until_ctrl_c_and_tells_how_to_go_on(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        told = read_until(process, "In another terminal:")
        url = search(r"API page +(http://127\.0\.0\.1:\d+)/schema", told)
        login = {"username": "admin", "password": search(r"password (\S+)\)", told)}
        assert httpx.post(f"{url}/identity/v1/auth/login", json=login, trust_env=False).status_code == 200
        assert processes_of(tmp_path)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert "partial: 12 devices" in said
    assert "All of it came out as designed." in said
    assert processes_of(tmp_path) == []


def read_until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stderr is not None
    give_up_at = time.monotonic() + PATIENCE_S
    told = ""
    for line in process.stderr:
        told += line
        if text in line:
            return told
        assert time.monotonic() < give_up_at
    raise AssertionError(told)


def search(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found is not None, text
    return found.group(1)
