import os
import signal
from collections import Counter
from pathlib import Path

import anyio
import httpx
import psutil
import pytest
from redis import Redis

from app.automation.executions.engine.shard import MAX_ATTEMPTS
from app.core import database
from tests.support.graphs import step, workflow
from tests.support.working import ended, make_devices, make_workflow, redis_url, results, run, stands, start, table

pytestmark = pytest.mark.usefixtures("work")


def sent(journal: Path) -> Counter[str]:
    return Counter(line.split()[0] for line in journal.read_text().splitlines())


async def owner_of(execution_id: str) -> int:
    """Wait until a horse works on an execution and return its process id."""
    while True:
        rows = await database.fetch(
            "SELECT owner FROM shards WHERE execution = $1::uuid AND status = 'running'", execution_id
        )
        if rows:
            return int(rows[0]["owner"].rpartition(":")[2])
        await anyio.sleep(0.05)


async def let_the_lease_of_the_dead_end(execution_id: str) -> None:
    """Wait until a horse has died over an execution, and let the time pass that its lease would still run."""
    while True:
        rows = await database.fetch("SELECT attempt, owner FROM shards WHERE execution = $1::uuid", execution_id)
        if any(row["attempt"] > 1 for row in rows):
            return  # it has ended by itself
        if any(row["owner"] and is_dead(int(row["owner"].rpartition(":")[2])) for row in rows):
            break
        await anyio.sleep(0.05)
    past = "SET lease_until = now() - interval '1 s' WHERE execution = $1::uuid"
    await database.execute(f"UPDATE shards {past} AND status = 'running' AND attempt = 1", execution_id)
    await database.execute(f"UPDATE change_locks {past} AND shard_attempt = 1", execution_id)


