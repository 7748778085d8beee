"""The product as `opsconductor up` runs it, for one bench: its own servers, API and workers, and an administrator."""

import contextlib
import os
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import psutil

from app.cli import stack as product
from app.cli.children import own_command
from app.cli.ports import listen
from app.cli.signals import StopSignals
from app.cli.stack import StackPlan
from app.core.embedded import erase_embedded
from app.core.settings import PostgresSettings
from tests.support import environment
from tests.support.placement import REPOSITORY

WORKERS = max(2, 2 * (os.cpu_count() or 1))
NODES = Path(__file__).resolve().parent / "nodes"
LOGS = REPOSITORY / "build"
HOST = "127.0.0.1"
ADMIN = "bench"
PAGE = 500
LOOK_EVERY_S = 0.25
WAIT_S = 120
"""How long an execution may take."""


@dataclass(frozen=True)
class Stack:
    """A running product, spoken to by HTTP as its administrator."""

    client: httpx.Client
    api: psutil.Process
    workers: psutil.Process
    redis_url: str
    postgres: PostgresSettings

    def post(self, path: str, body: Mapping[str, Any], **query: Any) -> Any:
        """Send something and return the envelope's ``data``."""
        return _answered(self.client.post(path, json=body, params=query))

    def get(self, path: str, **query: Any) -> Any:
        """Read something and return the envelope's ``data``."""
        return _answered(self.client.get(path, params=query))

    def add_devices(self, devices: Sequence[Mapping[str, Any]]) -> None:
        """Put devices into the inventory, all or none."""
        self.post("/inventory/v1/devices/bulk", {"devices": devices, "mode": "create", "atomic": True})

    def add_workflow(self, name: str, definition: Mapping[str, Any], **settings: Any) -> str:
        """Save a workflow and return its id."""
        body = {"name": name, "definition": definition, "settings": settings}
        return str(self.post("/automation/v1/workflows", body)["id"])

    def pages(self, path: str, **query: str | int) -> list[dict[str, Any]]:
        """Read a list to its last page."""
        asked, rows = {"limit": PAGE, **query}, list[dict[str, Any]]()
        while True:
            answer = self.client.get(path, params=asked)
            rows += _answered(answer)
            cursor = answer.json()["meta"]["next_cursor"]
            if cursor is None:
                return rows
            asked["cursor"] = cursor

    def count(self, path: str, **query: str | int) -> int:
        """Return how many entries a list has."""
        answer = self.client.get(path, params={"limit": 1, **query})
        _answered(answer)
        return int(answer.json()["meta"]["total"])

    def results(self, execution_id: str, node: str) -> list[dict[str, Any]]:
        """Return all results of a node in an execution."""
        return self.pages(f"/automation/v1/executions/{execution_id}/results", node=node)

    def start(self, workflow_id: str, devices: Sequence[str] = (), wait_s: int = 0) -> dict[str, Any]:
        """Start a workflow on devices named, or on none, and return the execution as it is after a while."""
        body = {"targets": {"devices": list(devices)}} if devices else {}
        started: dict[str, Any] = self.post(f"/automation/v1/workflows/{workflow_id}/execute", body, wait=wait_s)
        return started

    def execute(self, workflow_id: str, devices: Sequence[str] = (), end: str = "success") -> dict[str, Any]:
        """Run a workflow to its end and return the execution; raises unless it ends as expected."""
        execution = self.start(workflow_id, devices, WAIT_S)
        if execution["status"] != end:
            raise RuntimeError(
                f"The execution is {execution['status']} after {WAIT_S} s or less: {execution['error']}. "
                f"{LOGS / 'worker.log'} may say why."
            )
        return execution

    def wait_for_end(self, execution_id: str, patience_s: float) -> dict[str, Any]:
        """Look at an execution until it has ended, and return it; raises when it takes too long."""
        give_up_at = time.monotonic() + patience_s
        while True:
            execution: dict[str, Any] = self.get(f"/automation/v1/executions/{execution_id}")
            if execution["finished_at"] is not None:
                return execution
            if time.monotonic() > give_up_at:
                raise RuntimeError(f"The execution is still {execution['status']} after {patience_s:.0f} s.")
            time.sleep(LOOK_EVERY_S)

    def seconds(self, workflow_id: str, devices: Sequence[str] = ()) -> float:
        """Run a workflow to its end and return how long that took, as its caller sees it."""
        begin = time.perf_counter()
        self.execute(workflow_id, devices)
        return time.perf_counter() - begin

    def log_in(self, username: str, password: str) -> "Stack":
        """Return the same product, spoken to by somebody else."""
        login = {"username": username, "password": password}
        token = _answered(self.client.post("/identity/v1/auth/login", json=login))["access_token"]
        client = httpx.Client(base_url=self.client.base_url, trust_env=False, timeout=self.client.timeout)
        client.headers["Authorization"] = f"Bearer {token}"
        return replace(self, client=client)

    def worker_family(self) -> list[psutil.Process]:
        """Return the workers' supervisor with all it forked."""
        return [self.workers, *self.workers.children(recursive=True)]

    def worker_mb(self) -> float:
        """Return the memory of all workers, what they share counted once."""
        held = 0
        for process in self.worker_family():
            with contextlib.suppress(psutil.NoSuchProcess):
                held += process.memory_full_info().pss
        return held / 2**20

    def worker_cpu_s(self) -> float:
        """Return the CPU time that the workers have used so far, with all they forked, in seconds."""
        while self.workers.is_running():
            with contextlib.suppress(psutil.NoSuchProcess):  # one ended while being counted: its parent has its time
                return sum(sum(process.cpu_times()[:4]) for process in self.worker_family())
        raise RuntimeError(f"The workers have ended. {LOGS / 'worker.log'} may say why.")

    def idle_rate(self, seconds: float) -> float:
        """Return the CPU seconds that idle workers use per second."""
        before, begin = self.worker_cpu_s(), time.monotonic()
        time.sleep(seconds)
        return (self.worker_cpu_s() - before) / (time.monotonic() - begin)


