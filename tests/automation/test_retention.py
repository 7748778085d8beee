from datetime import timedelta
from uuid import UUID, uuid4

import anyio
import httpx
import pytest

from app.automation.executions import outputs, retention
from app.automation.executions.retention import GRACE_MIN, Retention
from app.core import database
from tests.support.graphs import step, workflow
from tests.support.recording import add_execution, add_result, age_blobs, count
from tests.support.working import make_devices, run

OLDER = timedelta(minutes=GRACE_MIN + 1)
LARGE = {"text": "x" * (outputs.INLINE_BYTES + 1)}
WITHOUT_REFERENCE = {"change_locks"}
"""Tables that name an execution without referring to it, which `erase` empties by itself."""


async def kept() -> set[str]:
    return {row["workflow_name"] for row in await database.fetch("SELECT workflow_name FROM executions")}


async def tables_with_an_execution() -> set[str]:
    rows = await database.fetch(
        "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'execution'"
    )
    return {row["table_name"] for row in rows}


@pytest.mark.usefixtures("database")
async def test_without_limits_nothing_is_deleted() -> None:
    await add_execution(age_days=5000)
    assert (await retention.sweep(Retention())).executions == 0
    assert await count("executions") == 1


@pytest.mark.usefixtures("database")
async def test_what_ended_too_long_ago_is_deleted_and_what_runs_stays() -> None:
    await add_execution("old", age_days=31)
    await add_execution("young", age_days=29)
    await add_execution("endless", age_days=400, status="running")
    done = await retention.sweep(Retention(days=30))
    assert (done.executions, await kept()) == (1, {"young", "endless"})


@pytest.mark.usefixtures("database")
async def test_of_each_workflow_the_newest_are_kept() -> None:
    first, second = uuid4(), uuid4()
    for age in range(4):
        await add_execution(f"first {age}", age_days=age, workflow_id=first)
        await add_execution(f"second {age}", age_days=age, workflow_id=second)
    await add_execution("first running", age_days=9, workflow_id=first, status="running")
    await add_execution("of no workflow", age_days=9)
    done = await retention.sweep(Retention(count=2))
    assert done.executions == 4
    assert await kept() == {"first 0", "first 1", "second 0", "second 1", "first running", "of no workflow"}


@pytest.mark.usefixtures("database")
async def test_more_than_a_batch_is_deleted_in_one_run() -> None:
    for _ in range(retention.BATCH + 5):
        await add_execution(age_days=2)
    assert (await retention.sweep(Retention(days=1))).executions == retention.BATCH + 5
    assert await count("executions") == 0


@pytest.mark.usefixtures("database")
async def test_everything_that_names_an_execution_goes_with_it() -> None:
    referring = await database.fetch(
        "SELECT conrelid::regclass::text AS name FROM pg_constraint "
        "WHERE confrelid = 'executions'::regclass AND contype = 'f' AND confdeltype = 'c'"
    )
    assert {row["name"] for row in referring} | WITHOUT_REFERENCE == await tables_with_an_execution()


@pytest.mark.usefixtures("work")
async def test_a_deleted_execution_leaves_no_row_anywhere(admin: httpx.AsyncClient) -> None:
    await make_devices(admin, ["r1"])
    definition = workflow(step("a", "lab:read"), step("b", "lab:change", text="x"), edges=("start -> a", "a -> b"))
    execution = await run(admin, definition, ["r1"])
    assert execution["status"] == "success"
    execution_id = UUID(execution["id"])
    neighbour = await add_execution()
    await add_result(neighbour)
    await database.execute(
        "INSERT INTO change_locks (host_key, execution, shard, shard_attempt, lease_until) "
        "VALUES ('r1', $1, $1, 1, now())",
        execution_id,
    )
    tables = await tables_with_an_execution()
    filled = {table for table in tables if await count(table, execution_id)}
    assert filled >= {"execution_hosts", "stage_runs", "shards", "node_executions", "device_results", "intents"}
    answer = await admin.delete(f"/automation/v1/executions/{execution_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert {table for table in tables if await count(table, execution_id)} == set()
    assert (await admin.get(f"/automation/v1/executions/{execution_id}")).status_code == 404
    assert await count("device_results", neighbour) == 1
    (entry,) = (await admin.get("/system/v1/audit", params={"action": "execution.deleted"})).json()["data"]
    assert entry["subject_id"] == str(execution_id)


async def test_a_running_execution_is_not_deleted(admin: httpx.AsyncClient) -> None:
    execution_id = await add_execution(status="running")
    answer = await admin.delete(f"/automation/v1/executions/{execution_id}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "EXECUTION_RUNNING")
    assert await count("executions") == 1
    assert (await admin.delete(f"/automation/v1/executions/{uuid4()}")).status_code == 404


@pytest.mark.usefixtures("database")
async def test_outputs_that_nobody_refers_to_go_once_they_are_old_enough() -> None:
    first, second = await add_execution(age_days=9), await add_execution()
    await add_result(first, found=LARGE)
    await add_result(first, "b", found={"text": LARGE["text"] + "of the first alone"})
    await add_result(second, found=LARGE)
    assert await count("output_blobs") == 2
    done = await retention.sweep(Retention(days=1))
    assert (done.executions, done.blobs) == (1, 0)
    await age_blobs(OLDER)
    assert (await retention.sweep(Retention(days=1))).blobs == 1
    assert await count("output_blobs") == 1
    assert await retention.collect_blobs() == 0


@pytest.mark.usefixtures("database")
async def test_outputs_that_a_worker_is_just_storing_again_do_not_vanish() -> None:
    packed = outputs.pack(LARGE)
    await outputs.store_blobs([packed])
    await age_blobs(OLDER)
    execution_id = await add_execution()
    stored, collected = anyio.Event(), []

    async def work() -> None:
        async with database.transaction():
            await outputs.store_blobs([packed])
            stored.set()
            await anyio.sleep(0.3)
            await database.execute(
                "INSERT INTO device_results (id, execution, node_id, host_key, status, output_hash, started_at, "
                "device_name, iteration, attempt, handled, error_class, error_message, changed, diff, duration_ms) "
                "VALUES ($1, $1, 'a', 'r1', 'success', $2, now(), '', '', 1, false, '', '', false, '', 0)",
                execution_id,
                packed.hash,
            )

    async def collect() -> None:
        await stored.wait()
        collected.append(await retention.collect_blobs())

    async with anyio.create_task_group() as group:
        group.start_soon(work)
        group.start_soon(collect)
    assert (collected, await count("output_blobs")) == ([0], 1)


@pytest.mark.usefixtures("database")
async def test_a_forecast_tells_what_a_run_then_deletes() -> None:
    for age in (40, 50):
        execution_id = await add_execution("old", age_days=age)
        await add_result(execution_id, found=LARGE)
        await add_result(execution_id, "b")
    await add_result(await add_execution("young"), found={"text": LARGE["text"] + "young"})
    await age_blobs(OLDER)
    told = await retention.forecast(Retention(days=30))
    assert [(row["workflow"], row["executions"]) for row in told.workflows] == [("old", 2)]
    assert (told.executions, told.results, told.blobs) == (2, 4, 1)
    assert told.blob_bytes > 0
    assert await count("executions") == 3
    done = await retention.sweep(Retention(days=30))
    assert (done.executions, done.blobs) == (told.executions, told.blobs)
    assert (await retention.forecast(Retention(days=30))).executions == 0
