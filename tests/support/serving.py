"""The application served by uvicorn in a process of its own, on loopback."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.support.placement import REPOSITORY
from tests.support.working import redis_url

START_TIMEOUT_S = 60.0


@contextmanager
def serving() -> Iterator[str]:
    """Serve the application with this process' environment and return its URL."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        descriptor = listener.fileno()
        leash = [sys.executable, "-m", "tests.support.leash", str(descriptor)]
        server = ["uvicorn", "app.main:create_app", "--factory", "--fd", str(descriptor)]
        process = subprocess.Popen(
            [*leash, *server, "--no-access-log", "--no-proxy-headers"],
            cwd=REPOSITORY,
            env={**os.environ, "REDIS_URL": redis_url()},
            pass_fds=(descriptor,),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        _await_health(process, url)
        yield url
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)


def _await_health(process: subprocess.Popen[bytes], url: str) -> None:
    give_up_at = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < give_up_at:
        if process.poll() is not None:
            raise RuntimeError(f"the served application ended with status {process.returncode}")
        try:
            if httpx.get(f"{url}/health", timeout=5).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError(f"the served application did not answer at {url} within {START_TIMEOUT_S:.0f} s")
