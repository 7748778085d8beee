import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import msgspec
import pytest

from app.core import database as core_database
from app.core.access import SYSTEM
from app.devices.batch import apply_batch
from app.devices.batch_rows import read_entries

AsUser = Callable[..., Awaitable[httpx.AsyncClient]]
URL = "/inventory/v1/devices/bulk"
DEVICES = "/inventory/v1/devices"


def entry(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "address": "192.0.2.1", "platform": "cisco_ios", **more}


async def send(client: httpx.AsyncClient, *entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = await client.post(URL, json={"devices": list(entries), **more})
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()["data"]
    return result


async def devices(client: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    answer = await client.get(DEVICES, params={"limit": "500"})
    return {device["name"]: device for device in answer.json()["data"]}


async def test_many_devices_are_created_at_once(admin: httpx.AsyncClient) -> None:
    result = await send(admin, entry("r1", tags=["edge"], data={"rack": 7}, port=2201), entry("r2"))
    assert result == {"created": 2, "updated": 0, "errors": []}
    stored = await devices(admin)
    assert (stored["r1"]["tags"], stored["r1"]["data"], stored["r1"]["port"]) == (["edge"], {"rack": 7}, 2201)
    assert (stored["r2"]["port"], stored["r2"]["max_sessions"], stored["r2"]["status"]) == (None, 2, "active")


async def test_an_upsert_changes_what_is_given_and_leaves_the_rest(admin: httpx.AsyncClient) -> None:
    await send(admin, entry("r1", site="ber1", tags=["edge"], port=2201, data={"rack": 7}))
    before = (await devices(admin))["r1"]
    result = await send(admin, entry("r1", role="core", port=None), entry("r2"), mode="upsert")
    assert result == {"created": 1, "updated": 1, "errors": []}
    after = (await devices(admin))["r1"]
    assert (after["id"], after["created_at"]) == (before["id"], before["created_at"])
    assert (after["role"], after["port"], after["site"], after["tags"]) == ("core", None, "ber1", ["edge"])
    assert after["data"] == {"rack": 7}


async def test_creating_a_device_that_exists_is_told_and_the_others_are_created(admin: httpx.AsyncClient) -> None:
    await send(admin, entry("r1", site="ber1"))
    result = await send(admin, entry("r1", site="par1"), entry("r2"))
    assert result == {
        "created": 1,
        "updated": 0,
        "errors": [{"index": 0, "field": "name", "message": "a device of this name is there already"}],
    }
    assert (await devices(admin))["r1"]["site"] == "ber1"


async def test_good_entries_are_applied_and_wrong_ones_told(admin: httpx.AsyncClient) -> None:
    result = await send(
        admin, entry("r1"), entry("r2", platform="ios"), entry("r3", port=0), entry("r4"), entry("r4"), {}
    )
    assert result["created"] == 1
    assert [(error["index"], error["field"]) for error in result["errors"]] == [
        (1, "platform"),
        (2, "port"),
        (3, "name"),
        (4, "name"),
        (5, "name"),
        (5, "address"),
        (5, "platform"),
    ]
    assert list(await devices(admin)) == ["r1"]


async def test_an_atomic_batch_is_applied_whole_or_not_at_all(admin: httpx.AsyncClient) -> None:
    await send(admin, entry("old", site="ber1"))
    answer = await admin.post(
        URL,
        json={
            "devices": [entry("r1"), entry("old", site="par1"), entry("r2", platform="ios")],
            "mode": "upsert",
            "atomic": True,
        },
    )
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["message"].startswith("1 of 3 entries are wrong, so none was applied.")
    assert [(fault["index"], fault["field"]) for fault in error["details"]] == [(2, "platform")]
    assert {name: device["site"] for name, device in (await devices(admin)).items()} == {"old": "ber1"}
    whole = await send(admin, entry("r1"), entry("old", site="par1"), mode="upsert", atomic=True)
    assert whole == {"created": 1, "updated": 1, "errors": []}


async def test_a_csv_file_is_applied_and_its_wrong_lines_told(admin: httpx.AsyncClient) -> None:
    await send(admin, entry("r1", site="ber1"))
    body = (
        "name,address,platform,port,role,tags,data.rack\n"
        "r1,2001:DB8::1,ciena_saos,2201,core,edge;x,7\n"
        "r2,192.0.2.2,cisco_iso,,,,\n"
        "r3,192.0.2.3,cisco_ios,,,,\n"
    )
    answer = await admin.post(
        URL, params={"mode": "upsert"}, content=body.encode(), headers={"Content-Type": "text/csv; charset=utf-8"}
    )
    result = answer.json()["data"]
    assert (result["created"], result["updated"]) == (1, 1)
    (error,) = result["errors"]
    assert (error["index"], error["line"], error["field"]) == (1, 3, "platform")
    assert error["message"].startswith("there is no platform 'cisco_iso'; near to it are cisco_ios")
    stored = (await devices(admin))["r1"]
    assert (stored["address"], stored["platform"], stored["port"]) == ("2001:db8::1", "ciena_saos", 2201)
    assert (stored["site"], stored["tags"], stored["data"]) == ("ber1", ["edge", "x"], {"rack": "7"})


async def test_credentials_are_assigned_to_the_devices_of_a_batch(admin: httpx.AsyncClient) -> None:
    credential = await admin.post(
        "/credentials/v1/credentials",
        json={"name": "lab", "credential_type": "ssh", "data": {"username": "u", "password": "p"}},
    )
    credential_id = credential.json()["data"]["id"]
    unknown = "0192f0c0-0000-7000-8000-000000000000"
    result = await send(
        admin, entry("r1", credential_ids=[credential_id]), entry("r2", credential_ids=[unknown]), entry("r3")
    )
    assert result["created"] == 2
    assert result["errors"] == [{"index": 1, "field": "credential_ids", "message": f"there is no credential {unknown}"}]
    assigned = (await admin.get("/credentials/v1/assignments")).json()["data"]
    assert [one["subject_name"] for one in assigned] == ["r1"]
    await send(admin, entry("r1", site="ber1"), mode="upsert")
    assert len((await admin.get("/credentials/v1/assignments")).json()["data"]) == 1
    await send(admin, entry("r1", credential_ids=[]), mode="upsert")
    assert (await admin.get("/credentials/v1/assignments")).json()["data"] == []


async def test_a_batch_needs_the_permissions_of_what_it_does(admin: httpx.AsyncClient, as_user: AsUser) -> None:
    creator = await as_user("devices.device.create")
    assert (await creator.post(URL, json={"devices": [entry("r1")]})).status_code == 200
    for body in (
        {"devices": [entry("r1", site="x")], "mode": "upsert"},
        {"devices": [entry("r2", credential_ids=["0192f0c0-0000-7000-8000-000000000000"])]},
    ):
        assert (await creator.post(URL, json=body)).status_code == 403
    assert list(await devices(admin)) == ["r1"]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b'{"devices": [', "application/json", 400),
        (b"", "application/json", 422),
        (b"", "text/csv", 422),
        (b'{"devices": {}}', "application/json", 422),
        (b'{"devices": [7]}', "application/json", 422),
        (b'{"devices": [], "mode": "replace"}', "application/json", 422),
        (b'{"devices": [], "colour": 1}', "application/json", 422),
        (b"<devices/>", "application/xml", 415),
        (b"name,address\n", "text/csv", 422),
        (b"x" * (21 * 1024 * 1024), "text/csv", 413),
    ],
)
async def test_a_body_that_is_no_batch_is_refused(
    admin: httpx.AsyncClient, body: bytes, content_type: str, status: int
) -> None:
    answer = await admin.post(URL, content=body, headers={"Content-Type": content_type})
    assert answer.status_code == status
    assert answer.json()["success"] is False


