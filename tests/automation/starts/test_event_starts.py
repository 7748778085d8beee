"""Events start the workflows that listen for them: once, on the device concerned, and never in a circle."""

import time
from itertools import pairwise
from typing import Any

import anyio
import httpx
import pytest
from redis import Redis

from app.automation.executions.engine import runtime
from app.automation.executions.engine.runtime import Runtime
from app.automation.executions.starts import event_starts
from app.automation.executions.starts.event_starts import MAX_DEPTH
from app.core import database, events
from app.core.settings import Settings
from app.palette import build_catalog
from tests.support.callers import AsUser
from tests.support.graphs import line, step
from tests.support.working import PATIENCE_S, ended, make_devices, make_workflow, results

EXECUTIONS = "/automation/v1/executions"
WORKFLOWS = "/automation/v1/workflows"


@pytest.fixture
def _consumer(settings: Settings, sole_deliverer: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this process one that delivers events, as a reconciler is."""
    monkeypatch.setattr(runtime, "_runtime", [Runtime(build_catalog(settings.nodes_path), settings)])
    monkeypatch.setattr(events, "_subscribers", [event_starts.SUBSCRIBER])


def on(*names: str, nodes: tuple[dict[str, Any], ...] = (), **parameters: Any) -> dict[str, Any]:
    """Return a definition that events start, its nodes one after the other."""
    trigger = step("on", "trigger:event", events=list(names), **parameters)
    ids = ["on", *(node["id"] for node in nodes)]
    edges = [line(f"{one} -> {two}") for one, two in pairwise(ids)]
    return {"nodes": [trigger, *nodes], "edges": edges}


async def started(admin: httpx.AsyncClient) -> list[dict[str, Any]]:
    listed = await admin.get(f"{EXECUTIONS}?trigger_kind=event&sort=created_at")
    return list(listed.json()["data"])


async def refusals(admin: httpx.AsyncClient) -> list[dict[str, Any]]:
    listed = await admin.get("/system/v1/audit?action=execution.not_started")
    return [entry["details"] for entry in listed.json()["data"]]


@pytest.mark.usefixtures("work")
async def test_a_changed_device_starts_a_workflow_on_itself(admin: httpx.AsyncClient) -> None:
    definition = on(
        "device.changed",
        nodes=(step("a", "lab:read", text="{{ trigger.event.device.site }} {{ trigger.event.changed | join }}"),),
        targets="event",
        filter="event.device.site == 'ber1'",
    )
    await make_workflow(admin, definition)
    one, two = await make_devices(admin, ["r1", "r2"])
    await admin.patch(f"/inventory/v1/devices/{two}", json={"site": "muc1"})
    await admin.patch(f"/inventory/v1/devices/{one}", json={"site": "ber1"})
    give_up_at = time.monotonic() + PATIENCE_S
    while not (found := await started(admin)):
        assert time.monotonic() < give_up_at
        await anyio.sleep(0.1)
    (execution,) = found
    assert (await ended(admin, execution["id"]))["status"] == "success"
    assert (execution["requested_by"], execution["targets"]) == ("admin", {"devices": [one]})
    trigger = execution["trigger"]
    assert (trigger["kind"], trigger["node"], trigger["depth"]) == ("event", "on", 1)
    assert (trigger["event"]["name"], trigger["event"]["device"]["name"]) == ("device.changed", "r1")
    (result,) = await results(admin, execution["id"], node="a")
    assert (result["device"]["name"], result["outputs"]["text"]) == ("r1", "ber1 site")


@pytest.mark.usefixtures("_consumer")
async def test_every_act_on_a_device_is_told(admin: httpx.AsyncClient, redis: Redis) -> None:
    await make_workflow(admin, on("device.created", "device.changed", "device.deleted"))
    (device,) = await make_devices(admin, ["r1"])
    address = f"/inventory/v1/devices/{device}"
    await admin.patch(address, json={"role": "core", "tags": ["a"]})
    await admin.patch(address, json={})
    await admin.delete(address)
    await admin.post(f"{address}/restore")
    rows = [{"name": "r1", "site": "ber1"}, {"name": "r2", "address": "192.0.2.2", "platform": "cisco_ios"}]
    batch = await admin.post("/inventory/v1/devices/bulk", json={"mode": "upsert", "devices": [
        {"address": "127.0.0.1", "platform": "cisco_ios", **rows[0]}, rows[1]]})  # fmt: skip
    assert batch.json()["data"] == {"created": 1, "updated": 1, "errors": []}
    await events.deliver(redis)
    told = [row["trigger"]["event"] for row in await started(admin)]
    assert [(one["name"], one["device"]["name"], one["changed"]) for one in told] == [
        ("device.created", "r1", []),
        ("device.changed", "r1", ["role", "tags"]),
        ("device.deleted", "r1", []),
        ("device.created", "r1", []),
        ("device.created", "r2", []),
        ("device.changed", "r1", ["address", "name", "platform", "site"]),
    ]
    assert told[1]["device"]["tags"] == ["a"]


@pytest.mark.usefixtures("_consumer")
async def test_what_was_refused_is_not_told(admin: httpx.AsyncClient, redis: Redis) -> None:
    await make_workflow(admin, on("device.created"))
    await make_devices(admin, ["r1"])
    again = await admin.post(
        "/inventory/v1/devices", json={"name": "r1", "address": "127.0.0.1", "platform": "cisco_ios"}
    )
    assert again.status_code == 409
    await events.deliver(redis)
    assert len(await started(admin)) == 1


@pytest.mark.usefixtures("_consumer")
async def test_what_an_event_starts_bears_the_id_of_the_request_that_caused_it(
    admin: httpx.AsyncClient, redis: Redis
) -> None:
    await make_workflow(admin, on("device.created"))
    body = {"name": "r1", "address": "127.0.0.1", "platform": "cisco_ios"}
    caused = await admin.post("/inventory/v1/devices", json=body, headers={"X-Request-ID": "the-cause"})
    assert caused.status_code == 201
    await events.deliver(redis)
    (entry,) = (await admin.get("/system/v1/audit?action=execution.started")).json()["data"]
    assert (entry["request_id"], entry["actor_name"], entry["details"]["trigger"]) == ("the-cause", "admin", "event")


@pytest.mark.usefixtures("_consumer")
async def test_an_event_told_twice_starts_once(admin: httpx.AsyncClient, redis: Redis) -> None:
    await make_workflow(admin, on("device.created"))
    await make_devices(admin, ["r1"])
    (row,) = await database.fetch("SELECT * FROM event_outbox")
    await events.deliver(redis)
    columns = ", ".join(row)
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    await database.execute(f"INSERT INTO event_outbox ({columns}) VALUES ({places})", *row.values())
    assert await events.deliver(redis) >= 1
    assert len(await started(admin)) == 1


@pytest.mark.usefixtures("_consumer")
async def test_a_chain_of_executions_ends(admin: httpx.AsyncClient, redis: Redis) -> None:
    workflow_id = await make_workflow(admin, on("execution.finished"))
    await admin.post(f"{WORKFLOWS}/{workflow_id}/execute", json={})
    for _ in range(MAX_DEPTH + 2):
        await events.deliver(redis)
    found = await started(admin)
    assert [row["trigger"]["depth"] for row in found] == [1, 2, 3]
    assert found[1]["trigger"]["event"]["execution"]["id"] == found[0]["id"]
    assert found[0]["trigger"]["event"]["execution"]["status"] == "success"
    (refused,) = await refusals(admin)
    assert (refused["depth"], refused["node"]) == (3, "on")
    assert "chain of 3 executions" in refused["reason"]
    assert await database.fetch("SELECT 1 FROM event_outbox") == []


@pytest.mark.usefixtures("_consumer")
async def test_a_filter_keeps_a_workflow_from_starting_itself(admin: httpx.AsyncClient, redis: Redis) -> None:
    listening = on("execution.finished", filter="{{ event.execution.workflow != 'test' }}")
    await make_workflow(admin, listening)
    other = await make_workflow(admin, on("device.created"), "other")
    await admin.post(f"{WORKFLOWS}/{other}/execute", json={})
    for _ in range(3):
        await events.deliver(redis)
    assert [row["workflow_name"] for row in await started(admin)] == ["test"]
    assert await refusals(admin) == []


@pytest.mark.usefixtures("_consumer")
async def test_one_that_cannot_start_does_not_keep_the_others(
    admin: httpx.AsyncClient, as_user: AsUser, redis: Redis
) -> None:
    author = await as_user("automation.workflow.create", username="author")
    await author.post(WORKFLOWS, json={"name": "unauthorised", "definition": on("device.created")})
    for name, parameters in (
        ("filter", {"filter": "event.nothing.at_all"}),
        ("targets", {"targets": {"devices": ["nobody"]}}),
        ("good", {}),
    ):
        await make_workflow(admin, on("device.created", **parameters), name)
    await make_devices(admin, ["r1"])
    await events.deliver(redis)
    assert [row["workflow_name"] for row in await started(admin)] == ["good"]
    reasons = {refused["workflow"]: refused["reason"] for refused in await refusals(admin)}
    assert reasons.keys() == {"unauthorised", "filter", "targets"}
    assert "automation.workflow.run" in reasons["unauthorised"]
    assert "there is no device nobody" in reasons["targets"]


@pytest.mark.usefixtures("_consumer")
async def test_a_disabled_or_deleted_workflow_does_not_listen(admin: httpx.AsyncClient, redis: Redis) -> None:
    one = await make_workflow(admin, on("device.created"), "one")
    two = await make_workflow(admin, on("device.created"), "two")
    await admin.patch(f"{WORKFLOWS}/{one}", json={"enabled": False})
    await admin.delete(f"{WORKFLOWS}/{two}")
    await make_devices(admin, ["r1"])
    assert await events.deliver(redis) == 0
    assert await started(admin) == []


@pytest.mark.usefixtures("_consumer")
async def test_an_author_who_was_deactivated_starts_nothing(
    admin: httpx.AsyncClient, as_user: AsUser, redis: Redis
) -> None:
    author = await as_user("automation.workflow.create", "automation.workflow.run", username="author")
    await author.post(WORKFLOWS, json={"name": "w", "definition": on("device.created")})
    await database.execute("UPDATE users SET status = 'disabled' WHERE username = 'author'")
    await make_devices(admin, ["r1"])
    await events.deliver(redis)
    assert await started(admin) == []
    (refused,) = await refusals(admin)
    assert "is not active any more" in refused["reason"]


@pytest.mark.parametrize(
    ("names", "parameters", "field", "part"),
    [
        ([], {}, "parameters.events", "length >= 1"),
        (["alert.raised"], {}, "parameters.events", "Invalid enum value"),
        (["device.deleted"], {"targets": "event"}, "parameters.targets", "device.deleted has no device to run on"),
        (["device.created"], {"targets": "all"}, "parameters.targets", "Invalid enum value"),
        (["device.created"], {"filter": "event.x =="}, "parameters.filter", "not well formed"),
        (["device.created"], {"filter": "host.site"}, "parameters.filter", "host is not known"),
    ],
)
async def test_a_trigger_that_could_not_work_is_not_saved(
    admin: httpx.AsyncClient, names: list[str], parameters: dict[str, Any], field: str, part: str
) -> None:
    refused = await admin.post(WORKFLOWS, json={"name": "w", "definition": on(*names, **parameters)})
    assert refused.status_code == 422
    (fault,) = refused.json()["error"]["details"]
    assert (fault["node_id"], fault["field"]) == ("on", field)
    assert part in fault["message"]
