"""Sessions to devices as the API tells them."""

import httpx
import pytest
from redis import Redis

from app.core.leases import RedisLeases
from app.core.settings import Settings
from tasks.sessions.leases import Lease, Occupant

PATH = "/system/v1/sessions"


@pytest.fixture
def horse(redis: Redis, settings: Settings) -> RedisLeases:
    return RedisLeases(settings.require_redis(), "horse-1", settle_s=0.0)


def lease(device: str, execution: str = "e1", most: int = 1) -> Lease:
    return Lease(device=device, name=f"name-of-{device}", most=most, occupant=Occupant(execution, "n1"))


async def test_who_holds_a_session_and_who_waits_is_told(admin: httpx.AsyncClient, horse: RedisLeases) -> None:
    assert horse.ask(lease("d1")) is None
    assert horse.ask(lease("d1", "e2")) is not None
    assert horse.ask(lease("d1", "")) is not None
    (device,) = (await admin.get(PATH)).json()["data"]
    (held,) = device["sessions"]
    assert (device["device_id"], device["device_name"], device["max_sessions"]) == ("d1", "name-of-d1", 1)
    assert (held["process"], held["state"]) == ("horse-1", "busy")
    assert held["user"] == {"execution_id": "e1", "node_id": "n1"}
    assert held["since"].endswith("Z")
    assert [waiter["user"]["execution_id"] for waiter in device["waiting"]] == ["e2", None]
    assert [waiter["process"] for waiter in device["waiting"]] == ["horse-1"] * 2


async def test_sessions_come_page_by_page(admin: httpx.AsyncClient, horse: RedisLeases) -> None:
    for number in range(5):
        horse.ask(lease(f"d{number}"))
    seen, cursor = [], None
    while True:
        query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        answer = (await admin.get(PATH, params=query)).json()
        seen.append([device["device_id"] for device in answer["data"]])
        assert answer["meta"]["total"] == 5
        cursor = answer["meta"]["next_cursor"]
        if cursor is None:
            break
    assert seen == [["d0", "d1"], ["d2", "d3"], ["d4"]]


async def test_nothing_is_listed_where_nothing_is_open(admin: httpx.AsyncClient) -> None:
    answer = (await admin.get(PATH)).json()
    assert (answer["data"], answer["meta"]["total"], answer["meta"]["next_cursor"]) == ([], 0, None)


async def test_sessions_are_listed_in_one_order_only(admin: httpx.AsyncClient) -> None:
    answer = await admin.get(PATH, params={"sort": "since"})
    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["field"] == "sort"
