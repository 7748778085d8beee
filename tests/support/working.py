"""Workers of the product itself, in processes of their own, and the steps a client takes to have them do something."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx

from tests.support.servers import REDIS_DATABASES

REPOSITORY = Path(__file__).resolve().parents[2]
NODES = Path(__file__).resolve().parent / "nodes"
QUICK_WORKER = "tests.support.quick_worker"
ENDED = {"success", "partial", "failed", "cancelled", "timeout"}
PATIENCE_S = 90.0
MEASURED = "gw0"
"""The test process whose workers' coverage is measured: every work-horse writes a file of it, at a high price."""


def redis_url() -> str:
    """Return the Redis database of the workers and the served application, apart from the one tests look into."""
    address, _, number = os.environ["REDIS_URL"].rpartition("=")
    return f"{address}={int(number) + REDIS_DATABASES}"


@contextmanager
def workers(count: int = 2, log: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a supervisor with some workers on this process' database and Redis; what they say goes to ``log``."""
    environment = {**os.environ, "WORKERS": str(count), "OPSCONDUCTOR_NODES_PATH": str(NODES)}
    environment |= {"REDIS_URL": redis_url(), "OUTBOUND_ALLOW": "127.0.0.0/8"}
    if os.environ.get("PYTEST_XDIST_WORKER", MEASURED) != MEASURED:
        environment = {name: value for name, value in environment.items() if not name.startswith("COVERAGE_")}
    with (log or Path(os.devnull)).open("ab") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", QUICK_WORKER], cwd=REPOSITORY, env=environment, stdout=said, stderr=said
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(60)


async def make_devices(admin: httpx.AsyncClient, names: Sequence[str], **more: Any) -> list[str]:
    """Create devices by the API and return their ids."""
    ids = []
    for name in names:
        body = {"name": name, "address": "127.0.0.1", "platform": "cisco_ios", **more}
        answer = await admin.post("/inventory/v1/devices", json=body)
        assert answer.status_code == 201, answer.text
        ids.append(answer.json()["data"]["id"])
    return ids


async def make_workflow(admin: httpx.AsyncClient, definition: dict[str, Any], name: str = "test") -> str:
    """Save a workflow and return its id."""
    answer = await admin.post("/automation/v1/workflows", json={"name": name, "definition": definition})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["data"]["id"])


async def start(
    admin: httpx.AsyncClient, definition: dict[str, Any], devices: Sequence[str] = (), **more: Any
) -> dict[str, Any]:
    """Save and start a workflow, and return the execution as it stands."""
    workflow_id = await make_workflow(admin, definition)
    body = {**({"targets": {"devices": list(devices)}} if devices else {}), **more}
    answer = await admin.post(f"/automation/v1/workflows/{workflow_id}/execute", json=body)
    assert answer.status_code in {200, 202}, answer.text
    return dict(answer.json()["data"])


async def ended(admin: httpx.AsyncClient, execution_id: str, *, patience_s: float = PATIENCE_S) -> dict[str, Any]:
    """Wait for the end of an execution and return it."""
    give_up_at = time.monotonic() + patience_s
    while True:
        execution = (await admin.get(f"/automation/v1/executions/{execution_id}")).json()["data"]
        if execution["status"] in ENDED:
            return dict(execution)
        assert time.monotonic() < give_up_at, f"still {execution['status']}: {execution}"
        await anyio.sleep(0.05)


async def stands(
    admin: httpx.AsyncClient, execution_id: str, status: str, *, patience_s: float = PATIENCE_S
) -> dict[str, Any]:
    """Wait until an execution stands so and return it."""
    give_up_at = time.monotonic() + patience_s
    while True:
        execution = (await admin.get(f"/automation/v1/executions/{execution_id}")).json()["data"]
        if execution["status"] == status:
            return dict(execution)
        assert execution["status"] not in ENDED, execution
        assert time.monotonic() < give_up_at, f"still {execution['status']}: {execution}"
        await anyio.sleep(0.05)


async def run(
    admin: httpx.AsyncClient, definition: dict[str, Any], devices: Sequence[str] = (), **more: Any
) -> dict[str, Any]:
    """Start a workflow and wait for its end."""
    return await ended(admin, (await start(admin, definition, devices, **more))["id"])


async def results(admin: httpx.AsyncClient, execution_id: str, **filters: str) -> list[dict[str, Any]]:
    """Return all results of an execution."""
    answer = await admin.get(f"/automation/v1/executions/{execution_id}/results", params={"limit": "500", **filters})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"])


def table(rows: Sequence[dict[str, Any]]) -> dict[tuple[str, str], str]:
    """Return each result's status by node and device (``-`` for once)."""
    return {(row["node_id"], row["device"]["name"] if row["device"] else "-"): row["status"] for row in rows}
