import asyncio
import os
import subprocess
import sys
from pathlib import Path

import httpx

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = """
import sys
from nornir.core.task import Result, Task
from app.devices.source import nornir_from_database

def user(task: Task) -> Result:
    login, = task.host.logins("ssh")
    return Result(host=task.host, result=f"{login['username']}@{task.host.hostname}:{task.host.port}")

with nornir_from_database({"group": sys.argv[1]}, workers=2) as nr:
    for name, result in nr.run(task=user).items():
        print(name, result.result)
"""


async def run_script(group: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", SCRIPT, group],
        cwd=REPOSITORY,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )


async def test_a_plain_script_gets_hosts_and_logins_from_the_database(admin: httpx.AsyncClient) -> None:
    credential = await admin.post(
        "/credentials/v1/credentials",
        json={"name": "lab", "credential_type": "ssh", "data": {"username": "netops", "password": "p"}},
    )
    devices = [
        (
            await admin.post(
                "/inventory/v1/devices",
                json={
                    "name": name,
                    "address": "127.0.0.1",
                    "port": port,
                    "platform": "cisco_ios",
                    "credential_ids": [credential.json()["data"]["id"]],
                },
            )
        ).json()["data"]["id"]
        for name, port in (("r1", 2201), ("r2", 2202), ("r3", 2203))
    ]
    await admin.post("/inventory/v1/groups", json={"name": "core", "members": devices[:2]})
    done = await run_script("core")
    assert done.stdout.splitlines() == ["r1 netops@127.0.0.1:2201", "r2 netops@127.0.0.1:2202"], done.stderr


async def test_a_plain_script_is_told_which_targets_nobody_knows(database: None) -> None:
    done = await run_script("nobody")
    assert done.returncode == 1
    assert "targets.group: there is no group nobody" in done.stderr
