"""The product as it is deployed, for one bench: its own servers, a served API, workers, and an administrator."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from app.core import database, migrations
from app.core.access import PERMISSIONS
from app.core.embedded import EmbeddedServices, erase_embedded, start_embedded
from tests.support import callers, environment, serving
from tests.support.placement import DATA_ROOT, REPOSITORY

WORKERS = max(2, 2 * (os.cpu_count() or 1))
NODES = Path(__file__).resolve().parent / "nodes"
LOG = REPOSITORY / "build" / "bench-workers.log"
WAIT_S = 120
STOP_TIMEOUT_S = 60.0
DATABASE = "opsconductor"


@dataclass(frozen=True)
class Stack:
    """A running product, spoken to by HTTP as its administrator."""

    client: httpx.Client
    supervisor: psutil.Process
    redis_url: str

    def post(self, path: str, body: Mapping[str, Any], **query: Any) -> Any:
        """Send something and return the envelope's ``data``."""
        return _answered(self.client.post(path, json=body, params=query))

    def get(self, path: str, **query: Any) -> Any:
        """Read something and return the envelope's ``data``."""
        return _answered(self.client.get(path, params=query))

    def add_devices(self, devices: Sequence[Mapping[str, Any]]) -> None:
        """Put devices into the inventory."""
        told = self.post("/inventory/v1/devices/bulk", {"devices": devices, "mode": "create", "atomic": True})
        if told["created"] != len(devices):
            raise RuntimeError(f"{told['created']} of {len(devices)} devices were created: {told['errors'][:3]}")

    def add_workflow(self, name: str, definition: Mapping[str, Any]) -> str:
        """Save a workflow and return its id."""
        return str(self.post("/automation/v1/workflows", {"name": name, "definition": definition})["id"])

    def execute(self, workflow_id: str, devices: Sequence[str]) -> dict[str, Any]:
        """Run a workflow to its end on devices named, and return the execution; raises unless all succeeded."""
        body = {"targets": {"devices": list(devices)}}
        execution: dict[str, Any] = self.post(f"/automation/v1/workflows/{workflow_id}/execute", body, wait=WAIT_S)
        if execution["status"] != "success":
            raise RuntimeError(f"the execution ended {execution['status']}: {execution['counts']}; see {LOG}")
        return execution

    def worker_cpu_s(self) -> float:
        """Return the CPU time that the workers have used so far, with all they forked, in seconds."""
        while True:
            with contextlib.suppress(psutil.NoSuchProcess):
                family = [self.supervisor, *self.supervisor.children(recursive=True)]
                return sum(sum(process.cpu_times()[:4]) for process in family)


@contextmanager
def running(workers: int = WORKERS) -> Iterator[Stack]:
    """Run the product with some workers on an empty database, and leave nothing behind but the workers' log."""
    environment.isolate()
    os.environ.update(WORKERS=str(workers), OPSCONDUCTOR_NODES_PATH=str(NODES))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="opsconductor-bench-")))
        services = stack.enter_context(_servers(folder))
        redis_url = _point_to(services, folder)
        token = asyncio.run(_prepare())
        url = stack.enter_context(serving.serving())
        supervisor = stack.enter_context(_supervisor())
        headers = {"Authorization": f"Bearer {token}"}
        client = stack.enter_context(httpx.Client(base_url=url, headers=headers, timeout=WAIT_S + 30))
        yield Stack(client, supervisor, redis_url)


def idle_rate(stack: Stack, seconds: float) -> float:
    """Return the CPU seconds that idle workers use per second."""
    before, begin = stack.worker_cpu_s(), time.monotonic()
    time.sleep(seconds)
    return (stack.worker_cpu_s() - before) / (time.monotonic() - begin)


@contextmanager
def _servers(folder: Path) -> Iterator[EmbeddedServices]:
    """Run PostgreSQL and Valkey with the settings that the product gives them."""
    services = start_embedded(folder, database=DATABASE, data_root=DATA_ROOT)
    try:
        yield services
    finally:
        services.stop()
        erase_embedded(folder)


def _point_to(services: EmbeddedServices, folder: Path) -> str:
    if services.postgres is None or services.valkey is None:
        raise RuntimeError("start_embedded brought no PostgreSQL or no Valkey, though both were asked for.")
    address, redis_url = services.postgres.address, services.valkey.url
    environment.point_to(address, database=DATABASE, redis_url=redis_url, state_dir=str(folder))
    database.engine().config.update(host=address.host, port=address.port, password=address.password)
    return redis_url


async def _prepare() -> str:
    """Migrate the database, make an administrator, and return his token."""
    await migrations.migrate()
    await database.open_pool()
    try:
        tokens = await callers.log_in(await callers.make_user("bench", PERMISSIONS))
    finally:
        await database.close_pool()
    return tokens.access_token


@contextmanager
def _supervisor() -> Iterator[psutil.Process]:
    LOG.parent.mkdir(exist_ok=True)
    with LOG.open("wb") as log:
        process = subprocess.Popen([sys.executable, "worker.py"], cwd=REPOSITORY, stdout=log, stderr=log)
        try:
            yield psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_TIMEOUT_S)


def _answered(answer: httpx.Response) -> Any:
    if not answer.is_success:
        raise RuntimeError(f"{answer.request.method} {answer.url} was answered {answer.status_code}: {answer.text}")
    return answer.json()["data"]
