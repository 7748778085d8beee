"""The README's walk, run as a reader would: services in terminals of their own, the rest line by line in bash."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from app.core.embedded import erase_embedded
from tests.support.pages import REPOSITORY, Block, blocks, read, section

WALK = "## A first workflow by hand"
STARTED_WITHIN_S = 90.0
ENDED_WITHIN_S = 60.0
STRICT = "set -o pipefail\ntrap 'echo \"this line failed: $BASH_COMMAND\" >&2; exit 1' ERR\n"
BACKUP = "".join(block.text for block in blocks(section(read("docs/operate.md"), "## Backup"), "bash"))
BACKUP += "pg_restore --list opsconductor.dump\n"
UNSET = (
    "DATABASE_URL", "PG_HOST", "REDIS_URL", "REDIS_HOST", "SECRET_KEY", "CREDENTIAL_MASTER_KEY",
    "OPSCONDUCTOR_NODES_PATH", "OPSCONDUCTOR_TOKEN",
)  # fmt: skip
PORTS = ("22001", "22002", "22003")


@pytest.fixture
def surroundings(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Return the environment of a reader who has just installed the product, on ports that are free."""
    programs = tmp_path / "bin"
    programs.mkdir()
    command = programs / "opsconductor"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m app.cli "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    state, port = tmp_path / "state", free_ports(1)[0]
    yield {
        **os.environ,
        **dict.fromkeys(UNSET, ""),
        "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
        "HOME": str(tmp_path),
        "OPSCONDUCTOR_STATE_DIR": str(state),
        "OPSCONDUCTOR_URL": f"http://127.0.0.1:{port}",
        "API_PORT": str(port),
        "WORKERS": "2",
        "LOG_LEVEL": "WARNING",
    }
    if state.exists():
        erase_embedded(state)


def test_the_walk_works_pasted_line_by_line_and_can_be_backed_up(surroundings: dict[str, str], tmp_path: Path) -> None:
    found = blocks(section(read("README.md"), WALK))
    adapt = adapter(tmp_path)
    _, service, network = (adapt(block.text) for block in before_the_walk(found))
    script = STRICT + "".join(adapt(block.text) for block in found if block.language == "bash") + BACKUP
    with ExitStack() as terminals:
        listening = terminals.enter_context(terminal(network, surroundings, tmp_path / "network.log"))
        running = terminals.enter_context(terminal(service, surroundings, tmp_path / "service.log"))
        wait_until(listening, tmp_path / "network.log", lambda: "READY" in text_of(tmp_path / "network.log"))
        wait_until(running, tmp_path / "service.log", lambda: answers(f"{surroundings['OPSCONDUCTOR_URL']}/ready"))
        walked = subprocess.run(
            ["bash"],
            input=script,
            env=surroundings,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=ENDED_WITHIN_S,
            check=False,
        )
    assert walked.returncode == 0, f"{walked.stderr}\n{walked.stdout}\n{text_of(tmp_path / 'service.log')}"
    assert "event: execution.finished" in walked.stdout
    assert "\npartial\nsw1 success \nsw2 success \nsw3 failed tcp_refused\n" in walked.stdout
    assert "sw2 runs 15.2(4)E7, upgrade it" in walked.stdout.rpartition("tcp_refused\n")[2]
    assert "TABLE DATA public credentials" in walked.stdout
    assert "CREDENTIAL_MASTER_KEY=" in text_of(tmp_path / "opsconductor-keys.env")


def test_the_walk_survives_being_pasted_into_an_interactive_bash() -> None:
    for block in blocks(section(read("README.md"), WALK), "bash", "sh"):
        assert "\t" not in block.text, "a tab completes file names"
        assert "!" not in block.text, "an exclamation mark brings back an earlier command"


def test_the_walk_uses_only_curl_and_python_beside_the_product() -> None:
    script = "".join(block.text for block in blocks(section(read("README.md"), WALK), "bash"))
    piped = set(re.findall(r"\| (\w+)", script)) - {"join"}
    assert piped == {"field", "python3"}
    assert "jq" not in script


def test_the_readme_is_short() -> None:
    assert len(read("README.md").splitlines()) < 200


def test_every_terminal_finds_the_installation_and_the_data_of_make_run() -> None:
    preparation, service, _ = before_the_walk(blocks(section(read("README.md"), WALK)))
    makefile = read("Makefile")
    assert preparation.text == ". .venv/bin/activate\nexport OPSCONDUCTOR_STATE_DIR=$PWD/.state\n"
    assert service.text == "make run\n"
    assert "STATE ?= $(CURDIR)/.state\n" in makefile
    assert re.search(r'^run:.*\n\t@OPSCONDUCTOR_STATE_DIR="\$\(STATE\)" \S*opsconductor up$', makefile, re.MULTILINE)


def before_the_walk(found: list[Block]) -> list[Block]:
    """Return the blocks for the terminals: what prepares each, and what keeps two of them busy."""
    languages = [block.language for block in found]
    return found[: languages.index("bash")]


def adapter(folder: Path) -> Callable[[str], str]:
    """Return what makes a reader's lines fit for a test: free ports, a folder of its own, no installation."""
    ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))

    def adapt(text: str) -> str:
        for written, free in ports.items():
            text = text.replace(written, free)
        return re.sub(r"\B/tmp(?=/)", str(folder), text).replace("make run", "opsconductor up")

    return adapt


@contextmanager
def terminal(lines: str, environ: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run lines in a bash of their own, as a terminal does, and interrupt them at the end."""
    with log.open("wb") as said:
        process = subprocess.Popen(
            ["bash", "-c", lines], env=environ, stdin=subprocess.DEVNULL, stdout=said, stderr=said, process_group=0
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        process.wait(ENDED_WITHIN_S)


def wait_until(process: subprocess.Popen[bytes], log: Path, reached: Callable[[], bool]) -> None:
    """Wait until a terminal's process has come to a point; fail with what it said when it does not."""
    give_up_at = time.monotonic() + STARTED_WITHIN_S
    while not reached():
        assert process.poll() is None, f"it ended with status {process.returncode}:\n{text_of(log)}"
        assert time.monotonic() < give_up_at, f"it did not get ready:\n{text_of(log)}"
        time.sleep(0.1)


def answers(url: str) -> bool:
    """Say whether an address answers well."""
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


def text_of(path: Path) -> str:
    """Return what is in a file so far."""
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that nobody uses just now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
