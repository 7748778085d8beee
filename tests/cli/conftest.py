"""Fixtures of the command line's tests: commands called in this process, and a logged-in caller of a served API."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli.entry import main
from app.core.access import PERMISSIONS
from app.core.embedded import EmbeddedServices
from app.core.queue import connect
from app.identity.attempts import PREFIX
from tests.support import callers, working

Call = Callable[..., Result]
Shell = Callable[..., subprocess.CompletedProcess[str]]
PATIENCE_S = 90


@pytest.fixture
def config_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep logins in a folder of this test."""
    home = tmp_path / "config"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    return home


@pytest.fixture
def call(config_home: Path) -> Call:
    """Return a function that calls the command line as a shell would."""

    def run(*words: str, stdin: str = "", **environment: str) -> Result:
        return CliRunner().invoke(
            main, list(words), input=stdin, env=environment, catch_exceptions=False, prog_name="opsconductor"
        )

    return run


@pytest.fixture
async def admin_token(database: None) -> str:
    """Return the access token of somebody who may do everything."""
    user_id = await callers.make_user("admin", PERMISSIONS)
    return (await callers.log_in(user_id)).access_token


@pytest.fixture
def served(call: Call, server_url: str, admin_token: str) -> Call:
    """Return a function that calls the command line against a served API, as somebody who may do everything."""

    def run(*words: str, stdin: str = "") -> Result:
        return call(*words, stdin=stdin, OPSCONDUCTOR_URL=server_url, OPSCONDUCTOR_TOKEN=admin_token)

    return run


@pytest.fixture
def shell(services: EmbeddedServices, config_home: Path) -> Shell:
    """Return a function that runs the command line in a process of its own, on this process' database and Redis."""

    def run(*words: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "app.cli", *words],
            input=stdin,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    return run


@pytest.fixture
def bounded() -> Iterator[None]:
    """Break off a test that waits for what does not come."""

    def give_up(*_: object) -> None:
        raise TimeoutError(f"nothing came within {PATIENCE_S} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(PATIENCE_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def _no_logins_counted(services: EmbeddedServices) -> None:
    """Forget how many logins other tests have tried at the served application."""
    with connect(working.redis_url()) as redis:
        for key in redis.scan_iter(f"{PREFIX}*"):
            redis.delete(key)


@pytest.fixture(scope="session")
def work(services: EmbeddedServices) -> Iterator[None]:
    """Run two workers for all tests of this process."""
    with working.workers(2):
        yield
