import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.core.embedded import erase_embedded, start_embedded
from tests.support.graphs import step, workflow
from tests.support.standing import PATIENCE_S, running_up, wait_for
from tests.support.working import ENDED, NODES

PASSWORD = "only-for-this-test-1"
DEVICES = [f"r{number}" for number in range(6)]
SLOW = workflow(
    step("a", "lab:read", default="sleep:3"),
    step("o", "lab:once", text="{{ nodes.a.succeeded | length }}"),
    step("b", "lab:read", default="sleep:1"),
    edges=("start -> a", "a -> o", "o -> b"),
)


def log_in(url: str) -> httpx.Client:
    login = {"username": "ann", "password": PASSWORD}
    token = httpx.post(f"{url}/identity/v1/auth/login", json=login).json()["data"]["access_token"]
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30)


def start(client: httpx.Client, definition: dict[str, Any]) -> str:
    for name in DEVICES:
        body = {"name": name, "address": "127.0.0.1", "platform": "cisco_ios"}
        assert client.post("/inventory/v1/devices", json=body).status_code == 201
    made = client.post("/automation/v1/workflows", json={"name": "slow", "definition": definition}).json()["data"]
    path = f"/automation/v1/workflows/{made['id']}/execute"
    return str(client.post(path, json={"targets": {"devices": DEVICES}}).json()["data"]["id"])


def state_of(client: httpx.Client, execution_id: str) -> dict[str, Any]:
    """Return an execution, or nothing while the service cannot answer."""
    try:
        answer = client.get(f"/automation/v1/executions/{execution_id}")
    except httpx.TransportError:
        return {"status": ""}
    return dict(answer.json()["data"]) if answer.status_code == 200 else {"status": ""}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="a killed server is noticed by /proc")
def test_killing_postgresql_and_redis_in_mid_run_loses_no_execution(services: object, tmp_path: Path) -> None:
    state, log = tmp_path / "state", tmp_path / "log"
    own = {"OPSCONDUCTOR_STATE_DIR": str(state), "SECRET_KEY": "", "CREDENTIAL_MASTER_KEY": "", "WORKERS": "2"}
    own |= {"PG_HOST": "", "PG_DATABASE": "", "REDIS_URL": "", "OPSCONDUCTOR_NODES_PATH": str(NODES)}
    with running_up(own, log) as (process, text):
        url = text.partition("runs at ")[2].partition(";")[0]
        make_admin(own)
        with start_embedded(state) as servers, log_in(url) as client:
            assert servers.postgres is not None
            assert servers.valkey is not None
            execution_id = start(client, SLOW)
            wait_for(lambda: state_of(client, execution_id)["status"] == "running")
            for pid in (servers.postgres.pid, servers.valkey.pid):
                assert pid is not None
                os.kill(pid, signal.SIGKILL)
            execution = wait_for(lambda: (found := state_of(client, execution_id))["status"] in ENDED and found)
            assert execution["status"] == "success", log.read_text()[-3000:]
            assert execution["counts"]["succeeded"] == len(DEVICES)
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)
    erase_embedded(state)


@pytest.mark.slow
def test_stopping_in_mid_change_loses_nothing_and_repeats_nothing(services: object, tmp_path: Path) -> None:
    state, log, journal = tmp_path / "state", tmp_path / "log", tmp_path / "journal"
    own = {"OPSCONDUCTOR_STATE_DIR": str(state), "SECRET_KEY": "", "CREDENTIAL_MASTER_KEY": "", "WORKERS": "2"}
    own |= {"PG_HOST": "", "PG_DATABASE": "", "REDIS_URL": "", "OPSCONDUCTOR_NODES_PATH": str(NODES)}
    changing = workflow(
        step("c", "lab:change", text="mtu", journal=str(journal), default="sleep:3"),
        step("o", "lab:once", text="{{ nodes.c.succeeded | length }}"),
        edges=("start -> c", "c -> o"),
    )
    with running_up(own, log) as (process, text):
        make_admin(own)
        with log_in(text.partition("runs at ")[2].partition(";")[0]) as client:
            execution_id = start(client, changing)
            wait_for(journal.exists)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    with running_up(own, log) as (process, text), log_in(text.partition("runs at ")[2].partition(";")[0]) as client:
        execution = wait_for(lambda: (found := state_of(client, execution_id))["status"] in ENDED and found)
        assert (execution["status"], execution["counts"]["succeeded"]) == ("success", len(DEVICES)), log.read_text()
        assert sorted(journal.read_text().splitlines()) == [f"{name} mtu" for name in DEVICES]
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)
    erase_embedded(state)


def make_admin(environment: dict[str, str]) -> None:
    subprocess.run(
        [sys.executable, "-m", "app.cli", "user", "create-admin", "--username", "ann"],
        env={**os.environ, **environment, "OPSCONDUCTOR_ADMIN_PASSWORD": PASSWORD},
        check=True,
    )
