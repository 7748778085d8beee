"""Queues and workers as the API and the metrics tell them."""

import httpx
import pytest
from litestar import Litestar
from redis import Redis

from app.core.queue import QUEUES, queue
from app.system import metrics
from tests.support.callers import open_client
from tests.support.workers import registered


async def test_the_queues_of_the_house_are_listed_even_when_empty(admin: httpx.AsyncClient) -> None:
    listed = (await admin.get("/system/v1/queues")).json()["data"]
    assert [entry["name"] for entry in listed] == list(QUEUES)
    assert all((entry["depth"], entry["oldest_age_s"]) == (0, None) for entry in listed)


async def test_a_waiting_job_shows_as_depth_and_age(admin: httpx.AsyncClient, redis: Redis) -> None:
    queue("devices", redis).enqueue("operator.add", 1, 2)
    queue("foreign", redis).enqueue("operator.add", 1, 2)
    listed = {entry["name"]: entry for entry in (await admin.get("/system/v1/queues")).json()["data"]}
    assert listed["devices"]["depth"] == 1
    assert listed["devices"]["oldest_age_s"] >= 0
    assert listed["foreign"]["depth"] == 1


async def test_a_job_that_has_vanished_leaves_no_age(admin: httpx.AsyncClient, redis: Redis) -> None:
    job = queue("low", redis).enqueue("operator.add", 1, 2)
    redis.delete(job.key)
    listed = {entry["name"]: entry for entry in (await admin.get("/system/v1/queues")).json()["data"]}
    assert (listed["low"]["depth"], listed["low"]["oldest_age_s"]) == (1, None)


async def test_a_worker_is_listed_with_what_it_does(admin: httpx.AsyncClient, redis: Redis) -> None:
    job = queue("high", redis).enqueue("operator.add", 1, 2)
    with registered(redis, ["high", "default"]) as worker:
        worker.prepare_execution(job)
        (listed,) = (await admin.get("/system/v1/workers")).json()["data"]
        workers = (await admin.get("/rq/0/data/workers.json")).json()["workers"]
    assert (listed["name"], listed["queues"]) == ("worker-1", ["high", "default"])
    assert listed["current_jobs"] == [job.id]
    assert listed["last_heartbeat_at"].endswith("Z")
    assert workers[0]["current_job"]["call_string"] == "operator.add(1, 2)"
    assert (await admin.get("/system/v1/workers")).json()["data"] == []


async def test_metrics_count_requests_by_route_and_tell_depths(
    app: Litestar, client: httpx.AsyncClient, redis: Redis
) -> None:
    queue("devices", redis).enqueue("operator.add", 1, 2)
    await client.get("/identity/v1/users/0190f1e0-0000-7000-8000-000000000000")
    await client.get("/nowhere/at/all")
    response = await client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'opsconductor_queue_depth{queue="devices"} 1.0' in response.text
    assert 'method="GET",route="/identity/v1/users/{user_id}",status="401"' in response.text
    assert 'method="GET",route="unmatched",status="404"' in response.text
    assert "opsconductor_http_request_duration_seconds_bucket" in response.text
    assert "nowhere" not in response.text


async def test_a_made_up_method_makes_no_metric_of_its_own(client: httpx.AsyncClient) -> None:
    await client.request("BREW", "/health")
    response = await client.get("/metrics")
    assert "BREW" not in response.text
    assert 'method="OTHER"' in response.text


async def test_another_area_adds_a_gauge(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def read() -> dict[str, float]:
        return {"running": 3}

    monkeypatch.setattr(metrics, "_readings", {})
    metrics.add_reading(metrics.Reading(name="test_things", description="Things.", label="status", read=read))
    assert 'test_things{status="running"} 3.0' in (await client.get("/metrics")).text


@pytest.mark.parametrize("peer", ["203.0.113.9", "2001:db8::1", "not-an-address"])
async def test_metrics_are_for_the_metrics_networks_only(app: Litestar, peer: str) -> None:
    async with open_client(app, peer=peer) as client:
        response = await client.get("/metrics")
    assert (response.status_code, response.json()["error"]["code"]) == (403, "METRICS_NETWORK")


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1"])
async def test_metrics_are_open_to_this_machine(app: Litestar, peer: str) -> None:
    async with open_client(app, peer=peer) as client:
        assert (await client.get("/metrics")).status_code == 200
