"""Alive, ready, and how each service that the product needs is doing."""

import httpx
import pytest
from litestar import Litestar
from redis import Redis

from app import __version__
from app.core import database as core_database
from app.core.queue import connect
from tests.support.callers import AsUser, open_client
from tests.support.workers import registered


async def test_the_root_says_what_this_is_and_where_to_go(client: httpx.AsyncClient) -> None:
    welcome = (await client.get("/")).json()["data"]
    assert (welcome["name"], welcome["version"]) == ("OpsConductor", __version__)
    for path in welcome["links"].values():
        assert (await client.get(path)).status_code in {200, 401, 503}, path


async def test_it_is_alive_even_without_its_services(app: Litestar, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect("unix:///nonexistent/redis.sock") as away, monkeypatch.context() as patch:
        app.state.redis = away
        patch.setattr(core_database.engine(), "pool", None)
        async with open_client(app) as client:
            assert (await client.get("/health")).json()["data"] == {"status": "alive"}


async def test_it_is_ready_with_a_worker_and_not_without(client: httpx.AsyncClient, redis: Redis) -> None:
    with registered(redis):
        ready = await client.get("/ready")
    assert (ready.status_code, ready.json()["data"]["status"]) == (200, "up")
    unready = await client.get("/ready")
    assert (unready.status_code, unready.json()["error"]["code"]) == (503, "NOT_READY")
    states = {part["name"]: part["status"] for part in unready.json()["error"]["details"]["components"]}
    assert states == {"postgresql": "up", "redis": "up", "workers": "down"}


async def test_what_is_away_is_named_with_the_reason(app: Litestar, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect("unix:///nonexistent/redis.sock") as away, monkeypatch.context() as patch:
        app.state.redis = away
        patch.setattr(core_database.engine(), "pool", None)
        async with open_client(app) as client:
            response = await client.get("/ready")
    assert response.status_code == 503
    parts = {part["name"]: part for part in response.json()["error"]["details"]["components"]}
    assert all(part["status"] == "down" for part in parts.values())
    assert "pool" in parts["postgresql"]["detail"]
    assert "redis.sock" in parts["redis"]["detail"]


async def test_health_tells_somebody_the_latency_of_each_part(as_user: AsUser, redis: Redis) -> None:
    somebody = await as_user()
    with registered(redis):
        health = (await somebody.get("/system/v1/health")).json()["data"]
    assert health["status"] == "up"
    assert [part["name"] for part in health["components"]] == ["postgresql", "redis", "workers"]
    assert all(part["latency_ms"] >= 0 for part in health["components"])


async def test_the_versions_of_what_runs_are_told(as_user: AsUser) -> None:
    somebody = await as_user()
    versions = (await somebody.get("/system/v1/info")).json()["data"]
    assert versions["version"] == __version__
    assert versions["postgresql_version"].split(".")[0].isdigit()
    assert versions["redis_version"].split(".")[0].isdigit()
    assert versions["python_version"].startswith("3.")


async def test_health_and_readiness_show_no_password(client: httpx.AsyncClient, redis: Redis) -> None:
    password = redis.connection_pool.connection_kwargs["password"]
    assert password not in (await client.get("/ready")).text
