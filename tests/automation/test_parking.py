"""Parking: who leaves a shard is nowhere counted twice, is never lost, and keeps to what an execution allows."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from app.automation.executions import parking, progress, waking
from app.automation.executions.changes import Claim
from app.automation.executions.parking import ParkedHost
from app.automation.executions.records import ONCE, QUESTION
from app.automation.workflows.graph import Plan
from app.core import database
from tests.support.graphs import step, workflow
from tests.support.working import make_devices, start

pytestmark = pytest.mark.usefixtures("database")
TWO_WAITS = workflow(
    step("w", "flow:delay", delay_seconds=600),
    step("v", "flow:delay", delay_seconds=600),
    step("z", "lab:once"),
    edges=("start -> w", "start -> v", "w -> z", "v -> z"),
)


async def begun(execution_id: str, node_id: str) -> tuple[Claim, Plan]:
    """Claim the queued shard of the stage that a node is in, as a worker does."""
    row = await database.fetch_one("SELECT plan FROM executions WHERE id = $1::uuid", execution_id)
    assert row is not None
    plan = progress.read_plan(row["plan"])
    stage = next(stage.index for stage in plan.stages if node_id in stage.nodes)
    (shard,) = await database.fetch(
        "SELECT id FROM shards WHERE execution = $1::uuid AND stage = $2 AND status = 'queued'", execution_id, stage
    )
    claim = await progress.claim_shard(shard["id"], "test:0")
    assert claim is not None
    return claim, plan


def waiter(node_id: str, host_key: str = ONCE, /, **body: Any) -> ParkedHost:
    return ParkedHost(node_id=node_id, host_key=host_key, host_name="", iteration="", due_at=None, body=body)


async def wake(execution_id: str, plan: Plan) -> None:
    """Let everything that is parked in an execution be due, and take it up."""
    async with database.transaction():
        await database.execute("SELECT 1 FROM executions WHERE id = $1::uuid FOR UPDATE", execution_id)
        await database.execute("UPDATE parkings SET due_at = now() WHERE execution = $1::uuid", execution_id)
        await waking.take_up_due(UUID(execution_id), plan)


async def test_a_shard_that_everybody_has_left_ends_nothing(admin: httpx.AsyncClient) -> None:
    async with database.transaction():  # so that no worker of another test sees any of it
        execution = await start(admin, TWO_WAITS)
        first, plan = await begun(execution["id"], "w")
        assert await parking.park(first, plan, [waiter("w")])
        await wake(execution["id"], plan)
        second, _ = await begun(execution["id"], "w")
        assert await progress.finish_shard(second, plan)
        assert await progress.finish_shard(first, plan)
        stages = {
            plan.stages[row["stage"]].nodes[0]: (row["status"], row["predecessors_left"])
            for row in await database.fetch(
                "SELECT stage, status, predecessors_left FROM stage_runs WHERE execution = $1::uuid", execution["id"]
            )
        }
        assert stages == {"w": ("done", 0), "v": ("running", 0), "z": ("pending", 1)}


async def test_who_is_woken_is_not_looked_at_again(admin: httpx.AsyncClient) -> None:
    async with database.transaction():  # so that no worker of another test sees any of it
        execution = await start(admin, TWO_WAITS)
        claim, plan = await begun(execution["id"], "w")
        await parking.park(claim, plan, [waiter("w")])
        await wake(execution["id"], plan)
        assert await database.fetch("SELECT status, due_at FROM parkings") == [{"status": "woken", "due_at": None}]


async def test_those_who_are_woken_keep_to_the_hosts_allowed_at_once(admin: httpx.AsyncClient) -> None:
    async with database.transaction():  # so that no worker of another test sees any of it
        ids = await make_devices(admin, [f"r{number}" for number in range(5)])
        definition = workflow(
            step("w", "flow:delay", delay_seconds=600, options={"scope": "device", "concurrency": 2}),
            edges=("start -> w",),
        )
        execution = await start(admin, definition, ids)
        claim, plan = await begun(execution["id"], "w")
        keys = [row["host_key"] for row in await database.fetch("SELECT host_key FROM execution_hosts")]
        await parking.park(claim, plan, [waiter("w", key) for key in keys[:3]])
        await wake(execution["id"], plan)
        assert not await database.fetch("SELECT 1 FROM shards WHERE status = 'queued'")
        await progress.finish_shard(claim, plan)
        await wake(execution["id"], plan)
        woken = await database.fetch(
            "SELECT threads, cardinality(host_keys) AS hosts FROM shards WHERE status = 'queued'"
        )
        assert sum(row["hosts"] for row in woken) == 3
        assert sum(row["threads"] for row in woken) == 2


async def test_a_detail_says_what_an_execution_waits_for(admin: httpx.AsyncClient) -> None:
    async with database.transaction():  # so that no worker of another test sees any of it
        (device,) = await make_devices(admin, ["r1"])
        definition = workflow(
            step("w", "flow:delay", delay_seconds=600, options={"scope": "device"}), edges=("start -> w",)
        )
        execution = await start(admin, definition, [device])
        claim, plan = await begun(execution["id"], "w")
        await parking.park(claim, plan, [waiter("w", device)])
        shown = (await admin.get(f"/automation/v1/executions/{execution['id']}")).json()["data"]
        (told,) = shown["waiting"]
        assert (told["node_id"], told["device"], told["kind"], told["due_at"]) == (
            "w",
            {"id": device, "name": "r1"},
            "event",
            None,
        )
        await wake(execution["id"], plan)
        shown = (await admin.get(f"/automation/v1/executions/{execution['id']}")).json()["data"]
        assert shown["waiting"] == []


async def test_an_answer_that_came_while_the_question_was_looked_at_counts(admin: httpx.AsyncClient) -> None:
    async with database.transaction():  # so that no worker of another test sees any of it
        execution = await start(
            admin, workflow(step("ask", "flow:approval"), step("z", "lab:once"), edges=("start -> ask", "ask -> z"))
        )
        claim, plan = await begun(execution["id"], "ask")
        question: Any = {
            "message": "?", "permission": "automation.execution.approve", "approvers": [], "needed": 1,
            "expires_at": "2100-01-01T00:00:00Z", "subject": {}, "subject_hash": "x",
        }  # fmt: skip
        asked = waiter("ask", ONCE, **{QUESTION: question})
        await parking.park(claim, plan, [asked])
        await wake(execution["id"], plan)
        looking, _ = await begun(execution["id"], "ask")
        await database.execute("UPDATE approvals SET status = 'approved'")
        await parking.park(looking, plan, [asked])
        (row,) = await database.fetch("SELECT status, due_at <= now() AS due FROM parkings")
        assert row == {"status": "parked", "due": True}