def is_dead(pid: int) -> bool:
    """Say whether a process has ended."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


async def test_after_a_death_reads_run_again_and_changes_do_not(admin: httpx.AsyncClient, tmp_path: Path) -> None:
    names = ["r1", "r2", "r3"]
    await make_devices(admin, names)
    changes = tmp_path / "changes"
    definition = workflow(
        step("before", "lab:read"),
        step("c", "lab:change", text="mtu", journal=str(changes), hosts={"r2": f"kill-once:{tmp_path / 'mark'}"}),
        step("after", "lab:read"),
        edges=("start -> before", "before -> c", "c -> after"),
    )
    execution = await start(admin, definition, names)
    await let_the_lease_of_the_dead_end(execution["id"])
    execution = await ended(admin, execution["id"])
    statuses = table(await results(admin, execution["id"]))
    assert statuses["c", "r2"] == "unknown"
    assert statuses["after", "r2"] == "skipped"
    assert sent(changes)["r2"] == 1
    assert all(count == 1 for count in sent(changes).values())
    for name in ("r1", "r3"):
        assert statuses["c", name] == (
            "success" if name in sent(changes) and statuses["after", name] == "success" else "unknown"
        )
    (unknown,) = await results(admin, execution["id"], node="c", device="r2")
    assert unknown["error"]["class"] == "worker_lost"
    assert unknown["outputs"]["lines"] == ["mtu"]
    assert execution["status"] in {"partial", "failed"}


async def test_what_kills_its_worker_again_and_again_fails_in_the_end(admin: httpx.AsyncClient) -> None:
    await make_devices(admin, ["r1"])
    slow = workflow(step("a", "lab:read", default="sleep:300"), edges=("start -> a",))
    execution = await start(admin, slow, ["r1"])
    horse = await owner_of(execution["id"])
    await database.execute(
        "UPDATE shards SET attempt = $2, lease_until = now() - interval '1 s' WHERE execution = $1::uuid",
        execution["id"],
        MAX_ATTEMPTS,
    )
    os.kill(horse, signal.SIGKILL)
    execution = await ended(admin, execution["id"])
    (result,) = await results(admin, execution["id"], node="a")
    assert (execution["status"], result["error"]["class"]) == ("failed", "worker_lost")


async def test_a_worker_killed_in_mid_run_is_replaced_and_the_execution_ends(admin: httpx.AsyncClient) -> None:
    await make_devices(admin, ["r1"])
    definition = workflow(step("a", "lab:read", default="sleep:2"), edges=("start -> a",))
    execution = await start(admin, definition, ["r1"])
    horse = psutil.Process(await owner_of(execution["id"]))
    worker = horse.parent()
    assert worker is not None
    worker.kill()
    horse.wait(5)
    execution = await ended(admin, execution["id"], patience_s=60)
    assert execution["status"] == "success"


async def test_a_redis_that_forgot_everything_loses_no_execution(admin: httpx.AsyncClient, redis: Redis) -> None:
    await make_devices(admin, ["r1"])
    definition = workflow(
        step("o", "lab:once", default="sleep:1"), step("a", "lab:read"), edges=("start -> o", "o -> a")
    )
    executions = []
    for number in range(4):
        body = {"name": f"w{number}", "definition": definition}
        workflow_id = (await admin.post("/automation/v1/workflows", json=body)).json()["data"]["id"]
        answer = await admin.post(
            f"/automation/v1/workflows/{workflow_id}/execute", json={"targets": {"devices": ["r1"]}}
        )
        executions.append(answer.json()["data"]["id"])
    redis.flushall()
    assert [(await ended(admin, one))["status"] for one in executions] == ["success"] * 4


async def test_cancelling_stops_what_runs_and_drops_what_waits(admin: httpx.AsyncClient) -> None:
    names = [f"r{number}" for number in range(3)]
    await make_devices(admin, names)
    definition = workflow(
        step("a", "lab:read", hosts={"r1": "sleep:300", "r2": "sleep:300"}),
        step("b", "lab:read"),
        step("o", "lab:once"),
        edges=("start -> a", "a -> b", "b -> o"),
    )
    execution = await start(admin, definition, names)
    await owner_of(execution["id"])
    await anyio.sleep(0.5)
    answer = await admin.post(f"/automation/v1/executions/{execution['id']}/cancel")
    assert answer.status_code == 202
    execution = await ended(admin, execution["id"], patience_s=10)
    assert execution["status"] == "cancelled"
    statuses = table(await results(admin, execution["id"]))
    assert statuses["a", "r1"] == statuses["a", "r2"] == "cancelled"
    assert ("o", "-") not in statuses
    assert execution["counts"] == {
        "devices": 3, "succeeded": 1, "failed": 0, "skipped": 0, "unknown": 0, "cancelled": 2,
    }  # fmt: skip
    nodes = {node["node_id"]: node["counts"]["cancelled"] for node in execution["nodes"]}
    assert nodes == {"start": 0, "a": 2, "b": 2, "o": 1}
    again = await admin.post(f"/automation/v1/executions/{execution['id']}/cancel")
    assert again.status_code == 202


async def test_cancelling_ends_even_a_node_that_does_not_listen(admin: httpx.AsyncClient, tmp_path: Path) -> None:
    await make_devices(admin, ["r1", "r2"])
    definition = workflow(
        step("c", "lab:change", text="x", journal=str(tmp_path / "sent"), hosts={"r1": "hang:300"}),
        edges=("start -> c",),
    )
    execution = await start(admin, definition, ["r1", "r2"])
    while not (tmp_path / "sent").exists():
        await anyio.sleep(0.05)
    await anyio.sleep(0.5)
    await admin.post(f"/automation/v1/executions/{execution['id']}/cancel")
    execution = await ended(admin, execution["id"], patience_s=15)
    statuses = table(await results(admin, execution["id"], node="c"))
    assert statuses == {("c", "r1"): "unknown", ("c", "r2"): "success"}
    assert (execution["counts"]["unknown"], execution["counts"]["succeeded"]) == (1, 1)
    assert sum(execution["nodes"][1]["counts"].values()) == 2
    assert not await database.fetch("SELECT 1 FROM shards WHERE status IN ('queued', 'running')")


async def test_what_breaks_off_however_often_it_is_tried_ends_its_execution(admin: httpx.AsyncClient) -> None:
    definition = workflow(step("w", "flow:delay", delay_seconds=600), edges=("start -> w",))
    execution = await start(admin, definition)
    await stands(admin, execution["id"], "waiting")
    unknown = """jsonb_set(definition, '{nodes,1,data,nodeType}', '"lab:withdrawn"')"""
    await database.execute(f"UPDATE executions SET definition = {unknown} WHERE id = $1::uuid", execution["id"])
    await database.execute("UPDATE parkings SET due_at = now() WHERE execution = $1::uuid", execution["id"])
    execution = await ended(admin, execution["id"])
    assert (execution["status"], execution["stop_reason"], execution["error"]["class"]) == (
        "failed", "broken", "internal",
    )  # fmt: skip


async def test_an_error_with_a_nul_in_it_is_recorded(admin: httpx.AsyncClient) -> None:
    behaviour = "{{ 'raise:a\\x00b' }}"
    execution = await run(admin, workflow(step("o", "lab:once", default=behaviour), edges=("start -> o",)))
    assert (execution["status"], execution["error"]["message"]) == ("failed", "ZeroDivisionError: a\ufffdb")


async def test_a_worker_killed_after_its_hosts_were_parked_leaves_them_to_others(admin: httpx.AsyncClient) -> None:
    names = ["r1", "r2"]
    await make_devices(admin, names)
    definition = workflow(
        step("w", "logic:wait", seconds="{{ 2 if host.name == 'r1' else 0 }}", options={"scope": "device"}),
        step("a", "lab:read", hosts={"r2": "sleep:3"}),
        step("z", "lab:once", text="{{ nodes.a.succeeded | sort | join(' ') }}"),
        edges=("start -> w", "w -> a", "a -> z"),
    )
    execution = await start(admin, definition, names)
    while not await database.fetch("SELECT 1 FROM parkings WHERE status = 'parked'"):
        await anyio.sleep(0.05)
    os.kill(await owner_of(execution["id"]), signal.SIGKILL)
    await let_the_lease_of_the_dead_end(execution["id"])
    execution = await ended(admin, execution["id"])
    rows = await results(admin, execution["id"])
    assert (execution["status"], len(rows)) == ("success", 6)
    assert next(row for row in rows if row["node_id"] == "z")["outputs"]["text"] == "r1 r2"


async def test_a_worker_killed_in_a_round_repeats_no_change_of_it(admin: httpx.AsyncClient, tmp_path: Path) -> None:
    await make_devices(admin, ["r1"])
    journal = tmp_path / "journal"
    definition = workflow(
        step("l", "logic:loop", items_expression="{{ [0, 1, 2] }}"),
        step("c", "lab:change", text="c{{ item }}", journal=str(journal)),
        step("d", "lab:read", default=f"{{{{ 'kill-once:{tmp_path}/mark' if item == 1 else 'ok' }}}}"),
        step("between", "lab:read", default="sleep:0.3"),
        edges=("start -> l", "l.each -> c", "c -> between", "between -> d"),
    )
    execution = await start(admin, definition, ["r1"])
    await let_the_lease_of_the_dead_end(execution["id"])
    execution = await ended(admin, execution["id"])
    assert execution["status"] == "success", execution["error"]
    assert journal.read_text() == "r1 c0\nr1 c1\nr1 c2\n"
    rows = await results(admin, execution["id"], node="d")
    assert sorted((row["iteration"], row["status"]) for row in rows) == [(f"l:{n}", "success") for n in range(3)]


async def test_a_redis_that_forgets_everything_wakes_what_is_parked(admin: httpx.AsyncClient) -> None:
    await make_workflow(admin, workflow(step("w", "flow:delay", delay_seconds=2), edges=("start -> w",)), "inner")
    definition = workflow(
        step("call", "flow:subworkflow", workflow="inner"), step("z", "lab:once"), edges=("start -> call", "call -> z")
    )
    execution = await start(admin, definition)
    await stands(admin, execution["id"], "waiting")
    with Redis.from_url(redis_url()) as theirs:
        theirs.flushdb()
    assert (await ended(admin, execution["id"]))["status"] == "success"


async def test_an_ended_execution_cannot_be_cancelled(admin: httpx.AsyncClient) -> None:
    execution = await run(admin, workflow())
    answer = await admin.post(f"/automation/v1/executions/{execution['id']}/cancel")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "EXECUTION_ENDED")


async def test_changes_of_one_device_never_overlap(admin: httpx.AsyncClient, tmp_path: Path) -> None:
    await make_devices(admin, ["r1"])
    alone = step("c", "lab:change", text="x", default=f"crowd:1:{tmp_path}/inside")
    first = await start(admin, workflow(alone, edges=("start -> c",)), ["r1"])
    path, body = f"/automation/v1/workflows/{first['workflow_id']}/execute", {"targets": {"devices": ["r1"]}}
    others = [(await admin.post(path, json=body)).json()["data"] for _ in range(4)]
    assert {(await ended(admin, one["id"]))["status"] for one in (first, *others)} == {"success"}
    assert not await database.fetch("SELECT 1 FROM change_locks")