@contextmanager
def running(workers: int = WORKERS, logs: Path = LOGS, more: Mapping[str, str] = {}) -> Iterator[Stack]:
    """Run the product with some workers on an empty database, and leave nothing behind but its logs in build/."""
    password = secrets.token_urlsafe()
    logs.mkdir(exist_ok=True)
    for log in (logs / "api.log", logs / "worker.log"):
        log.unlink(missing_ok=True)
    with ExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="opsconductor-bench-")))
        stack.callback(erase_embedded, state)
        plan = StackPlan(
            environ={**apart(state, workers), **more},
            log_folder=logs,
            first_command=("user", "create-admin", "--username", ADMIN),
            first_environ={"OPSCONDUCTOR_ADMIN_PASSWORD": password},
        )
        signals = stack.enter_context(StopSignals())
        started = stack.enter_context(product.Stack(plan, signals))
        signals.interrupting = True  # a bench does not watch for signals, so they are to interrupt it
        client = stack.enter_context(httpx.Client(base_url=started.url, trust_env=False, timeout=WAIT_S + 30))
        login = _answered(client.post("/identity/v1/auth/login", json={"username": ADMIN, "password": password}))
        client.headers["Authorization"] = f"Bearer {login['access_token']}"
        settings = started.settings
        yield Stack(client, _child("api"), _child("worker"), settings.require_redis(), settings.require_postgres())


def apart(state: Path, workers: int) -> dict[str, str]:
    """Return an environment that has nothing to do with the caller's own installation, and a port nobody has."""
    with listen(HOST, 0) as listener:
        port = listener.getsockname()[1]
    return {
        **os.environ,
        **dict.fromkeys((*environment.SILENCED, "SECRET_KEY", "CREDENTIAL_MASTER_KEY"), ""),
        "OPSCONDUCTOR_STATE_DIR": str(state),
        "OPSCONDUCTOR_NODES_PATH": str(NODES),
        "API_HOST": HOST,
        "API_PORT": str(port),
        "LOG_LEVEL": "WARNING",
        "WORKERS": str(workers),
    }


def _child(name: str) -> psutil.Process:
    """Find the process of a part of the product among those that this one started, the last of them."""
    command = own_command(name)[1:]
    found = (child for child in psutil.Process().children() if child.cmdline()[1:] == command)
    return max(found, key=lambda child: child.create_time())


def _answered(answer: httpx.Response) -> Any:
    if not answer.is_success:
        raise RuntimeError(f"{answer.request.method} {answer.url} was answered {answer.status_code}: {answer.text}")
    return answer.json()["data"]