async def test_an_empty_batch_does_nothing(admin: httpx.AsyncClient) -> None:
    assert await send(admin) == {"created": 0, "updated": 0, "errors": []}


async def test_ten_thousand_devices_are_created_and_changed(admin: httpx.AsyncClient) -> None:
    batch = [entry(f"r{number}", site=f"site{number % 50}", tags=["edge"]) for number in range(10_000)]
    body = msgspec.json.encode({"devices": batch, "mode": "upsert"})
    for expected in ({"created": 10_000, "updated": 0}, {"created": 0, "updated": 10_000}):
        answer = await admin.post(URL, content=body, headers={"Content-Type": "application/json"}, timeout=120)
        assert answer.json()["data"] == {**expected, "errors": []}
    assert (await admin.get(DEVICES, params={"site": "site7"})).json()["meta"]["total"] == 200


async def test_a_device_made_meanwhile_is_told_not_lost(admin: httpx.AsyncClient) -> None:
    batches = [apply_batch(read_entries([entry("r1"), entry(f"x{number}")]), "create", SYSTEM) for number in range(4)]
    results = await asyncio.gather(*batches)
    assert sum(result.created for result in results) == 5
    assert [error.field for result in results for error in result.errors] == ["name"] * 3


async def test_a_batch_is_on_record(admin: httpx.AsyncClient) -> None:
    await send(admin, entry("r1"), entry("r2", port=0))
    row = await core_database.fetch_one(
        "SELECT actor_name, details->>'created' AS created FROM audit_entries WHERE action = 'devices.device.import'"
    )
    assert row == {"actor_name": "admin", "created": "1"}
