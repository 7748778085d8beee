from typing import Any

import httpx
import pytest

from app.core import database as core_database

URL = "/credentials/v1/assignments"
NOBODY = "0192f0c0-0000-7000-8000-000000000000"


async def make_credential(client: httpx.AsyncClient, name: str = "lab") -> str:
    answer = await client.post(
        "/credentials/v1/credentials",
        json={"name": name, "credential_type": "ssh", "data": {"username": "u", "password": "p"}},
    )
    return str(answer.json()["data"]["id"])


async def make_device(client: httpx.AsyncClient, name: str = "r1", **more: Any) -> str:
    body = {"name": name, "address": "192.0.2.1", "platform": "cisco_ios", **more}
    return str((await client.post("/inventory/v1/devices", json=body)).json()["data"]["id"])


async def assign(client: httpx.AsyncClient, credential_id: str, subject_id: str, **more: Any) -> httpx.Response:
    body = {"credential_id": credential_id, "subject_type": "device", "subject_id": subject_id, **more}
    return await client.post(URL, json=body)


async def test_a_credential_is_assigned_to_a_device(admin: httpx.AsyncClient) -> None:
    credential, device = await make_credential(admin), await make_device(admin)
    answer = await assign(admin, credential, device, priority=5)
    assert answer.status_code == 201
    assignment = answer.json()["data"]
    assert {name: assignment[name] for name in ("credential_name", "subject_type", "subject_name", "priority")} == {
        "credential_name": "lab",
        "subject_type": "device",
        "subject_name": "r1",
        "priority": 5,
    }
    assert (await admin.get(f"{URL}/{assignment['id']}")).json()["data"] == assignment
    for params in ({}, {"credential_id": credential}, {"device_id": device}):
        assert (await admin.get(URL, params=params)).json()["data"] == [assignment]
    assert (await admin.get(URL, params={"group_id": device})).json()["data"] == []


async def test_an_assignment_is_changed_and_taken_away(admin: httpx.AsyncClient) -> None:
    answer = await assign(admin, await make_credential(admin), await make_device(admin))
    address = f"{URL}/{answer.json()['data']['id']}"
    assert answer.json()["data"]["priority"] == 100
    assert (await admin.patch(address, json={"priority": 7})).json()["data"]["priority"] == 7
    assert (await admin.patch(address, json={})).status_code == 422
    assert (await admin.delete(address)).status_code == 200
    gone = await admin.get(address)
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "ASSIGNMENT_NOT_FOUND")


async def test_assigning_twice_is_a_conflict(admin: httpx.AsyncClient) -> None:
    credential, device = await make_credential(admin), await make_device(admin)
    await assign(admin, credential, device)
    again = await assign(admin, credential, device)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "ASSIGNMENT_EXISTS")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"credential_id": NOBODY}, "credential_id"),
        ({"subject_id": NOBODY}, "subject_id"),
        ({"subject_type": "group"}, "subject_id"),
        ({"subject_type": "site"}, "subject_type"),
        ({"priority": -1}, "priority"),
    ],
)
async def test_a_wrong_assignment_is_refused_by_field(
    admin: httpx.AsyncClient, change: dict[str, Any], field: str
) -> None:
    credential, device = await make_credential(admin), await make_device(admin)
    answer = await admin.post(
        URL, json={"credential_id": credential, "subject_type": "device", "subject_id": device, **change}
    )
    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json()["error"]["details"]] == [field]
    assert await core_database.fetch("SELECT id FROM credential_assignments") == []


async def test_the_deleted_are_not_assigned(admin: httpx.AsyncClient) -> None:
    credential, device = await make_credential(admin), await make_device(admin)
    await admin.delete(f"/inventory/v1/devices/{device}")
    assert (await assign(admin, credential, device)).status_code == 422
    other = await make_device(admin, "r2")
    await admin.delete(f"/credentials/v1/credentials/{credential}")
    assert (await assign(admin, credential, other)).status_code == 422


async def test_a_credential_in_use_is_not_deleted_and_says_where(admin: httpx.AsyncClient) -> None:
    credential, device = await make_credential(admin), await make_device(admin)
    assignment = (await assign(admin, credential, device)).json()["data"]
    group = (await admin.post("/inventory/v1/groups", json={"name": "core"})).json()["data"]
    await assign(admin, credential, group["id"], subject_type="group")
    refused = await admin.delete(f"/credentials/v1/credentials/{credential}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "CREDENTIAL_IN_USE")
    assert refused.json()["error"]["details"]["references"] == [
        {"type": "device", "id": device, "name": "r1"},
        {"type": "group", "id": group["id"], "name": "core"},
    ]
    await admin.delete(f"{URL}/{assignment['id']}")
    await admin.delete(f"/inventory/v1/groups/{group['id']}")
    assert (await admin.delete(f"/credentials/v1/credentials/{credential}")).status_code == 409
    for left in (await admin.get(URL)).json()["data"]:
        await admin.delete(f"{URL}/{left['id']}")
    assert (await admin.delete(f"/credentials/v1/credentials/{credential}")).status_code == 200


async def test_a_deleted_device_keeps_its_credential_without_holding_it(admin: httpx.AsyncClient) -> None:
    credential = await make_credential(admin)
    device = await make_device(admin, credential_ids=[credential])
    await admin.delete(f"/inventory/v1/devices/{device}")
    assert (await admin.get(URL)).json()["data"] == []
    await admin.post(f"/inventory/v1/devices/{device}/restore")
    assert len((await admin.get(URL)).json()["data"]) == 1
    await admin.delete(f"/inventory/v1/devices/{device}")
    assert (await admin.delete(f"/credentials/v1/credentials/{credential}")).status_code == 200


async def test_a_devices_credentials_are_replaced_in_the_order_given(admin: httpx.AsyncClient) -> None:
    first, second, third = [await make_credential(admin, name) for name in ("a", "b", "c")]
    device = await make_device(admin, credential_ids=[first])
    await admin.patch(f"/inventory/v1/devices/{device}", json={"credential_ids": [third, second, third]})
    listed = (await admin.get(URL, params={"device_id": device, "sort": "priority"})).json()["data"]
    assert [one["credential_name"] for one in listed] == ["c", "b"]
    await admin.patch(f"/inventory/v1/devices/{device}", json={"credential_ids": []})
    assert (await admin.get(URL)).json()["data"] == []
