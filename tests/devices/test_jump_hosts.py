"""Jump hosts of devices: chosen over the API and by CSV, without circles, and handed to sessions with the record."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx

from app.devices import service

AsUser = Callable[..., Awaitable[httpx.AsyncClient]]
URL = "/inventory/v1/devices"
NOBODY = "0192f0c0-0000-7000-8000-000000000000"


async def device(client: httpx.AsyncClient, name: str, jump_host: str | None = None) -> str:
    body = {"name": name, "address": "192.0.2.1", "platform": "cisco_ios", "jump_host": jump_host}
    answer = await client.post(URL, json=body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["data"]["jump_host"] == jump_host
    return str(answer.json()["data"]["id"])


async def moved(client: httpx.AsyncClient, one: str, jump_host: str | None) -> httpx.Response:
    return await client.patch(f"{URL}/{one}", json={"jump_host": jump_host})


async def chain(client: httpx.AsyncClient, length: int) -> list[str]:
    """Make devices, each behind the one before it."""
    made: list[str] = []
    for number in range(length):
        made.append(await device(client, f"hop{number}", made[-1] if made else None))
    return made


def faults(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 422, answer.text
    return {fault["field"]: fault["message"] for fault in answer.json()["error"]["details"]}


async def test_a_record_carries_the_way_to_its_device(admin: httpx.AsyncClient) -> None:
    ids = await chain(admin, 4)
    records = await service.host_records([UUID(one) for one in ids])
    (last,) = [record for record in records if record.name == "hop3"]
    assert last.jump is not None
    assert last.jump.jump is not None
    assert [last.jump.name, last.jump.jump.name] == ["hop2", "hop1"]
    assert last.jump.jump.jump is not None
    assert last.jump.jump.jump.name == "hop0"
    assert last.jump.jump.jump.jump is None
    assert (await moved(admin, ids[3], None)).json()["data"]["jump_host"] is None


async def test_a_way_has_an_end_and_no_circle(admin: httpx.AsyncClient) -> None:
    ids = await chain(admin, 4)
    too_long = await admin.post(
        URL, json={"name": "far", "address": "192.0.2.1", "platform": "cisco_ios", "jump_host": ids[3]}
    )
    assert "more than 3 jump hosts" in faults(too_long)["jump_host"]
    assert "circle" in faults(await moved(admin, ids[0], ids[2]))["jump_host"]
    assert "circle" in faults(await moved(admin, ids[0], ids[0]))["jump_host"]
    assert "hop3" in faults(await moved(admin, ids[0], await device(admin, "before")))["jump_host"]
    assert (await admin.get(f"{URL}/{ids[0]}")).json()["data"]["jump_host"] is None


async def test_a_jump_host_is_a_living_device(admin: httpx.AsyncClient) -> None:
    one, gone = await device(admin, "r1"), await device(admin, "r2")
    await admin.delete(f"{URL}/{gone}")
    for jump_host in (NOBODY, gone):
        assert faults(await moved(admin, one, jump_host))["jump_host"] == f"there is no device {jump_host}"


async def test_a_jump_host_is_not_deleted_while_somebody_is_behind_it(admin: httpx.AsyncClient) -> None:
    ids = await chain(admin, 2)
    refused = await admin.delete(f"{URL}/{ids[0]}")
    assert refused.status_code == 409
    assert "hop1" in refused.json()["error"]["message"]
    await moved(admin, ids[1], None)
    assert (await admin.delete(f"{URL}/{ids[0]}")).status_code == 200


async def test_jump_hosts_are_imported_and_wrong_ones_told(admin: httpx.AsyncClient) -> None:
    jump = await device(admin, "jump")
    csv = f"name,address,platform,jump_host\nr1,192.0.2.1,cisco_ios,{jump}\nr2,192.0.2.2,cisco_ios,{NOBODY}\n"
    answer = await admin.post(f"{URL}/bulk?mode=upsert", content=csv, headers={"Content-Type": "text/csv"})
    told = answer.json()["data"]
    assert (told["created"], [(error["line"], error["field"]) for error in told["errors"]]) == (1, [(3, "jump_host")])
    listed = (await admin.get(f"{URL}?name=r1")).json()["data"]
    assert listed[0]["jump_host"] == jump
    circle = f"name,address,platform,jump_host\njump,192.0.2.1,cisco_ios,{listed[0]['id']}\n"
    refused = await admin.post(f"{URL}/bulk?mode=upsert", content=circle, headers={"Content-Type": "text/csv"})
    assert "circle" in faults(refused)["jump_host"]
